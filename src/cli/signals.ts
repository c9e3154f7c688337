/**
 * If anything hangs during shutdown, the process ends all the same: leases and redelivery take care
 * of the rest.
 */
export function endInTime(): void {
  setTimeout(() => process.exit(process.exitCode ?? 1), 30_000).unref();
}

/** Waits for SIGTERM or SIGINT; a second signal ends the process at once. */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isAsked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (isAsked) process.exit(signal === 'SIGINT' ? 130 : 143);
      isAsked = true;
      endInTime();
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
