/**
 * The registry of checks: a story is a series of steps on one installation; what it checks has a
 * name of its own and is counted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import { DEFAULT_ACCOUNT, type RecordedCall } from './aws/proxy.ts';
import type { Counts, Installation, Queues } from './installation.ts';
import type { World } from './world.ts';

export interface Story {
  readonly name: string;
  /** Stories of the short lane run in CI. */
  readonly lane: 'short' | 'full';
  readonly queues: Queues;
  readonly tell: (context: StoryContext) => Promise<void>;
}

export interface CheckResult {
  readonly story: string;
  readonly name: string;
  /** Undefined: as expected. */
  readonly problem: string | undefined;
}

export interface StoryContext {
  readonly world: World;
  readonly installation: Installation;
  /** Unique within the whole run; objects at AWS and in keyferry are named after it. */
  readonly id: string;
  /** Records whether `verify` throws; never throws itself. */
  check(name: string, verify: () => unknown): Promise<void>;
  /**
   * Runs `act`, waits until keyferry is at rest, and checks that the runs report exactly the calls
   * that reached AWS. Returns these calls.
   */
  step(name: string, act: () => Promise<unknown>, options?: StepOptions): Promise<StepResult>;
  /** For the limits of AWS that only time passes. */
  sleep(ms: number): Promise<void>;
}

export interface StepOptions {
  /**
   * The rotation that waits, for its syncs or for a person, when the step is over, and is asked for
   * all the while.
   */
  readonly leavesWaiting?: string;
}

export interface StepResult {
  readonly calls: Counts;
  readonly recorded: readonly RecordedCall[];
}

export interface StoryOutcome {
  readonly story: Story;
  readonly results: readonly CheckResult[];
  readonly seconds: number;
}

export async function tellStory(story: Story, world: World, id: string): Promise<StoryOutcome> {
  const startedAt = performance.now();
  const results: CheckResult[] = [];
  const installation = await world.installation(story.queues);
  const check: StoryContext['check'] = async (name, verify) => {
    results.push({ story: story.name, name, problem: await findProblem(verify) });
  };
  const waiting = new Set<string>();
  const context: StoryContext = {
    world,
    installation,
    id,
    check,
    sleep: async (ms) => sleep(ms),
    async step(name, act, { leavesWaiting } = {}) {
      const before = await readCounts(world, installation, waiting);
      await act();
      waiting.clear();
      if (leavesWaiting !== undefined) waiting.add(leavesWaiting);
      const after = await readCounts(world, installation, waiting);
      const recorded = world.proxy.calls.slice(before.position, after.position);
      const reported = difference(after.reported, before.reported);
      const calls = callsOfRuns(recorded, reported);
      await check(`${name}: the runs report the calls that reached AWS`, () => {
        expectEqual(reported, calls);
      });
      return { calls, recorded };
    },
  };
  const problem = await findProblem(() => story.tell(context));
  if (problem !== undefined) results.push({ story: story.name, name: 'the story runs to its end', problem });
  // What a broken story leaves at work would be counted by the next one.
  if ((await findProblem(() => installation.rest({ limitMs: 10_000 }))) !== undefined)
    await world.discard(story.queues);
  return { story, results, seconds: (performance.now() - startedAt) / 1_000 };
}

async function findProblem(verify: () => unknown): Promise<string | undefined> {
  try {
    await verify();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 2_000) : String(error);
  }
}

interface CallCounts {
  readonly position: number;
  readonly reported: Counts;
}

/**
 * Both sides at one moment. A call that arrives in between makes it read again, and so does a run
 * that was under way: the proxy had its calls, while the run had not stored all of them yet.
 */
export async function readCounts(
  { proxy }: Pick<World, 'proxy'>,
  installation: Pick<Installation, 'reportedCalls' | 'rest'>,
  waiting: ReadonlySet<string> = new Set(),
): Promise<CallCounts> {
  for (;;) {
    const position = proxy.calls.length;
    const reported = await installation.reportedCalls();
    await installation.rest({ waiting });
    const isSettled = isDeepStrictEqual(await installation.reportedCalls(), reported);
    if (isSettled && proxy.calls.length === position && proxy.callsUnderWay() === 0) return { position, reported };
    await sleep(50);
  }
}

export function count(calls: readonly RecordedCall[]): Counts {
  const counts: Record<string, number> = {};
  for (const { operation } of calls) counts[operation] = (counts[operation] ?? 0) + 1;
  return counts;
}

/**
 * The calls that runs must report. A worker looks once at its own identity, which belongs to no
 * run: it lists its own keys, and asks who it is unless a run has done so.
 */
export function callsOfRuns(calls: readonly RecordedCall[], reported: Counts): Counts {
  const isOwnLook = ({ operation, accountId }: RecordedCall): boolean =>
    operation === 'iam.ListAccessKeys' && accountId === DEFAULT_ACCOUNT;
  const counts = { ...count(calls.filter((call) => !isOwnLook(call))) };
  const unreported = (counts[WHO_AM_I] ?? 0) - (reported[WHO_AM_I] ?? 0);
  const own = Math.min(Math.max(0, unreported), calls.filter(isOwnLook).length);
  if (own > 0) counts[WHO_AM_I] = (counts[WHO_AM_I] ?? 0) - own;
  return Object.fromEntries(Object.entries(counts).filter(([, made]) => made !== 0));
}

const WHO_AM_I = 'sts.GetCallerIdentity';

export function difference(after: Counts, before: Counts): Counts {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])].sort();
  const deltas = names.map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)] as const);
  return Object.fromEntries(deltas.filter(([, delta]) => delta !== 0));
}

/** Deep equality of plain data, with both sides in the message. */
export function expectEqual(actual: unknown, expected: unknown, more = ''): void {
  const [found, wanted] = [stable(actual), stable(expected)];
  if (found !== wanted) throw new Error(`found ${found}, expected ${wanted} ${more}`.trim());
}

export function expectTrue(isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new Error(otherwise);
}

/** JSON with sorted keys. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
