/**
 * The witness compares what reached AWS with what runs report: both sides must be of one moment, at
 * which no run is under way.
 */
import { expect, it } from 'vitest';

import type { RecordedCall } from '../../witness/aws/proxy.ts';
import type { Counts } from '../../witness/installation.ts';
import { readCounts } from '../../witness/story.ts';

const call: RecordedCall = {
  operation: 'ssm.PutParameter',
  accessKeyId: 'AKIAEXAMPLE',
  region: 'eu-west-1',
  accountId: '200000000001',
  error: undefined,
  isLost: false,
};

/** `reported`: what the runs have stored, look by look; the last one stays. */
function open(reported: readonly number[], underWay: readonly number[] = [0]) {
  const calls = [call, call];
  let [looks, asked] = [0, 0];
  const at = (series: readonly number[], index: number) => series[Math.min(index, series.length - 1)] ?? 0;
  return readCounts(
    { proxy: { calls, callsUnderWay: () => at(underWay, asked++) } as never },
    {
      reportedCalls: () => Promise.resolve<Counts>({ 'ssm.PutParameter': at(reported, looks++) }),
      rest: () => Promise.resolve(),
    },
  );
}

it('are not those of a run that has stored only a part of its calls', async () => {
  const counts = await open([1, 2, 2, 2]);
  expect(counts).toEqual({ position: 2, reported: { 'ssm.PutParameter': 2 } });
});

it('are read again while a call is under way', async () => {
  const counts = await open([1, 1, 2, 2], [1, 0]);
  expect(counts.reported).toEqual({ 'ssm.PutParameter': 2 });
});
