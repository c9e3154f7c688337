/**
 * Queues the pulls of due sources, every few seconds and immediately on request. Any number of
 * processes may do so: the dispatch gives each source to one of them. A crash costs a lease,
 * nothing else. Nothing is queued while the worker is guarded.
 */
import type { Queue } from 'bullmq';

import type { Sources } from '../../db/sources.ts';
import { jitteredMs } from '../../domain/backoff.ts';
import { toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { enqueue } from '../../queues/enqueue.ts';

export interface PullerDependencies {
  readonly sources: Pick<Sources, 'dispatch' | 'undispatch'>;
  /** The queue of syncs. */
  queue(): Queue;
  /** While the database may be older than the state of AWS. */
  isGuarded(): boolean;
  readonly log: Log;
  readonly everyMs?: number;
  random(): number;
}

export interface Puller {
  /** Dispatches due sources now. */
  wake(): void;
  /** Resolves when no dispatch is under way any more. */
  stop(): Promise<void>;
}

const BATCH = 500;
const EVERY_MS = 3_000;
const SPREAD = 0.2;

export function startPuller(deps: PullerDependencies): Puller {
  let looking: Promise<void> | undefined;
  let isWanted = false;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    while (isWanted && !isStopped) {
      isWanted = false;
      if (!deps.isGuarded()) await dispatch(deps);
    }
  }

  function wake(): void {
    isWanted = true;
    if (isStopped || looking) return;
    looking = look()
      .catch((error: unknown) => {
        deps.log.warn({ err: toJobError(error) }, 'due sources cannot be queued');
      })
      .finally(() => {
        looking = undefined;
      });
  }

  function wakeRepeatedly(): void {
    wake();
    timer = setTimeout(wakeRepeatedly, jitteredMs(deps.everyMs ?? EVERY_MS, SPREAD, deps.random()));
    timer.unref();
  }

  wakeRepeatedly();
  return {
    wake,
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

async function dispatch({ sources, queue }: PullerDependencies): Promise<void> {
  const due = await sources.dispatch(BATCH);
  if (due.length === 0) return;
  const jobs = due.map(({ id, isAsked }) => ({
    id,
    reason: isAsked ? ('requested' as const) : ('scheduled' as const),
    requestedBy: undefined,
    traceparent: undefined,
    isPatient: false,
  }));
  try {
    await enqueue(queue(), 'pull', jobs);
  } catch (error) {
    await sources.undispatch(due.map(({ id }) => id));
    throw error;
  }
}
