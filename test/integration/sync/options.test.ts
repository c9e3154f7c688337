import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import {
  allow,
  createWorld,
  DOCUMENTED_PARAMETER_ACTIONS,
  DOCUMENTED_SECRET_ACTIONS,
  MINUTE,
  REGION,
  type SyncInput,
} from './world.ts';

const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};

test.each([
  ['parameters', {}, DOCUMENTED_PARAMETER_ACTIONS],
  ['secrets', toSecrets, DOCUMENTED_SECRET_ACTIONS],
] as const)('roles with the documented policy keep %s in step through every change', async (_what, input, actions) => {
  const world = await createWorld(stage, { policy: allow(actions) });
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(input);
  const first = await world.runUntilDone(id);
  await world.set({ A: 'new', B: null, C: '3' });
  world.clock.advance(2 * MINUTE);
  const second = await world.runUntilDone(id);
  const sync = await world.row(id);
  await world.syncs.update(
    sync,
    { syncOptions: { ...sync.syncOptions, tags: [{ key: 'team', value: 'core' }] } },
    'ann',
  );
  const tagged = await world.runUntilDone(id);
  await world.syncs.update(await world.row(id), { syncOptions: { ...sync.syncOptions, tags: [] } }, 'ann');
  const untagged = await world.runUntilDone(id);
  const check = await world.runUntilDone(id, { request: 'check' });
  const removed = await world.runUntilDone(id, { request: 'remove' });

  const all = [first, second, tagged, untagged, check, removed];
  expect(all.map((ran) => ran.outcome.status)).toEqual(all.map(() => 'succeeded'));
  expect({ ...world.parameters(), ...world.secrets() }).toEqual({});
});

test('the key schema names the objects, with environment, dots and slashes', async () => {
  const world = await createWorld(stage);
  await world.set({ API_KEY: '1' });
  const { id } = await world.createSync({
    destinationConfig: { region: REGION, path: '/my.app/' },
    syncOptions: { keySchema: '{{environment}}/svc_{{secretKey}}' },
  });

  await world.runUntilDone(id);

  expect(world.parameters('/')).toEqual({ '/my.app/prod/svc_API_KEY': '1' });
});

test('metadata become tags and follow their changes without a new version; tags of others stay', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' }, { A: { owner: 'ann', level: '1' } });
  const { id } = await world.createSync({
    syncOptions: { syncSecretMetadataAsTags: true, tags: [{ key: 'level', value: 'fixed' }] },
  });
  await world.runUntilDone(id);
  world.sandbox.foreign.tagParameter({ ...world.at, name: '/app/prod/A', tags: { theirs: 'yes' } });
  await world.set({ A: '1' }, { A: { team: 'core' } });

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
  expect(calls).toEqual({ 'ssm.DescribeParameters': 1, 'ssm.AddTagsToResource': 1, 'ssm.RemoveTagsFromResource': 1 });
  expect(world.sandbox.inspect.parameter({ ...world.at, name: '/app/prod/A' })).toMatchObject({
    version: 1,
    tags: { 'keyferry:sync': world.tagOf(id), level: 'fixed', team: 'core', theirs: 'yes' },
  });
});

test('another KMS key re-encrypts: a new version of a parameter, none of a secret', async () => {
  const world = await createWorld(stage);
  const key = world.sandbox.createKmsKey({ ...world.at, alias: 'alias/mine' });
  await world.set({ A: '1' });
  const parameters = await world.createSync();
  const secrets = await world.createSync(toSecrets);
  for (const { id } of [parameters, secrets]) {
    await world.runUntilDone(id);
    const sync = await world.row(id);
    await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, keyId: key.keyId } }, 'ann');
    expect((await world.runUntilDone(id)).outcome.status).toBe('succeeded');
  }

  expect(world.sandbox.inspect.parameter({ ...world.at, name: '/app/prod/A' })).toMatchObject({
    version: 2,
    keyId: key.keyId,
  });
  const secret = world.sandbox.inspect.secret({ ...world.at, name: 'prod/A' });
  expect(secret?.kmsKeyId).toContain(key.keyId);
  expect(secret?.versions).toHaveLength(1);
});

test('larger values need another tier, and there is no way back but by hand', async () => {
  const world = await createWorld(stage);
  await world.set({ BIG: 'x'.repeat(5_000) });
  const { id } = await world.createSync({ syncOptions: { tier: 'intelligent' } });
  await world.runUntilDone(id);
  expect(world.sandbox.inspect.parameter({ ...world.at, name: '/app/prod/BIG' })?.tier).toBe('Advanced');

  const sync = await world.row(id);
  await world.set({ BIG: 'small' });
  await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, tier: 'standard' } }, 'ann');
  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_ENTRY_INVALID' });
  expect('message' in outcome && outcome.message).toContain(
    'AWS cannot turn an advanced parameter into a standard one',
  );
  expect(calls).toEqual({});
});

test('replicas are made with the secret, follow the setting, and go before the secret does', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ ...toSecrets, syncOptions: { replicaRegions: ['us-east-1'] } });
  await world.runUntilDone(id);
  const regions = () => world.sandbox.inspect.secret({ ...world.at, name: 'prod/A' })?.replicaRegions;
  expect(regions()).toEqual(['us-east-1']);

  const sync = await world.row(id);
  await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, replicaRegions: ['us-west-2'] } }, 'ann');
  await world.runUntilDone(id);
  expect(regions()).toEqual(['us-west-2']);

  const { outcome } = await world.runUntilDone(id, { request: 'remove' });
  expect(outcome.status).toBe('succeeded');
  expect(world.secrets()).toEqual({});
});

test('without deletion what left the source stays, and comes back into step when it returns', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync({ syncOptions: { disableSecretDeletion: true } });
  await world.runUntilDone(id);
  await world.set({ B: null });
  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { deleted: 0 } });
  expect(world.parameters()).toEqual({ '/app/prod/A': '1', '/app/prod/B': '2' });

  world.clock.advance(2 * MINUTE);
  await world.set({ B: 'again' });
  await world.runUntilDone(id);
  expect(world.parameters()['/app/prod/B']).toBe('again');
});

test('a deleted parameter is made again only 30 seconds later', async () => {
  const world = await createWorld(stage, { sandbox: { timing: { parameterRecreateMs: 30_000 } } });
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ B: null });
  await world.runUntilDone(id);
  await world.set({ B: 'again' });

  const waiting = await world.runOnce(id);
  expect(waiting.outcome.status).toBe('continued');
  expect(waiting.calls).toEqual({});

  world.clock.advance(29_000);
  expect(await world.isDue(id)).toBe(false);
  world.clock.advance(1_000);
  const { outcome, calls } = await world.runOnce(id);
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { created: 1 } });
  expect(calls).toEqual({ 'ssm.PutParameter': 1 });
});

test('a secret that is edited all the time is written 20 times, then every 10 minutes', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '0' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  for (let edit = 1; edit <= 20; edit += 1) {
    await world.set({ A: String(edit) });
    expect((await world.runOnce(id)).outcome.status).toBe('succeeded');
  }
  await world.set({ A: 'once more' });

  const waiting = await world.runOnce(id);
  const at = waiting.outcome.status === 'continued' ? waiting.outcome.at.getTime() : Number.NaN;
  expect(Math.abs(at - world.clock.now().getTime() - 10 * MINUTE)).toBeLessThan(1_000);
  expect(world.secrets()['prod/A']).toBe('20');

  world.clock.advance(10 * MINUTE);
  expect((await world.runOnce(id)).outcome.status).toBe('succeeded');
  expect(world.secrets()['prod/A']).toBe('once more');
});
