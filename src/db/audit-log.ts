/**
 * The audit trail: a row before a change is made, its outcome afterwards. Rows of requests that
 * come at the same time go to PostgreSQL in one statement, so that the trail costs little when
 * there is much to do; each request still waits until its own row is there.
 */
import { sql } from 'drizzle-orm';

import { createBatcher } from '../concurrency/batcher.ts';
import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';

export interface AuditEntry {
  /** Undefined for operators, who stand above the orgs. */
  readonly orgId: string | undefined;
  readonly actor: string;
  /** `page`: the status page. */
  readonly via: 'api' | 'board' | 'cli' | 'library' | 'page';
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
  /** HTTP status, or the one that the API would answer. */
  readonly statusCode: number;
  readonly subject?: string | undefined;
}

export function createAuditLog(db: Database): AuditLog {
  const add = createBatcher<Item, undefined>(MAX_BATCH, async (items) => {
    await write(db, items);
    return [];
  });
  return {
    record: (entry) => add({ entry }),
    settle: (outcome) => add({ outcome }),
  };
}

/** A statement of bounded size. */
const MAX_BATCH = 500;

type Item = { readonly entry: AuditEntry } | { readonly outcome: AuditOutcome };

/** New rows and outcomes in one statement, whatever their number: its text is always the same. */
async function write(db: Database, items: readonly Item[]): Promise<void> {
  const entries = items.flatMap((item) => ('entry' in item ? [item.entry] : []));
  const outcomes = items.flatMap((item) => ('outcome' in item ? [item.outcome] : []));
  try {
    await db.execute(sql`
      with settled as (
        update keyferry.audit_log a
        set status_code = o."statusCode", subject = coalesce(o.subject, a.subject)
        from jsonb_to_recordset(${JSON.stringify(outcomes)}::jsonb)
          as o ("requestId" text, "statusCode" int, subject text)
        where a.request_id = o."requestId"
      )
      insert into keyferry.audit_log (org_id, actor, via, action, subject, request_id)
      select e."orgId", e.actor, e.via, e.action, e.subject, e."requestId"
      from jsonb_to_recordset(${JSON.stringify(entries)}::jsonb)
        as e ("orgId" text, actor text, via text, action text, subject text, "requestId" text)`);
  } catch (error) {
    throw toDatabaseError(error);
  }
}
