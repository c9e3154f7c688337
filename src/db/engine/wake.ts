/**
 * Wake-ups after something became due. A lost one costs a tick, nothing else.
 *
 * Producers wake after their statement, with `wake`: PostgreSQL lets transactions that notify
 * commit only one after the other, each with its own flush to disk, which would bound all of them
 * together to a few hundred wishes a second. One wake-up covers all wishes before it, so a process
 * sends one at a time. Statements that are rare, or that workers make, notify by themselves, with
 * `wakes`.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Kind } from '../../domain/run.ts';
import type { Database } from '../client.ts';
import { DUE_CHANNEL } from './subjects.ts';

/**
 * An expression that wakes whoever listens once its statement is committed; evaluated once a row.
 */
export function wakes(kind: string): SQL {
  return sql`pg_notify(${DUE_CHANNEL}, ${kind})`;
}

interface Sending {
  isWantedAgain: boolean;
}

const sending = new WeakMap<Database, Map<Kind, Sending>>();

/** Returns at once: nobody waits for a wake-up. */
export function wake(db: Database, kind: Kind): void {
  const kinds = sending.get(db) ?? new Map<Kind, Sending>();
  sending.set(db, kinds);
  const current = kinds.get(kind);
  if (current) current.isWantedAgain = true;
  else void send(db, kind, kinds);
}

async function send(db: Database, kind: Kind, kinds: Map<Kind, Sending>): Promise<void> {
  const state = { isWantedAgain: true };
  kinds.set(kind, state);
  try {
    while (state.isWantedAgain) {
      state.isWantedAgain = false;
      await db.execute(sql`select ${wakes(kind)}`);
    }
  } catch {
    // The next tick finds it.
  } finally {
    kinds.delete(kind);
  }
}
