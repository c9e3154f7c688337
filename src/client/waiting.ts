/** Waits for a request's answer by reading PostgreSQL: it works on every backend and survives any restart. */
import { setTimeout } from 'node:timers/promises';

import type { Requests, RunRow } from '../db/requests.ts';
import { JobError } from '../errors.ts';

export interface WaitOptions {
  /** Gives up after this long; the request stays recorded and is done later. */
  readonly timeoutMs?: number;
  /** Gives up when no worker took the request within this long. */
  readonly untakenTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Told once when no worker has taken the request for a few seconds. */
  onUntaken?(): void;
}

const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 400;
const HINT_AFTER_MS = 4_000;
const DEFAULT_TIMEOUT_MS = 30 * 60_000;
const DEFAULT_UNTAKEN_TIMEOUT_MS = 120_000;

/** Resolves with the run that answered the request. Throws QUEUE_UNAVAILABLE when nobody does in time. */
export async function waitForAnswer(requests: Requests, requestId: string, options: WaitOptions = {}): Promise<RunRow> {
  const startedAtMs = performance.now();
  let isHinted = false;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 1.5)) {
    const progress = await requests.progress(requestId);
    if (progress.run) return progress.run;
    if (progress.isDone) throw new JobError('PAYLOAD_INVALID', { message: 'The request was cancelled.' });
    const waitedMs = performance.now() - startedAtMs;
    if (!progress.isTaken && waitedMs > HINT_AFTER_MS && !isHinted) {
      isHinted = true;
      options.onUntaken?.();
    }
    refuseEndless({ isTaken: progress.isTaken, waitedMs }, options);
    await setTimeout(pauseMs, undefined, options.signal ? { signal: options.signal } : {});
  }
}

function refuseEndless({ isTaken, waitedMs }: { isTaken: boolean; waitedMs: number }, options: WaitOptions): void {
  if (!isTaken && waitedMs > (options.untakenTimeoutMs ?? DEFAULT_UNTAKEN_TIMEOUT_MS)) {
    throw new JobError('QUEUE_UNAVAILABLE', {
      message: 'No worker took the request. It stays recorded; start a worker with `keyferry worker`.',
    });
  }
  if (waitedMs > (options.timeoutMs ?? DEFAULT_TIMEOUT_MS)) {
    throw new JobError('QUEUE_UNAVAILABLE', {
      message: 'The answer did not come in time. The request stays recorded and is done later.',
    });
  }
}
