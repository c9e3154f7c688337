/**
 * Pulls what is due, every few seconds and at once when somebody asks. Any number of processes may do so: the claim gives each source to one of them.
 * A crash costs the lease, nothing else. Nothing is pulled while the worker is guarded.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { ClaimedSource, Sources } from '../../db/sources.ts';
import { jitteredMs } from '../../domain/backoff.ts';
import { toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import type { Pull } from './pull.ts';

export interface PullerDependencies {
  readonly sources: Pick<Sources, 'claim'>;
  readonly pull: Pull;
  /** Throws DB_GUARDED while the database may be older than what it speaks about. */
  requireUnguarded(): void;
  readonly log: Log;
  readonly everyMs?: number;
  random(): number;
}

export interface Puller {
  /** Looks for due sources now. */
  wake(): void;
  /** Resolves when no pull is under way any more, or after `deadlineMs`: the lease is for the rest. */
  stop(deadlineMs?: number): Promise<void>;
}

/** Sources that one process reads at once. */
const PLACES = 8;
const EVERY_MS = 3_000;
const SPREAD = 0.2;
const STOP_DEADLINE_MS = 25_000;

export function startPuller(deps: PullerDependencies): Puller {
  const active = new Set<Promise<void>>();
  let looking: Promise<void> | undefined;
  let isWanted = false;
  let hasBacklog = false;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  function start(claimed: ClaimedSource): void {
    const one = pullQuietly(deps, claimed).finally(() => {
      active.delete(one);
      if (hasBacklog) wake();
    });
    active.add(one);
  }

  async function look(): Promise<void> {
    while (isWanted && !isStopped && active.size < PLACES) {
      isWanted = false;
      if (isGuarded(deps)) return;
      const places = PLACES - active.size;
      const claimed = await deps.sources.claim(places);
      hasBacklog = claimed.length === places;
      claimed.forEach(start);
    }
  }

  function wake(): void {
    isWanted = true;
    if (isStopped || looking) return;
    looking = look()
      .catch((error: unknown) => {
        deps.log.warn({ err: toJobError(error) }, 'due sources cannot be looked up');
      })
      .finally(() => {
        looking = undefined;
        // Somebody asked after the last look had begun to end.
        if (isWanted && active.size < PLACES) wake();
      });
  }

  function beat(): void {
    wake();
    timer = setTimeout(beat, jitteredMs(deps.everyMs ?? EVERY_MS, SPREAD, deps.random()));
    timer.unref();
  }

  beat();
  return {
    wake,
    async stop(deadlineMs = STOP_DEADLINE_MS) {
      isStopped = true;
      clearTimeout(timer);
      const ended = (async () => {
        await looking;
        await Promise.all(active);
      })();
      await Promise.race([ended, sleep(deadlineMs, undefined, { ref: false })]);
    },
  };
}

function isGuarded({ requireUnguarded }: PullerDependencies): boolean {
  try {
    requireUnguarded();
    return false;
  } catch {
    return true;
  }
}

/** What a pull cannot settle (the database is away) is left to the lease. */
async function pullQuietly({ pull, log }: PullerDependencies, claimed: ClaimedSource): Promise<void> {
  try {
    await pull(claimed);
  } catch (error) {
    log.warn({ err: toJobError(error), folderId: claimed.folder.id }, 'a pull could not be settled');
  }
}
