/**
 * Gathers single requests that come while an earlier batch is under way into the next one: one
 * round trip for many.
 */

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

/**
 * `perform` answers in the order of its items, all or nothing. One batch at a time, of at most
 * `limit` items. A batch that fails is repeated item by item, so that a bad item fails alone:
 * batches are shared by callers that do not know each other.
 */
export function createBatcher<I, O>(
  limit: number,
  perform: (items: readonly I[]) => Promise<readonly O[]>,
): Batcher<I, O> {
  const waiting: Waiting<I, O>[] = [];
  let isRunning = false;

  async function drain(): Promise<void> {
    isRunning = true;
    // Whoever asks in the same turn of the event loop goes into the first batch.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.splice(0, limit);
      await performBatch(batch);
    }
    isRunning = false;
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
