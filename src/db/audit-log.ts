/**
 * The audit trail: a row before a change is made, its outcome afterwards. Rows of requests that come at the same time go to PostgreSQL in one
 * statement, so that the trail costs little when there is much to do; each request still waits until its own row is there.
 */
import { sql } from 'drizzle-orm';

import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';

export interface AuditEntry {
  /** Undefined for operators, who stand above the orgs. */
  readonly orgId: string | undefined;
  readonly actor: string;
  readonly via: 'api' | 'board';
  readonly action: string;
  readonly subject: string | undefined;
  readonly requestId: string;
}

export interface AuditLog {
  /** Resolves once the row is there: only then may the change begin. */
  record(entry: AuditEntry): Promise<void>;
  /** How the request ended, and the id of what it made. */
  settle(outcome: AuditOutcome): Promise<void>;
}

export interface AuditOutcome {
  readonly requestId: string;
  /** HTTP status. */
  readonly statusCode: number;
  readonly subject?: string | undefined;
}

export function createAuditLog(db: Database): AuditLog {
  return {
    record: batched((entries: readonly AuditEntry[]) => insert(db, entries)),
    settle: batched((outcomes: readonly AuditOutcome[]) => settle(db, outcomes)),
  };
}

/** Collects what is added while the previous batch is on its way. */
function batched<T>(flush: (items: readonly T[]) => Promise<void>): (item: T) => Promise<void> {
  let waiting: T[] = [];
  let next: Promise<void> | undefined;
  let running: Promise<void> = Promise.resolve();
  const start = async (): Promise<void> => {
    await running.catch(() => undefined);
    const items = waiting;
    waiting = [];
    next = undefined;
    running = flush(items);
    await running;
  };
  return (item) => {
    waiting.push(item);
    next ??= start();
    return next;
  };
}

async function insert(db: Database, entries: readonly AuditEntry[]): Promise<void> {
  const rows = entries.map(
    (entry) =>
      sql`(${entry.orgId ?? null}, ${entry.actor}, ${entry.via}, ${entry.action}, ${entry.subject ?? null}, ${entry.requestId})`,
  );
  await execute(
    db,
    sql`insert into keyferry.audit_log (org_id, actor, via, action, subject, request_id) values ${sql.join(rows, sql`, `)}`,
  );
}

async function settle(db: Database, outcomes: readonly AuditOutcome[]): Promise<void> {
  const rows = outcomes.map(
    (outcome) => sql`(${outcome.requestId}, ${outcome.statusCode}::int, ${outcome.subject ?? null}::text)`,
  );
  await execute(
    db,
    sql`update keyferry.audit_log a set status_code = o.status_code, subject = coalesce(o.subject, a.subject)
      from (values ${sql.join(rows, sql`, `)}) as o (request_id, status_code, subject) where a.request_id = o.request_id`,
  );
}

async function execute(db: Database, statement: ReturnType<typeof sql>): Promise<void> {
  try {
    await db.execute(statement);
  } catch (error) {
    throw toDatabaseError(error);
  }
}
