export interface PoolOptions {
  /** How many items are worked on at once; asked again after each of them where it may change. */
  readonly concurrency: number | (() => number);
  mayStart(): boolean;
}

/**
 * Works through a list with bounded concurrency; what was started is always finished before it
 * returns.
 */
export async function forEachPooled<T>(
  items: readonly T[],
  { concurrency, mayStart }: PoolOptions,
  work: (item: T) => Promise<void>,
): Promise<{ readonly isComplete: boolean }> {
  const limit = typeof concurrency === 'number' ? () => concurrency : concurrency;
  const runners: Promise<void>[] = [];
  const failures: unknown[] = [];
  let open = 0;
  let next = 0;
  const isOpen = () => next < items.length && mayStart();
  const startMore = () => {
    while (open < limit() && isOpen()) {
      open += 1;
      runners.push(runner().catch((error: unknown) => void failures.push(error)));
    }
  };
  const runner = async (): Promise<void> => {
    try {
      while (open <= limit() && isOpen()) {
        const item = items[next] as T;
        next += 1;
        await work(item);
        startMore();
      }
    } finally {
      open -= 1;
    }
  };
  startMore();
  // Runners that start later are appended, and waited for as well.
  for (const one of runners) await one;
  if (failures.length > 0) throw failures[0];
  return { isComplete: next >= items.length };
}

export function chunk<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
