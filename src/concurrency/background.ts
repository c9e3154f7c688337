export interface Background {
  add(work: Promise<void>): void;
  /** Resolves when all of it has ended; throws what failed first. */
  ended(): Promise<void>;
}

/** Work that nobody waits for until its end is asked for. */
export function createBackground(): Background {
  const started: Promise<void>[] = [];
  const failures: unknown[] = [];
  return {
    add: (work) => {
      started.push(work.catch((error: unknown) => void failures.push(error)));
    },
    async ended() {
      await Promise.all(started);
      if (failures.length > 0) throw failures[0];
    },
  };
}
