/** Gathers single requests that come while an earlier batch is under way into the next one: one round trip for many. */

export type Batcher<I, O> = (item: I) => Promise<O>;

interface Waiting<I, O> {
  readonly item: I;
  resolve(result: O): void;
  reject(error: unknown): void;
}

/** `perform` answers in the order of its items. One batch at a time, of at most `limit` items. */
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
      try {
        const results = await perform(batch.map((one) => one.item));
        batch.forEach((one, index) => {
          one.resolve(results[index] as O);
        });
      } catch (error) {
        for (const one of batch) one.reject(error);
      }
    }
    isRunning = false;
  }

  return (item) =>
    new Promise<O>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (!isRunning) void drain();
    });
}
