/**
 * What belongs to one subject: its runs, its last plan, its entries, its keys, its steps. Never a
 * ciphertext or a fingerprint.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { EntryState } from '../../domain/sync/ledger.ts';
import { fromRow } from '../rows.ts';
import { logicalRuns, toLogicalRun, type LogicalRun } from '../logical-runs.ts';
import { rotationKeys, rotationSteps, syncEntries } from '../schema.ts';
import type { ReadAll } from '../read.ts';

/** `status` is the entry's state. */
export type EntryStatus = Omit<typeof syncEntries.$inferSelect, 'fingerprint' | 'inFlight' | 'status' | 'state'> & {
  readonly status: EntryState;
};
export type KeyStatus = Omit<typeof rotationKeys.$inferSelect, 'secret'>;
export type RotationStepRow = typeof rotationSteps.$inferSelect;

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Rows that match, on all pages. */
  readonly total: number;
}

export async function readCount(all: ReadAll, from: SQL): Promise<number> {
  const [row] = await all(sql`select count(*)::int as n from ${from}`);
  return Number(row?.n ?? 0);
}

export async function readRuns(all: ReadAll, where: readonly SQL[], limit: number): Promise<readonly LogicalRun[]> {
  return (await all(logicalRuns(where, limit))).map(toLogicalRun);
}

export async function readLatestPlan(all: ReadAll, syncId: string): Promise<LogicalRun | undefined> {
  const isPlan = sql`r.subject_id = ${syncId} and r.kind = 'plan' and r.result is not null`;
  const [row] = await readRuns(all, [isPlan], 1);
  return row;
}

/**
 * Entries with problems first, then those being written, then by name. Deleted ones are history.
 */
export async function readEntries(all: ReadAll, syncId: string, limit: number): Promise<Page<EntryStatus>> {
  const where = sql`keyferry.sync_entries t where t.sync_id = ${syncId} and t.deleted_at is null`;
  const [total, rows] = await Promise.all([
    readCount(all, where),
    all(sql`
      select t.*, coalesce(${isBeingWritten}, false) as _is_writing from ${where}
      order by
        case
          when ${isBeingWritten} then 3
          when t.state in ('failed', 'writing', 'new') then 0
          when t.state = 'conflict' then 1
          when t.state in ('imported', 'left-behind') then 2
          else 4
        end,
        t.remote_name,
        t.key
      limit ${limit}`),
  ]);
  return { total, rows: rows.map(toEntryStatus) };
}

/** On the entry `t`: the run that began its write holds the lease. */
const isBeingWritten = sql`t.state = 'writing' and exists (
        select from keyferry.syncs s
        where s.id = t.sync_id
          and s.run_lease_until > now()
          and s.run_token::text = t.in_flight ->> 'runId'
      )`;

function toEntryStatus(row: Record<string, unknown>): EntryStatus {
  const { fingerprint: _fingerprint, inFlight: _inFlight, state, ...shown } = fromRow(syncEntries, row);
  // While a live run waits for an answer, the ledger alone would look like a failure.
  const said = row['_is_writing'] === true ? { errorCode: null, errorMessage: null } : {};
  return { ...shown, ...said, status: state };
}

export async function readKeys(all: ReadAll, rotationId: string): Promise<readonly KeyStatus[]> {
  const rows = await all(
    sql`select * from keyferry.rotation_keys where rotation_id = ${rotationId}
      order by created_at desc limit 20`,
  );
  return rows.map((row) => {
    const { secret: _hidden, ...shown } = fromRow(rotationKeys, row);
    return shown;
  });
}

export async function readSteps(all: ReadAll, rotationId: string, limit: number): Promise<readonly RotationStepRow[]> {
  const rows = await all(
    sql`select * from keyferry.rotation_steps where rotation_id = ${rotationId} order by id desc
      limit ${limit}`,
  );
  return rows.map((row) => fromRow(rotationSteps, row));
}
