/** Works through a list with bounded concurrency; what was started is always finished before it returns. */
export async function forEachPooled<T>(
  items: readonly T[],
  options: { readonly concurrency: number; mayStart(): boolean },
  work: (item: T) => Promise<void>,
): Promise<{ readonly isComplete: boolean }> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length && options.mayStart()) {
      const item = items[next] as T;
      next += 1;
      await work(item);
    }
  };
  const lanes = Array.from({ length: Math.min(options.concurrency, items.length) }, lane);
  const results = await Promise.allSettled(lanes);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) throw failure.reason;
  return { isComplete: next >= items.length };
}

export function chunk<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
