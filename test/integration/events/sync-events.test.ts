import { sql } from 'drizzle-orm';
import { beforeAll, expect, test } from 'vitest';

import { createWebhooks, type Webhooks } from '../../../src/db/webhooks.ts';
import { newWebhookShape } from '../../../src/domain/webhooks.ts';
import { JobError } from '../../../src/errors.ts';
import { eventSamples, formOf } from '../../support/event-samples.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, MINUTE, REGION, type World, type WorldOptions } from '../sync/world.ts';

/**
 * What consumers are told of syncs: each change once, whatever dies in between, and nothing where
 * nobody asks.
 */
const database = useTestDatabase();
const stage = useStage(database);
let webhooks: Webhooks;
beforeAll(() => {
  webhooks = createWebhooks(stage.handle.db, stage.encryption, { hosts: ['127.0.0.1'] });
});

const CANARY = 'canary-of-a-value';

async function listening(input: object = {}, options: WorldOptions = {}): Promise<World> {
  const world = await createWorld(stage, options);
  await addWebhook(world, input);
  return world;
}

const addWebhook = (world: World, input: object = {}) =>
  webhooks.create(world.orgId, newWebhookShape.parse({ name: 'all', url: 'https://hooks.example.com/x', ...input }));

interface Told {
  readonly event: string;
  readonly changes: readonly { readonly change: string; readonly name: string; readonly version: string | null }[];
  readonly text: string;
}

async function toldOf(world: World): Promise<readonly Told[]> {
  const rows = await stage.handle.db.execute(
    sql`select event, payload from keyferry.notifications where payload ->> 'orgId' = ${world.orgId}
      order by seq`,
  );
  return rows.map((row) => {
    const payload = row['payload'] as Pick<Told, 'changes'>;
    return { event: String(row['event']), changes: payload.changes, text: JSON.stringify(payload) };
  });
}

const untold = async (id: string) =>
  (
    await stage.handle.db.execute(sql`select 1 from keyferry.sync_entries
      where sync_id = ${id} and not is_told`)
  ).length;

test('a run tells once what it wrote, with versions and without values', async () => {
  const world = await listening();
  await world.set({ DB_URL: CANARY, TOKEN: CANARY });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.runScheduled(id);

  const told = await toldOf(world);
  expect(told.map(({ event }) => event)).toEqual(['sync.changed']);
  expect(told[0]?.changes).toEqual([
    {
      ...{ change: 'written', name: '/app/prod/DB_URL', key: 'DB_URL', version: '1' },
      ...{ service: 'ssm', accountId: world.accountId, region: REGION },
    },
    expect.objectContaining({ change: 'written', name: '/app/prod/TOKEN', version: '1' }),
  ]);
  expect(told[0]?.text).not.toContain(CANARY);
  expect(formOf(JSON.parse(told[0]?.text ?? ''))).toEqual(formOf(eventSamples['sync.changed']?.data));
});

test('only what changed is told, and deletions', async () => {
  const world = await listening();
  await world.set({ A: 'a', B: 'b', C: 'c' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(MINUTE);
  await world.set({ A: 'other', B: null });
  await world.runUntilDone(id);

  const changes = (await toldOf(world))[1]?.changes.map(({ change, name, version }) => [change, name, version]);
  expect(changes).toEqual([
    ['written', '/app/prod/A', '2'],
    ['deleted', '/app/prod/B', null],
  ]);
});

test('a removal that deletes its sync tells what it deleted', async () => {
  const world = await listening();
  await world.set({ A: 'a', B: 'b' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.runUntilDone(id, { request: 'remove', parameters: { deleteAfterRemove: true } });

  const told = await toldOf(world);
  expect(told.map(({ changes }) => changes.map(({ change }) => change))).toEqual([
    ['written', 'written'],
    ['deleted', 'deleted'],
  ]);
});

test('a run that dies after it wrote is told by the next, once', async () => {
  let isDying = true;
  const world = await listening(
    {},
    {
      wrapWork: (work) => ({
        ...work,
        settle: (...given) => {
          if (!isDying) return work.settle(...given);
          throw new JobError('DB_UNAVAILABLE');
        },
      }),
    },
  );
  await world.set({ A: 'a' });
  const { id } = await world.createSync();
  await expect(world.runOnce(id)).rejects.toThrow();
  expect([await toldOf(world), await untold(id)]).toEqual([[], 1]);

  isDying = false;
  world.clock.advance(HOUR);
  const { rewrites } = await world.runUntilDone(id);
  await world.runScheduled(id);

  expect(rewrites).toBe(0);
  expect((await toldOf(world)).map(({ changes }) => changes.length)).toEqual([1]);
  expect(await untold(id)).toBe(0);
});

test('what a dead run wrote is told although nothing is to be done since', async () => {
  const world = await listening();
  await world.set({ A: 'a' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  // As a scheduled run leaves it that repaired a drift and died before its settlement.
  await stage.handle.db.execute(sql`update keyferry.sync_entries set is_told = false
    where sync_id = ${id}`);
  await stage.handle.db.execute(sql`
    update keyferry.syncs
    set wanted_revision = wanted_revision + 1, next_due_at = now(), due_reason = 'changed'
    where id = ${id}`);
  await world.runUntilDone(id);

  expect((await toldOf(world)).map(({ changes }) => changes.length)).toEqual([1, 1]);
  expect(await untold(id)).toBe(0);
});

test('many changes are told in parts, in their order', async () => {
  const world = await listening();
  await world.set(Object.fromEntries(Array.from({ length: 620 }, (_, n) => [`K${String(n).padStart(3, '0')}`, 'v'])));
  const { id } = await world.createSync();
  await world.runUntilDone(id);

  const told = await toldOf(world);
  expect(told.map(({ changes }) => changes.length)).toEqual([500, 120]);
  expect(told[1]?.changes[0]?.name).toBe('/app/prod/K500');
});

test('nothing is noted or told where no endpoint wants it', async () => {
  const world = await createWorld(stage);
  await addWebhook(world, { name: 'rotations', events: ['rotation.*'] });
  await addWebhook(world, { name: 'others', namePattern: 'api-*' });
  await world.set({ A: 'a' });
  const { id } = await world.createSync({ name: 'api_1' });
  await expect(world.runOnce(id)).resolves.toBeDefined();

  expect([await toldOf(world), await untold(id)]).toEqual([[], 0]);
});

test('each endpoint that wants an event gets it, and no other org does', async () => {
  const world = await listening({ events: ['sync.changed'], namePattern: 'api-*' });
  await addWebhook(world, { name: 'second', format: 'slack' });
  const other = await listening();
  await world.set({ A: 'a' });
  const { id } = await world.createSync({ name: 'api-1' });
  await world.runUntilDone(id);

  expect([(await toldOf(world)).length, (await toldOf(other)).length]).toEqual([2, 0]);
});
