/** Times as people say them. Pure. */
const units: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/**
 * `40 s`, `7 min`, `1 h 15 min`, `30 d`: the largest unit that fits, and the next one while the
 * first is small.
 */
export function formatSpan(seconds: number): string {
  const whole = Math.floor(Math.abs(seconds));
  const found = units.findIndex(([, size]) => whole >= size);
  const [name, size] = units[found] ?? ['s', 1];
  const count = Math.floor(whole / size);
  const [nextName, nextSize] = units[found + 1] ?? ['', 0];
  const rest = nextSize === 0 ? 0 : Math.floor((whole % size) / nextSize);
  const isFine = count < 3 && rest > 0 && name !== 'min';
  return isFine ? `${String(count)} ${name} ${String(rest)} ${nextName}` : `${String(count)} ${name}`;
}

/** `7 min ago`, `in 3 h`, `now`. */
export function formatRelative(at: Date, now: Date): string {
  const seconds = (now.getTime() - at.getTime()) / 1_000;
  if (Math.abs(seconds) < 5) return 'now';
  return seconds > 0 ? `${formatSpan(seconds)} ago` : `in ${formatSpan(seconds)}`;
}
