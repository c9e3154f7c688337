/**
 * Loaded into a process before all else: SIGSTOP and SIGCONT become to it what the suspension of a
 * virtual machine is. Its monotonic clock and its timers stop meanwhile; its wall clock and the
 * rest of the world continue.
 */
const SUSPENDED_MS = 8_000;
const real = { now: performance.now.bind(performance), setTimeout, setInterval };
let seenMs = real.now();
let suspendedMs = 0;

function now() {
  const ms = real.now();
  if (ms - seenMs > SUSPENDED_MS) suspendedMs += ms - seenMs;
  seenMs = ms;
  return ms - suspendedMs;
}
performance.now = now;
real.setInterval(now, 100).unref();

/** One that is due by the real clock only waits once more. */
globalThis.setTimeout = Object.assign((act, delayMs = 0, ...given) => {
  const dueMs = now() + delayMs;
  const timer = real.setTimeout(() => {
    if (now() < dueMs - 5) timer.refresh();
    else act(...given);
  }, delayMs);
  return timer;
}, setTimeout);

globalThis.setInterval = (act, everyMs, ...given) => {
  let lastMs = now();
  return real.setInterval(() => {
    if (now() - lastMs < everyMs / 2) return;
    lastMs = now();
    act(...given);
  }, everyMs);
};
