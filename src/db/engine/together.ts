/**
 * Statements that many jobs want at the same time become one: a round trip, a plan and a flush of
 * the log for all of them. A row that another transaction has locked is left out and gets its own
 * statement, so that nobody waits for an unrelated lock, and no two processes wait for each other.
 */
import { sql, type SQL } from 'drizzle-orm';

import { createBatcher } from '../../concurrency/batcher.ts';
import { toJobError } from '../../errors.ts';
import { untilAsSeen } from './subjects.ts';

/** How a statement takes the rows that it is about. */
export const rowLocks = {
  /** Skips what is locked. */
  free: sql`for update of t skip locked`,
  /** Waits: for one row only, or two such statements could wait for each other. */
  wait: sql`for update of t`,
} as const satisfies Readonly<Record<string, SQL>>;

export type RowLock = keyof typeof rowLocks;

export interface Together<I, O> {
  /** In the order of the items; undefined for what was skipped. */
  many(items: readonly I[]): Promise<readonly (O | undefined)[]>;
  /** Undefined when another transaction changed the row first: it is repeated. */
  alone(item: I): Promise<O | undefined>;
}

/** As many as a process runs at once, and a statement of bounded size. */
export const AT_ONCE = 100;

export function together<I, O>({ many, alone }: Together<I, O>): (item: I) => Promise<O> {
  const manyOrNone = async (items: readonly I[]): Promise<readonly (O | undefined)[]> => {
    try {
      return await many(items);
    } catch (error) {
      if (toJobError(error).code === 'DB_UNAVAILABLE') throw error;
      // One item breaks the statement: the others must not fail with it.
      return items.map(() => undefined);
    }
  };
  const perform = createBatcher<I, O | undefined>(AT_ONCE, manyOrNone, { gathers: true });
  return async (item) => (await perform(item)) ?? untilAsSeen(() => alone(item));
}
