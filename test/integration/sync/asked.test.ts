import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, MINUTE, REGION, type SyncInput, total, type World } from './world.ts';

/**
 * A sync that a person asks for looks at AWS before it says that all is well; one that the queue
 * wakes does not.
 */
const stage = useStage();

/** As a job of an application does. */
const wake = (id: string) =>
  stage.handle.db.execute(
    sql`update keyferry.syncs set wanted_revision = wanted_revision + 1, due_reason = 'requested'
      where id = ${id}`,
  );

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const toJson: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod/A' },
};

test.each([
  ['parameters', {}],
  ['secrets', toSecrets],
  ['keys of a JSON secret', toJson],
] as const)(
  'asked for, a sync repairs drift of %s that no check has seen; woken, it makes no call',
  async (what, input) => {
    const world = await createWorld(stage);
    await world.set({ A: '1', B: '1' });
    const { id } = await world.createSync(input);
    await world.runUntilDone(id);
    world.clock.advance(HOUR);
    const isJson = what === 'keys of a JSON secret';
    if (what === 'parameters') world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/A', value: 'x' });
    else world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/A', value: isJson ? '{"A":"x","B":"1"}' : 'x' });
    world.clock.advance(HOUR);

    await wake(id);
    expect(total((await world.runUntilDone(id)).calls)).toBe(0);
    const { outcome } = await world.runUntilDone(id, { request: 'sync' });

    expect(outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
    expect(JSON.stringify({ ...world.parameters(), ...world.secrets() })).not.toContain('x');
    expect((await world.row(id)).drift).toBe('none');
  },
);

test.each([
  ['parameters', {}, 3],
  ['secrets', toSecrets, 2],
] as const)('asked for without any change, a sync of %s looks by the page', async (_what, input, most) => {
  const world = await createWorld(stage);
  await world.set(Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`K${String(n)}`, 'v'])));
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  world.clock.advance(HOUR);
  const { outcome, calls } = await world.runUntilDone(id, { request: 'sync' });
  expect(outcome).toMatchObject({ status: 'succeeded', counts: { unchanged: 100 } });
  expect(total(calls)).toBeGreaterThan(0);
  expect(total(calls)).toBeLessThanOrEqual(most);
});

test('fresh secrets are looked at singly, and the result says how many were left out', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '1', C: '1' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  world.clock.advance(2 * MINUTE);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/A', value: 'x' });
  world.sandbox.foreign.deleteSecret({ ...world.at, name: 'prod/B', force: true });

  const few = await world.runUntilDone(id, { request: 'check' });
  expect(few.outcome).toMatchObject({ result: { checked: 3, drift: [{ key: 'A' }, { key: 'B' }] } });
  expect((await world.row(id)).drift).toBe('drifted');

  const many = await createWorld(stage);
  await many.set(Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`K${String(n)}`, 'v'])));
  const sync = await many.createSync(toSecrets);
  await many.runUntilDone(sync.id);
  const checked = await many.runUntilDone(sync.id, { request: 'check' });
  const asked = await many.runUntilDone(sync.id, { request: 'sync' });
  expect(checked.outcome).toMatchObject({ result: { checked: 20, notLookedAt: 10, tagsCheckedSince: null } });
  expect(asked.outcome).toMatchObject({ counts: { unchanged: 30 }, result: { notLookedAt: 10 } });
});

const deleteA = (world: World, isParameter: boolean): void => {
  if (isParameter) world.sandbox.foreign.deleteParameter({ ...world.at, name: '/app/prod/A' });
  else world.sandbox.foreign.deleteSecret({ ...world.at, name: 'prod/A', force: true });
};

test.each([
  ['a parameter', {}],
  ['a secret', toSecrets],
  ['a JSON secret', toJson],
] as const)(
  '%s deleted within the minute of its write: a check admits it, an asked run repairs it',
  async (what, input) => {
    const world = await createWorld(stage);
    await world.set({ A: '1' });
    const { id } = await world.createSync(input);
    await world.runUntilDone(id);
    const before = { ...world.parameters(), ...world.secrets() };
    world.clock.advance(10_000);
    deleteA(world, what === 'a parameter');

    const checked = await world.runUntilDone(id, { request: 'check' });
    expect(checked.outcome).toMatchObject({ result: { checked: 0, drift: [], notLookedAt: 1 } });
    const asked = await world.runUntilDone(id, { request: 'sync' });

    expect(asked.outcome.status).toBe('succeeded');
    expect(asked.outcome).not.toMatchObject({ result: { notLookedAt: 1 } });
    expect({ ...world.parameters(), ...world.secrets() }).toEqual(before);
  },
);

test('a read that lags never clears drift that an earlier look has found', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  world.clock.advance(10_000);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/A', value: 'x' });
  await world.runUntilDone(id, { request: 'check' });
  deleteA(world, false);
  await world.runUntilDone(id, { request: 'check' });
  expect((await world.row(id)).drift).toBe('drifted');
});

test.each([
  ['parameters', {}, ['ssm', 'DescribeParameters', 'GetParameters']],
  ['secrets', toSecrets, ['secretsmanager', 'ListSecrets', 'DescribeSecret']],
  ['a JSON secret', toJson, ['secretsmanager', 'DescribeSecret']],
] as const)(
  'where AWS denies the look at %s, an asked run goes on by the ledger and says so',
  async (_what, input, denied) => {
    const world = await createWorld(stage);
    await world.set({ A: '1' });
    const { id } = await world.createSync(input);
    await world.runUntilDone(id);
    world.clock.advance(HOUR);
    const [service, ...operations] = denied;
    for (const operation of operations)
      world.sandbox.faults.add({ service, operation, action: { error: { code: 'AccessDeniedException' } } });

    const { outcome } = await world.runUntilDone(id, { request: 'sync' });

    expect(outcome).toMatchObject({ status: 'succeeded', counts: { unchanged: 1 }, result: { isLookDenied: true } });
    expect((await world.row(id)).drift).toBe('unknown');
  },
);
