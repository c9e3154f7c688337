/** Lost updates: a change is written only over the version that it was made from. */
import { isDeepStrictEqual } from 'node:util';

import { JobError } from '../errors.ts';
import type { UpdateOptions } from './types/subject.ts';

interface Versioned {
  readonly name: string;
  readonly version: number;
}

interface Steps<Row extends Versioned> {
  read(): Promise<Row>;
  /** Undefined when the row changed since it was read. */
  write(row: Row): Promise<Row | undefined>;
}

/** Each try loses against a change of somebody else that was written. */
const MAX_TRIES = 20;

/** Reads, changes and writes until nobody was faster. Throws PAYLOAD_STALE. */
export async function updateVersion<Row extends Versioned>(
  { read, write }: Steps<Row>,
  { ifVersion }: UpdateOptions,
): Promise<Row> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const row = await read();
    requireVersion(row, ifVersion);
    const updated = await write(row);
    if (updated !== undefined) return updated;
  }
  throw new JobError('PAYLOAD_STALE');
}

export function requireVersion({ name, version }: Versioned, expected: UpdateOptions['ifVersion']): void {
  if (expected === undefined || [expected].flat().includes(version)) return;
  throw new JobError('PAYLOAD_STALE', {
    message: `${name} was changed in the meantime: it is at version ${String(version)}. Read it again, then repeat the change.`,
    context: { version },
  });
}

/** What a change would set otherwise than it is: setting the same again is no change. */
export function otherThan<T extends object>(present: object, changes: T): Partial<T> {
  const now: Readonly<Record<string, unknown>> = { ...present };
  const others = Object.entries(changes).filter(([name, value]) => !isSame(now[name], value));
  return Object.fromEntries(others) as Partial<T>;
}

/** As it is stored: an absent field and an undefined one are the same. */
function isSame(present: unknown, value: unknown): boolean {
  return value === undefined || isDeepStrictEqual(plain(present), plain(value));
}

const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

export function isEmpty(changes: object): boolean {
  return Object.values(changes).every((value) => value === undefined);
}
