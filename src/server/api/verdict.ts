/**
 * Waiting for the verdict on a new connection: the number of concurrent requests per org is
 * limited, since each holds a connection of the server.
 */
const MAX_WAITING = 10;

export interface Waiting {
  /**
   * Runs `work` with the time that it may wait: none when too many requests of the org wait
   * already.
   */
  within<T>(orgId: string, waitSeconds: number, work: (waitSeconds: number) => Promise<T>): Promise<T>;
}

export function createWaiting(): Waiting {
  const waiting = new Map<string, number>();
  const add = (orgId: string, one: 1 | -1) => {
    const count = (waiting.get(orgId) ?? 0) + one;
    if (count === 0) waiting.delete(orgId);
    else waiting.set(orgId, count);
  };
  return {
    async within(orgId, waitSeconds, work) {
      if (waitSeconds === 0 || (waiting.get(orgId) ?? 0) >= MAX_WAITING) return work(0);
      add(orgId, 1);
      try {
        return await work(waitSeconds);
      } finally {
        add(orgId, -1);
      }
    },
  };
}
