import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { createNotifications } from '../../../src/db/notifications.ts';
import { createWebhooks } from '../../../src/db/webhooks.ts';
import { newWebhookShape } from '../../../src/domain/webhooks.ts';
import { eventSamples, formOf } from '../../support/event-samples.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, DAY, HOUR, SECOND, type World } from '../rotation/world.ts';

/** What consumers are told of rotations: the new key, the old one that goes, and what is late. */
const stage = useStage();

async function listening(): Promise<World> {
  const world = await createWorld(stage);
  const webhooks = createWebhooks(stage.handle.db, stage.encryption, { hosts: [] });
  await webhooks.create(
    world.orgId,
    newWebhookShape.parse({ name: 'all', url: 'https://hooks.example.com/x', events: ['rotation.*'] }),
  );
  return world;
}

interface Told {
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** All, each in the form of its sample. */
async function toldOf(world: World): Promise<readonly Told[]> {
  const rows = await stage.handle.db.execute(
    sql`select event, payload from keyferry.notifications where payload ->> 'orgId' = ${world.orgId}
      order by seq`,
  );
  const told = rows.map((row) => row as unknown as Told);
  for (const { event, payload } of told) expect(formOf(payload)).toEqual(formOf(eventSamples[event]?.data));
  return told;
}

const detect = async (world: World) => {
  await world.clock.settled();
  await createNotifications(stage.handle.db, { hasOperator: false }).detect();
};

test('each new key is told when the folder holds it, each old one when it stops working', async () => {
  const world = await listening();
  const { id } = await world.createRotation({ graceSeconds: 0, quietSeconds: 0 });
  await world.runUntilDone(id);
  const old = await world.published();
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runUntilDone(id);

  const told = await toldOf(world);
  const fresh = await world.published();
  expect(told.map(({ event, payload }) => [event, payload.accessKeyId])).toEqual([
    ['rotation.published', old.accessKeyId],
    ['rotation.published', fresh.accessKeyId],
    ['rotation.retired', old.accessKeyId],
  ]);
  expect(told[2]?.payload).toMatchObject({ kind: 'rotation', id, activeAccessKeyId: fresh.accessKeyId });
  expect(JSON.stringify(told)).not.toContain(fresh.secretAccessKey);
});

test('a key that was never published is not told as retired', async () => {
  const world = await listening();
  const { id } = await world.createRotation();
  world.sandbox.setTiming({ keyVisibleMs: [900 * DAY, 900 * DAY] });
  await world.runUntilDone(id);

  expect(await toldOf(world)).toEqual([]);
});

test('a key that soon stops working is told once, within its last day', async () => {
  const world = await listening();
  const { id } = await world.createRotation({ graceSeconds: (3 * DAY) / SECOND, quietSeconds: 0 });
  await world.runUntilDone(id);
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runOnce(id);
  await detect(world);
  const early = (await toldOf(world)).filter(({ event }) => event === 'rotation.retiring-soon');
  world.clock.advance(2 * DAY + HOUR);
  await detect(world);
  await detect(world);

  const told = (await toldOf(world)).filter(({ event }) => event === 'rotation.retiring-soon');
  expect([early.length, told.length]).toEqual([0, 1]);
  expect(told[0]?.payload).toMatchObject({ keys: [{ retireAfter: expect.stringMatching(/^\d{4}-.*Z$/) as string }] });
});

test('a rotation that does not begin is told once for each date', async () => {
  const world = await listening();
  const { id } = await world.createRotation({ rotationIntervalDays: 10 });
  await world.runUntilDone(id);
  world.clock.advance(12 * DAY);
  await detect(world);
  await detect(world);

  const overdue = (await toldOf(world)).filter(({ event }) => event === 'rotation.overdue');
  expect(overdue).toHaveLength(1);
  expect(overdue[0]?.payload).toMatchObject({ id, dueAt: expect.any(String) as string });
});
