/**
 * One alarm for each party that is at fault: raised once, lowered once, and none for those who only
 * wait for it.
 */
import { sql } from 'drizzle-orm';
import { beforeAll, beforeEach, expect, test } from 'vitest';

import { createNotifications } from '../../../src/db/notifications.ts';
import { JobError } from '../../../src/errors.ts';
import { databaseClock } from '../../support/database-clock.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { useStage } from '../../support/use-stage.ts';
import * as rotations from '../rotation/world.ts';
import { ALL_ACTIONS, allow, createWorld, REGION, type World } from '../sync/world.ts';

const database = useTestDatabase();
// Before the first session, which would keep the server's own clock.
beforeAll(() => databaseClock(database().url));
const stage = useStage(database);
beforeEach(() => told());

let heard = 0;
/** Events since the last look, as the webhook sends them. */
async function told(): Promise<readonly unknown[]> {
  await createNotifications(stage.handle.db, { hasOperator: true }).detect();
  const rows = await stage.handle.db.execute(sql`select event from keyferry.notifications
    order by created_at, event`);
  return rows.slice(heard, (heard = rows.length)).map(({ event }) => event);
}

async function failing(world: World): Promise<string> {
  await world.set({ A: '1', DENIED: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  return id;
}

const denyOne = {
  Version: '2012-10-17' as const,
  Statement: [
    { Effect: 'Allow' as const, Action: [...ALL_ACTIONS], Resource: '*' },
    {
      Effect: 'Deny' as const,
      Action: 'ssm:PutParameter',
      Resource: `arn:aws:ssm:${REGION}:*:parameter/app/prod/DENIED`,
    },
  ],
};

test.each([
  ['an entry', denyOne, 'sync.partial'],
  ['a sync', allow(ALL_ACTIONS.filter((action) => action !== 'ssm:DeleteParameters')), 'sync.blocked'],
])('of %s', async (_, policy, raised) => {
  const world = await createWorld(stage, { policy });
  const id = await failing(world);
  expect(await told()).toEqual([raised]);
  for (let runs = 0; runs < 3; runs += 1) await world.runUntilDone(id, { request: 'sync' });
  expect(await told()).toEqual([]);
  world.sandbox.setRolePolicy({ accountId: world.accountId, roleName: 'sync', policy: allow(ALL_ACTIONS) });
  for (let runs = 0; runs < 2; runs += 1) await world.runUntilDone(id, { request: 'sync' });
  expect(await told()).toEqual(['sync.recovered']);
});

test('of a connection, and none of the syncs that wait for it', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id: first } = await world.createSync();
  await world.runUntilDone(first);
  const { id: second } = await world.createSync({ destinationConfig: { region: REGION, path: '/other/' } });
  const all = async () => {
    for (const id of [first, second]) await world.runUntilDone(id, { request: 'sync' });
  };
  const mark = (status: string) =>
    stage.handle.db.execute(sql`update keyferry.connections set status = ${status}
      where id = ${world.connection.id}`);
  await world.runUntilDone(second);
  await mark('invalid');
  for (let rounds = 0; rounds < 3; rounds += 1) await all();
  expect(await world.row(first)).toMatchObject({ syncStatus: 'blocked', statusCode: 'CONNECTION_INVALID' });
  expect(await told()).toEqual(['connection.invalid']);
  await mark('valid');
  for (let rounds = 0; rounds < 2; rounds += 1) await all();
  expect(await told()).toEqual(['connection.recovered']);
});

const outage = () => Promise.reject(new JobError('DB_UNAVAILABLE'));

test('of the worker’s own identity or PostgreSQL is none of a sync', async () => {
  let isOut = false;
  const world = await createWorld(stage, {
    wrap: (deps) => ({
      ...deps,
      entries: { ...deps.entries, store: (...given) => (isOut ? outage() : deps.entries.store(...given)) },
    }),
  });
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ A: '2' });
  isOut = true;
  const connection = await world.connections.byId(world.connection.id);
  expect((await world.runOnce(id)).outcome).toMatchObject({
    status: 'continued',
    waitsFor: { code: 'DB_UNAVAILABLE' },
  });
  expect(await world.row(id)).toMatchObject({ syncStatus: 'succeeded', statusCode: null, attempt: 0 });
  const { accessKeyId } = world.base.pair;
  world.sandbox.setAccessKeyStatus({ accessKeyId, status: 'Inactive' });
  isOut = false;
  // The session of the first run has ended.
  world.clock.advance(7_200_000);
  await world.untilDue(id);
  expect((await world.runOnce(id)).outcome).toMatchObject({ waitsFor: { code: 'CONNECTION_BASE_REFUSED' } });
  expect(await world.row(id)).toMatchObject({ syncStatus: 'succeeded', statusCode: null, attempt: 0 });
  expect(await world.connections.byId(world.connection.id)).toEqual(connection);
  expect(await told()).toEqual([]);
  world.sandbox.setAccessKeyStatus({ accessKeyId, status: 'Active' });
  expect((await world.runUntilDone(id)).outcome.status).toBe('succeeded');
});

test('of PostgreSQL is none of a rotation', async () => {
  let isOut = false;
  const world = await rotations.createWorld(stage, {
    wrap: (deps) => ({
      ...deps,
      rotations: {
        ...deps.rotations,
        run: { ...deps.rotations.run, knownKeys: (given) => (isOut ? outage() : deps.rotations.run.knownKeys(given)) },
      },
    }),
  });
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const before = await world.row(id);
  world.clock.advance(40 * rotations.DAY);
  isOut = true;
  expect(await world.runOnce(id)).toMatchObject({ status: 'continued', waitsFor: { code: 'DB_UNAVAILABLE' } });
  const { rotationStatus, statusCode, attempt } = before;
  expect(await world.row(id)).toMatchObject({ rotationStatus, statusCode, attempt });
  expect(await told()).toEqual([]);
});
