/**
 * One contestant and one case: all works one after the other, each measured, counted at AWS and
 * compared with what should be there.
 */
import { countCalls, countLost, type Place } from './place.ts';
import type { Peer, Sample, Work } from './results.ts';

/** What the process that did the work took for it. */
export type Effort = Pick<Sample, 'seconds' | 'cpuSeconds' | 'peakMb'>;

export interface Session {
  perform(work: Work): Promise<Effort>;
  close(): Promise<void>;
}

export interface Contestant {
  readonly peer: Peer;
  open(place: Place): Promise<Session>;
}

export async function compete(
  contestant: Contestant,
  place: Place,
  works: readonly Work[],
): Promise<ReadonlyMap<Work, Sample>> {
  const session = await contestant.open(place);
  try {
    const samples = new Map<Work, Sample>();
    for (const work of works) samples.set(work, await measure(session, place, work));
    return samples;
  } finally {
    await session.close();
  }
}

async function measure(session: Session, place: Place, work: Work): Promise<Sample> {
  const before = await countCalls(place);
  const effort = await session.perform(work);
  const after = await countCalls(place);
  return {
    ...effort,
    calls: after.calls - before.calls,
    throttled: after.throttled - before.throttled,
    lost: await countLost(place, work),
  };
}
