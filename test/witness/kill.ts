/** Kills a worker in the middle of a run, and looks at what its run has stored of its calls. */
import { isDeepStrictEqual } from 'node:util';

import type { Interruption } from './aws/proxy.ts';
import type { Counts } from './installation.ts';
import { parameterValues } from './readings.ts';
import type { Scene } from './scenes.ts';
import { callsOfRuns, count, difference, expectEqual, type StoryContext } from './story.ts';

/**
 * SIGKILL to the worker while it waits for the answer of that call; another worker takes over. A
 * run stores its calls within moments: the answer takes as long, so every call must be in the count
 * of the run that was killed.
 */
export async function killAt(
  context: StoryContext,
  at: Omit<Interruption, 'act'>,
  cause: () => Promise<unknown>,
): Promise<void> {
  const { installation, world } = context;
  const isStored = await watchCounts(context);
  const killed = world.proxy.interrupt({
    ...at,
    act: async () => {
      await isStored(at.operation);
      installation.killWorker();
      return 'drop';
    },
  });
  await cause();
  await killed;
  await installation.startWorker();
}

/**
 * Resolves when the runs report all calls from now on, that one included which waits for its
 * answer; at the latest after some seconds.
 */
async function watchCounts({ installation, world }: StoryContext): Promise<(waiting: string) => Promise<void>> {
  const [position, before] = [world.proxy.calls.length, await installation.reportedCalls()];
  return async (waiting) => {
    const isReported = async (): Promise<boolean> => {
      const reported = difference(await installation.reportedCalls(), before);
      const received = callsOfRuns(world.proxy.calls.slice(position), reported);
      return isDeepStrictEqual(reported, { ...received, [waiting]: (received[waiting] ?? 0) + 1 });
    };
    await installation.until(isReported, 5_000).catch(() => undefined);
  };
}

/** What a kill can hide: calls of the last moments, which the run has not stored yet. */
export async function killedAtOnce(context: StoryContext, scene: Scene): Promise<void> {
  const { check, installation, world } = context;
  await installation.rest();
  // A new worker has no session yet, so its run begins with a call of its own.
  installation.killWorker();
  await installation.startWorker();
  const before = { received: count(world.proxy.calls), reported: await installation.reportedCalls() };
  const isStored = await watchCounts(context);
  const assumed = world.proxy.interrupt({
    operation: 'sts.AssumeRole',
    nth: 1,
    moment: 'after',
    act: async () => {
      await isStored('sts.AssumeRole');
      return 'pass';
    },
  });
  const killed = world.proxy.interrupt({
    operation: 'ssm.PutParameter',
    nth: 1,
    moment: 'before',
    act: async () => {
      installation.killWorker();
      return 'drop';
    },
  });
  await scene.set({ A: 'four' });
  await Promise.all([assumed, killed]);
  const [run] = await installation.rows(
    `select aws_calls from keyferry.runs where status = 'running' and kind = 'sync'`,
  );
  await check('a run that was killed at once reports what it did until its last moments', () => {
    expectEqual((run?.['aws_calls'] as Counts | undefined)?.['sts.AssumeRole'], 1);
  });
  await installation.startWorker();
  await installation.until(async () => (await parameterValues(scene.account, `/${scene.id}/`))['A'] === 'four');
  await installation.rest();
  await check('and never a call that did not reach AWS', async () => {
    const received = difference(count(world.proxy.calls), before.received);
    const reported = difference(await installation.reportedCalls(), before.reported);
    const surplus = Object.entries(reported).filter(([name, made]) => made > (received[name] ?? 0));
    expectEqual(Object.fromEntries(surplus), {});
  });
}
