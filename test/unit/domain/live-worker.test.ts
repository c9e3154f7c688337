/**
 * Whether anybody works, as people read it: the headline never says more than the rows below it.
 */
import { expect, it } from 'vitest';

import { summarizeWorkers, type LiveWorker } from '../../../src/domain/live-worker.ts';

const now = new Date('2026-01-31T12:00:00Z');
const secondsAgo = (seconds: number) => new Date(now.getTime() - seconds * 1_000);
const worker = (times: Partial<LiveWorker>): LiveWorker => ({
  ...{ name: 'host-1', version: '0.1.0', queues: ['sync'], running: {}, startedAt: secondsAgo(900) },
  ...{ seenAt: secondsAgo(5), stoppedAt: null },
  ...times,
});

it.each([
  ['one reports itself', [worker({})], 30, true],
  ['the only one was killed a minute ago', [worker({ seenAt: secondsAgo(60) })], 60, false],
  ['it counted for the guard after its last report', [worker({ seenAt: secondsAgo(60) })], 55, false],
  ['the only one ended in order', [worker({ seenAt: secondsAgo(60), stoppedAt: secondsAgo(20) })], 30, false],
  [
    'one of an older release, which does not report itself, counted since',
    [worker({ seenAt: secondsAgo(90) })],
    20,
    true,
  ],
  ['none reports itself, and one counted', [], 100, true],
  ['none counted for three minutes', [], 180, false],
] as const)('%s', (_what, workers, counted, areRunning) => {
  expect(summarizeWorkers(workers, secondsAgo(counted), now).areRunning).toBe(areRunning);
});
