/**
 * Waits for a request's answer by reading PostgreSQL: it works on every backend and survives any
 * restart.
 */
import { setTimeout } from 'node:timers/promises';

import type { Requests, RunRow } from '../db/requests.ts';
import { formatSpan } from '../domain/span.ts';
import { JobError } from '../errors.ts';
import type { WaitOptions } from './types/run.ts';

const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 400;
const HINT_AFTER_MS = 4_000;
const DEFAULT_TIMEOUT_MS = 30 * 60_000;
const DEFAULT_UNTAKEN_TIMEOUT_MS = 120_000;

/**
 * Resolves with the run that answered the request. Throws QUEUE_TIMEOUT, and
 * QUEUE_REQUEST_CANCELLED.
 */
export async function waitForAnswer(requests: Requests, requestId: string, options: WaitOptions = {}): Promise<RunRow> {
  const startedAtMs = performance.now();
  let isHinted = false;
  let shown = '';
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 1.5)) {
    const progress = await requests.progress(requestId);
    if (progress.run) return progress.run;
    if (progress.isDone) throw new JobError('QUEUE_REQUEST_CANCELLED');
    const report = JSON.stringify(progress.progress);
    if (progress.progress && report !== shown) options.onProgress?.(progress.progress);
    shown = report;
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
  const { timeoutMs = DEFAULT_TIMEOUT_MS, untakenTimeoutMs = DEFAULT_UNTAKEN_TIMEOUT_MS } = options;
  if (!isTaken && waitedMs > untakenTimeoutMs) {
    throw new JobError('QUEUE_TIMEOUT', {
      message: `No worker took the request within ${formatSpan(untakenTimeoutMs / 1_000)}. It stays recorded, and the next free worker does it.`,
    });
  }
  if (waitedMs > timeoutMs)
    throw new JobError('QUEUE_TIMEOUT', { message: `No result within ${formatSpan(timeoutMs / 1_000)}.` });
}
