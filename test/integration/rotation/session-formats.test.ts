import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createQueueBackend } from '../../../src/queues/backend.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { openStage, type Stage } from '../../support/stage.ts';
import { createWorld, DAY, HOUR, MINUTE, type Pair, SECOND } from './world.ts';

const database = useTestDatabase();
let stage: Stage;

/**
 * Defaults that a database or role may have: how values are written as text, and whether a commit
 * waits for the disk.
 */
const foreignDefaults = {
  IntervalStyle: 'iso_8601',
  DateStyle: 'SQL, DMY',
  TimeZone: 'Asia/Kathmandu',
  synchronous_commit: 'off',
} as const;

beforeAll(async () => {
  const admin = postgres(database().url, { max: 1 });
  for (const [setting, value] of Object.entries(foreignDefaults))
    await admin.unsafe(`alter database "${database().name}" set ${setting} = '${value}'`);
  await admin.end();
  stage = openStage(database().url);
});
afterAll(() => stage.close());

test.each(['postgres', 'postgres_verbose', 'sql_standard', 'iso_8601'])(
  'the grace time is kept when intervals are written in style %s',
  async (style) => {
    const admin = postgres(database().url, { max: 1 });
    await admin.unsafe(`alter database "${database().name}" set IntervalStyle = '${style}'`);
    await admin.end();
    const own = openStage(database().url);
    const world = await createWorld(own);
    const { id } = await world.createRotation({ graceSeconds: (30 * DAY) / SECOND, quietSeconds: 0 });
    await world.runUntilDone(id);
    const old = (await world.published()) as Pair;
    await world.rotations.request(await world.row(id), {}, 'ann');
    await world.runOnce(id);
    world.clock.advance(29 * DAY);
    await world.runEarly(id);

    expect(world.works(old)).toBe(true);
    expect((await world.row(id)).phase).toBe('quiet');
    await own.close();
  },
);

test('commits are synchronous, whatever the default of the database', async () => {
  const [row] = await stage.handle.db.execute(sql`select
    current_setting('synchronous_commit') as setting`);

  expect(row?.['setting']).toBe('on');
});

test('moments are read as they were written', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  const at = new Date('2031-02-03T04:05:06.789Z');
  await stage.handle.db.execute(
    sql`update keyferry.rotations set next_rotation_at = ${at.toISOString()} where id = ${id}`,
  );

  expect((await world.row(id)).nextRotationAt).toEqual(at);
});

test('a queue in PostgreSQL keeps priorities, delays and times of its jobs', async () => {
  const backend = await createQueueBackend({ databaseUrl: database().url, redisUrl: undefined });
  await backend.prepare();
  const added = Date.now();
  await backend.queue('rotate').add('rotate', { id: 'later' }, { delay: HOUR });
  await backend.queue('rotate').add('rotate', { id: 'now' }, { priority: 3 });

  const [later] = await backend.queue('rotate').getDelayed();
  const [now] = await backend.queue('rotate').getPrioritized();
  expect(later).toMatchObject({ data: { id: 'later' }, delay: HOUR });
  expect(now).toMatchObject({ data: { id: 'now' }, priority: 3 });
  for (const job of [later, now]) expect(Math.abs((job?.timestamp ?? 0) - added)).toBeLessThan(MINUTE);
  await backend.close();
});
