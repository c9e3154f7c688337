/** How one attempt of a call is given up: by its deadline, or because its run must stop. */

/**
 * The older form of a signal, which the SDK's request handlers take as well: listening on an
 * AbortSignal costs more than all else that keyferry does for a call.
 */
export interface CallSignal {
  aborted: boolean;
  reason: unknown;
  /** Set by the request handler. */
  onabort: (() => void) | null;
}

export interface CallEnd {
  readonly signal: CallSignal;
  /** Fails with the first reason; nobody need wait for it. */
  readonly aborted: Promise<never>;
  abort(reason: Error): void;
  throwIfAborted(): void;
}

export function createCallEnd(): CallEnd {
  const signal: CallSignal = { aborted: false, reason: undefined, onabort: null };
  let fail: (reason: Error) => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  aborted.catch(() => undefined);
  return {
    signal,
    aborted,
    abort(reason) {
      if (signal.aborted) return;
      Object.assign(signal, { aborted: true, reason });
      fail(reason);
      signal.onabort?.();
    },
    throwIfAborted() {
      if (signal.aborted) throw signal.reason;
    },
  };
}
