/** Lost updates: a change is written only over the version that it was made from. */
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

export function isEmpty(changes: object): boolean {
  return Object.values(changes).every((value) => value === undefined);
}
