/**
 * Gathers single requests that come while an earlier batch is under way into the next one: one
 * round trip for many.
 */

import { setTimeout } from 'node:timers/promises';

import { toJobError, type ErrorCode } from '../errors.ts';

export type Batcher<I, O> = (item: I) => Promise<O>;

interface Waiting<I, O> {
  readonly item: I;
  resolve(result: O): void;
  reject(error: unknown): void;
}

/**
 * One bad item may have failed the batch. An outage, a lost lease or a refusal by AWS fails each of
 * them alike.
 */
const failuresOfItems: ReadonlySet<ErrorCode> = new Set(['BUG_UNEXPECTED', 'PAYLOAD_INVALID', 'AWS_REJECTED']);

function mayBeOneItem(error: unknown): boolean {
  return failuresOfItems.has(toJobError(error).code);
}

interface BatcherOptions {
  /**
   * For batches that cost about the same whatever their size: after one that was shared, the next
   * waits while more keep coming, a few times as long as that one took. A request that comes alone
   * never waits.
   */
  readonly gathers?: boolean;
}

/** In lengths of the batch before, and at most. */
const GATHERING = 4;
const GATHERING_MS = 20;

/**
 * `perform` answers in the order of its items, all or nothing. One batch at a time, of at most
 * `limit` items. A batch that fails is repeated item by item, so that a bad item fails alone:
 * batches are shared by callers that do not know each other.
 */
export function createBatcher<I, O>(
  limit: number,
  perform: (items: readonly I[]) => Promise<readonly O[]>,
  { gathers = false }: BatcherOptions = {},
): Batcher<I, O> {
  const waiting: Waiting<I, O>[] = [];
  let isRunning = false;

  async function drain(): Promise<void> {
    isRunning = true;
    // Whoever asks in the same turn of the event loop goes into the first batch.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.splice(0, limit);
      const startedAtMs = performance.now();
      await performBatch(batch);
      if (gathers && batch.length > 1) await gather(performance.now() - startedAtMs);
    }
    isRunning = false;
  }

  /** Until nobody has come for half as long as the last batch took. */
  async function gather(tookMs: number): Promise<void> {
    const endsAtMs = performance.now() + Math.min(GATHERING_MS, GATHERING * tookMs);
    let known: number;
    do {
      known = waiting.length;
      await setTimeout(Math.max(1, tookMs / 2));
    } while (waiting.length > known && waiting.length < limit && performance.now() < endsAtMs);
  }

  async function performBatch(batch: readonly Waiting<I, O>[]): Promise<void> {
    try {
      const results = await perform(batch.map((one) => one.item));
      batch.forEach((one, index) => {
        one.resolve(results[index] as O);
      });
    } catch (error) {
      if (batch.length > 1 && mayBeOneItem(error)) await performOneByOne(batch);
      else for (const one of batch) one.reject(error);
    }
  }

  async function performOneByOne(batch: readonly Waiting<I, O>[]): Promise<void> {
    for (const one of batch) await performBatch([one]);
  }

  return (item) =>
    new Promise<O>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (!isRunning) void drain();
    });
}
