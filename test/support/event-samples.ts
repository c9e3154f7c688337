/**
 * The bodies that docs/events.md shows, by event, and the form of a body: its fields and the types
 * of their values.
 */
import { readFileSync } from 'node:fs';

const page = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');

interface Sample {
  readonly type: string;
  readonly data: unknown;
}

export const eventSamples: Readonly<Record<string, Sample>> = Object.fromEntries(
  [...page.matchAll(/```json\n([\s\S]*?)```/g)]
    .map((match) => JSON.parse(match[1] ?? '') as Partial<Sample>)
    .flatMap((sample) => (sample.type === undefined ? [] : [[sample.type, sample as Sample]])),
);

/** Of a list, that of its first element. */
export function formOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [formOf(value[0])];
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, formOf(one)]));
}
