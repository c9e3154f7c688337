/** What only Infisical's API has: logins, imports, folders below, hidden values. */
import { afterEach, beforeEach, expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { infisicalSecret, openInfisical, type FakeInfisical } from './fake-sources.ts';
import { codeOf, createSourceWorld, type SourceWorld } from './world.ts';

const stage = useStage();
let fake: FakeInfisical;
let world: SourceWorld;
beforeEach(async () => {
  fake = await openInfisical('client-1', 'canary-secret');
  world = await createSourceWorld(stage);
  fake.values = { A: 'own' };
});
afterEach(() => fake.server.close());

const setSource = (more: object = {}) =>
  world.set({
    ...{ kind: 'infisical', url: fake.server.url, projectId: 'p-1', environment: 'prod', secretPath: '/api' },
    ...{ clientId: 'client-1', clientSecret: 'canary-secret', ...more },
  });
const logins = () => fake.server.requests.filter(({ what }) => what.includes('/login')).length;

test('asks for what the settings name, with imports and references', async () => {
  await setSource({ isRecursive: true });
  await world.pull();
  const asked = new URL(fake.server.requests.at(-1)?.what.split(' ')[1] ?? '', fake.server.url);
  expect(Object.fromEntries(asked.searchParams)).toEqual({
    ...{ workspaceId: 'p-1', environment: 'prod', secretPath: '/api', recursive: 'true' },
    ...{ include_imports: 'true', expandSecretReferences: 'true', viewSecretValue: 'true' },
  });
});

test('logs in once for many pulls, and again when the token ends or is revoked', async () => {
  await setSource();
  await world.pull();
  fake.values = { A: 'other' };
  await world.pull();
  expect(logins()).toBe(1);
  fake.revoke();
  fake.values = { A: 'later' };
  expect(codeOf(await world.pull())).toBe('succeeded');
  expect([logins(), await world.values()]).toEqual([2, { A: 'later' }]);
});

test('logs in anew before the token ends', async () => {
  fake.expiresIn = 0;
  await setSource();
  await world.pull();
  await world.pull();
  expect(logins()).toBe(2);
});

test('own secrets go before imported ones, a later import before an earlier one', async () => {
  fake.imports = [
    { secretPath: '/one', secrets: [infisicalSecret('A', 'first'), infisicalSecret('B', 'first')] },
    { secretPath: '/two', secrets: [infisicalSecret('B', 'second'), infisicalSecret('C', 'second')] },
  ];
  await setSource();
  await world.pull();
  expect(await world.values()).toEqual({ A: 'own', B: 'second', C: 'second' });
});

test('a name of two folders is refused', async () => {
  fake.more = [infisicalSecret('A', 'below', '/api/below')];
  await setSource({ isRecursive: true });
  expect(codeOf(await world.pull())).toBe('SOURCE_ANSWER_REFUSED');
  expect((await world.source()).statusMessage).toContain('A is in more than one folder');
});

test('values that the identity may not see are not taken for values', async () => {
  fake.more = [{ ...infisicalSecret('B', '<hidden-by-infisical>'), secretValueHidden: true }];
  await setSource();
  expect(codeOf(await world.pull())).toBe('SOURCE_ANSWER_REFUSED');
  expect(await world.values()).toEqual({});
});
