/** Numbers with what they count, as people read them. Pure. */

/** `12,345` */
export function formatNumber(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1 change`, `2 changes`; `plural` for nouns with another plural than an `s`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatNumber(count)} ${count === 1 ? noun : plural}`;
}

/**
 * `3 created, 1 conflict`; what is 0 is left out. Of the words for a run's counts only `conflicts`
 * has a singular.
 */
export function describeCounts(counts: object | null): string {
  return Object.entries(counts ?? {})
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] > 0)
    .map(([name, count]) => (name === 'conflicts' ? counted(count, 'conflict') : `${formatNumber(count)} ${name}`))
    .join(', ');
}
