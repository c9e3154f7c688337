/**
 * Values that are kept for a time and for a number of uses; whoever asks meanwhile waits for the
 * same answer. A failure is not kept.
 */

export interface CacheBounds {
  readonly maxAgeMs: number;
  readonly maxUses: number;
  /** What was used longest ago goes first. */
  readonly maxEntries: number;
  nowMs(): number;
}

interface Entry<T> {
  readonly value: Promise<T>;
  readonly expiresAtMs: number;
  uses: number;
}

export function createBoundedCache<T>({ maxAgeMs, maxUses, maxEntries, nowMs }: CacheBounds) {
  const entries = new Map<string, Entry<T>>();
  const open = (name: string, load: () => Promise<T>): Entry<T> => {
    const entry: Entry<T> = { value: load(), expiresAtMs: nowMs() + maxAgeMs, uses: 0 };
    entry.value.catch(() => {
      if (entries.get(name) === entry) entries.delete(name);
    });
    return entry;
  };
  return {
    get(name: string, load: () => Promise<T>): Promise<T> {
      const known = entries.get(name);
      const isFresh = known !== undefined && nowMs() < known.expiresAtMs && known.uses < maxUses;
      const entry = isFresh ? known : open(name, load);
      entry.uses += 1;
      entries.delete(name);
      entries.set(name, entry);
      if (entries.size > maxEntries) entries.delete(entries.keys().next().value ?? '');
      return entry.value;
    },
  };
}
