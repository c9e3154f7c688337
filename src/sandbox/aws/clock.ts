/**
 * Time in the sandbox. Everything the model dates or waits for (sessions, recovery windows,
 * propagation) reads `now()`, which tests move with `advance`. Signatures are the exception: they
 * are judged by the wall clock, because the SDK signs with the real time of its own process;
 * `serverSkewMs` makes AWS's clock differ from it.
 */
export interface SandboxClock {
  now(): Date;
  advance(ms: number): void;
}

/**
 * Follows the real clock plus whatever `advance` added; with `startAt` it is stopped until
 * advanced.
 */
export function createSandboxClock(options: { startAt?: Date } = {}): SandboxClock {
  let offsetMs = 0;
  const { startAt } = options;
  return {
    now: () => new Date((startAt ? startAt.getTime() : Date.now()) + offsetMs),
    advance: (ms) => {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError(`advance takes milliseconds >= 0, got ${String(ms)}`);
      offsetMs += ms;
    },
  };
}
