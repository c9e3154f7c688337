/** Changes that people make while a rotation runs. */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import type { Transition } from '../../../src/domain/rotation/rotation.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, DAY, MINUTE, SECOND, type World, type WorldOptions } from './world.ts';

const stage = useStage();

const atOnce = { graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 };

/**
 * A world whose rotation is changed once, right before or after the n-th step of that name is
 * written.
 */
function changing(
  when: 'before' | 'after',
  step: string,
  change: (world: World) => Promise<unknown>,
  nth = 1,
): Promise<World> {
  let seen = 0;
  const changeOnce = async (transition: Transition) => {
    if (transition.note?.step !== step) return;
    seen += 1;
    if (seen !== nth) return;
    await change(await made);
  };
  const wrap: WorldOptions['wrap'] = (deps) => ({
    ...deps,
    rotations: {
      run: {
        ...deps.rotations.run,
        advance: async (fence, transition) => {
          if (when === 'before') await changeOnce(transition);
          const result = await deps.rotations.run.advance(fence, transition);
          if (when === 'after') await changeOnce(transition);
          return result;
        },
      },
    },
  });
  const made = createWorld(stage, { wrap });
  return made;
}

async function update({ rotations, orgId }: World, changes: Parameters<World['rotations']['updateAsRead']>[1]) {
  const [row] = await rotations.list(orgId);
  if (row && !(await rotations.updateAsRead(row, changes))) throw new Error('The rotation changed meanwhile.');
}

const daily = (world: World) => update(world, { rotationIntervalDays: 1 });

test.each([
  ['before', 'begin'],
  ['after', 'begin'],
  ['after', 'create-sent'],
  ['before', 'verified'],
] as const)('a new interval that is set %s the step %s holds from this rotation on', async (when, step) => {
  const world = await changing(when, step, daily);
  const { id } = await world.createRotation({ rotationIntervalDays: 90 });
  const startedAt = world.clock.now().getTime();

  await world.runUntilDone(id);
  await world.runOnce(id);

  const { nextRotationAt, nextDueAt } = await world.row(id);
  const nextMs = nextRotationAt?.getTime() ?? 0;
  expect(nextMs - startedAt).toBeGreaterThan(0);
  expect(nextMs - startedAt).toBeLessThan(2 * DAY);
  expect(nextDueAt?.getTime()).toBe(nextMs);
});

test('a new interval that is set during a later rotation counts from that one', async () => {
  const world = await changing('after', 'created', daily, 2);
  const { id } = await world.createRotation({ rotationIntervalDays: 90, ...atOnce });
  await world.runUntilDone(id);
  world.clock.advance(60 * DAY);
  const startedAt = world.clock.now().getTime();
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runUntilDone(id);
  await world.runOnce(id);

  const nextMs = (await world.row(id)).nextRotationAt?.getTime() ?? 0;
  expect(nextMs).toBeGreaterThan(startedAt);
  expect(nextMs - startedAt).toBeLessThan(2 * DAY);
  expect(await world.rotations.keys(id)).toHaveLength(2);
});

test('a longer grace time that is set while a rotation runs keeps its old key', async () => {
  const world = await changing('before', 'confirmed', (made) => update(made, { graceSeconds: (30 * DAY) / SECOND }), 2);
  const { id } = await world.createRotation(atOnce);
  await world.runUntilDone(id);
  const old = await world.published();
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runOnce(id);
  world.clock.advance(29 * DAY);
  await world.runOnce(id);

  expect(world.works(old)).toBe(true);
});

test('any number of wishes before the publication is one rotation', async () => {
  const world = await createWorld(stage);
  await world.addSync('slow');
  const { id } = await world.createRotation();
  await world.runOnce(id);
  for (let n = 0; n < 120; n += 1) await world.rotations.request(await world.row(id), {}, 'cron');
  world.clock.advance(MINUTE);

  const outcome = await world.runOnce(id);
  await world.runSyncs();
  await world.runUntilDone(id);

  expect(outcome.status).toBe('continued');
  expect(await world.rotations.keys(id)).toHaveLength(1);
});

test('automatic rotation that is switched off while a new key is refused stays off', async () => {
  const world = await changing('before', 'turned-back', (made) => update(made, { isAutoRotationEnabled: false }));
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  world.sandbox.setTiming({ keyVisibleMs: [900 * DAY, 900 * DAY] });
  await world.rotations.request(await world.row(id), {}, 'ann');

  const outcome = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'failed', code: 'KEY_VERIFY_TIMEOUT' });
  expect((await world.row(id)).nextRotationAt).toBeNull();
});

test('what a newer version notes in a rotation survives the steps of this one', async () => {
  const world = await createWorld(stage);
  await world.addSync('slow');
  const { id } = await world.createRotation();
  await world.runOnce(id);
  await world.handle.db.execute(sql`
    update keyferry.rotations
    set phase_state = jsonb_set(phase_state || '{"fromTomorrow": {"a": 1}}', '{cycle,fromTomorrow}',
      '2')
    where id = ${id} and phase = 'publishing'`);
  world.clock.advance(MINUTE);
  await world.runOnce(id);
  expect((await world.row(id)).phaseState).toMatchObject({ fromTomorrow: { a: 1 }, cycle: { fromTomorrow: 2 } });
  await world.runSyncs();
  await world.runUntilDone(id);
  expect((await world.row(id)).phaseState).toMatchObject({ fromTomorrow: { a: 1 } });
});
