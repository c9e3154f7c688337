/**
 * Credentials that expire, one entry per key: loaded once however many ask at a time, renewed in
 * the background before they run out, dropped when AWS calls them expired. A failed renewal keeps
 * what is still valid; a failed first load is not remembered, so that a repaired role works at
 * once. Never returns what is about to expire.
 */

export interface Expiring {
  readonly obtainedAtMs: number;
  readonly expiresAtMs: number;
}

interface Entry<T> {
  value?: T;
  pending?: Promise<T>;
  /** Renewed in the background from here on. */
  renewAtMs: number;
}

export interface SessionCache<T extends Expiring> {
  get(key: string, load: () => Promise<T>): Promise<T>;
  /** Loads past the cache and seeds it. */
  refresh(key: string, load: () => Promise<T>): Promise<T>;
  /** What is cached now, without loading. */
  peek(key: string): T | undefined;
  /** Drops what was obtained before `sinceMs`; a value that somebody renewed meanwhile stays. */
  forget(key: string, sinceMs: number): void;
}

/** A call may still be under way this long after it was signed. */
const EXPIRY_MARGIN_MS = 60_000;
const RENEW_AGAIN_MS = 30_000;

interface CacheOptions {
  readonly maxEntries: number;
  nowMs(): number;
  random(): number;
}

export function createSessionCache<T extends Expiring>(options: CacheOptions): SessionCache<T> {
  const entries = new Map<string, Entry<T>>();

  function store(key: string, value: T): T {
    const lifetime = value.expiresAtMs - value.obtainedAtMs;
    entries.delete(key);
    // 75 to 85 %: sessions that began together are not renewed together.
    entries.set(key, { value, renewAtMs: value.obtainedAtMs + lifetime * (0.75 + 0.1 * options.random()) });
    while (entries.size > options.maxEntries) entries.delete(entries.keys().next().value ?? '');
    return value;
  }

  function load(key: string, entry: Entry<T>, loader: () => Promise<T>): Promise<T> {
    entry.pending ??= loader()
      .then((value) => store(key, value))
      .catch((error: unknown) => {
        delete entry.pending;
        entry.renewAtMs = options.nowMs() + RENEW_AGAIN_MS;
        if (entry.value === undefined && entries.get(key) === entry) entries.delete(key);
        throw error;
      });
    return entry.pending;
  }

  return {
    async get(key, loader) {
      const entry = entries.get(key) ?? { renewAtMs: 0 };
      // Re-inserted: the map's order is the order of use.
      entries.delete(key);
      entries.set(key, entry);
      const { value } = entry;
      if (value === undefined || value.expiresAtMs - EXPIRY_MARGIN_MS <= options.nowMs())
        return load(key, entry, loader);
      // A caller that needs the renewed session gets the error; this session is still valid.
      if (entry.renewAtMs <= options.nowMs()) load(key, entry, loader).catch(() => undefined);
      return value;
    },
    async refresh(key, loader) {
      return store(key, await loader());
    },
    peek: (key) => entries.get(key)?.value,
    forget(key, sinceMs) {
      const value = entries.get(key)?.value;
      if (value && value.obtainedAtMs <= sinceMs) entries.delete(key);
    },
  };
}
