import { expect, test } from 'vitest';

import { createAwsSandbox } from '../../../src/sandbox/aws/index.ts';
import { databaseClock } from '../../support/database-clock.ts';
import { createEmptyAnswers } from '../../support/empty-answers.ts';
import { useStage } from '../../support/use-stage.ts';
import { furnish } from './world.ts';

const stage = useStage();

async function createWorld() {
  const clock = await databaseClock(stage.databaseUrl);
  await clock.reset();
  const suffix = crypto.randomUUID().slice(0, 8);
  const sandbox = createAwsSandbox({ clock, seed: Number.parseInt(suffix, 16) });
  const answers = createEmptyAnswers();
  const handle = answers.wrapHandle(sandbox.handle);
  return { world: await furnish(stage, {}, { clock, sandbox: { ...sandbox, handle }, suffix }), answers };
}

test.each([
  ['ListAccessKeys', false],
  ['GetUser', false],
  ['CreateAccessKey', false],
  ['CreateAccessKey', true],
  ['GetAccessKeyLastUsed', false],
  ['UpdateAccessKey', false],
  ['UpdateAccessKey', true],
  ['DeleteAccessKey', false],
  ['DeleteAccessKey', true],
] as const)('a rotation survives empty answers to %s (carried out by AWS: %s)', async (operation, isForwarded) => {
  const { world, answers } = await createWorld();
  const { id } = await world.createRotation();
  for (let cycle = 0; cycle < 2; cycle += 1) {
    answers.empty(operation, { isForwarded });
    for (let runs = 0; runs < 6; runs += 1) {
      await world.untilDue(id);
      const outcome = await world.runOnce(id);
      expect(['retry', 'continued', 'succeeded']).toContain(outcome.status);
      const pair = await world.published();
      expect(Object.keys(world.keys()).length).toBeLessThanOrEqual(2);
      expect(pair.accessKeyId === undefined || world.works(pair)).toBe(true);
    }
    answers.repair();
    expect((await world.runUntilDone(id)).status).toBe('succeeded');
  }
  expect(world.works(await world.published())).toBe(true);
});
