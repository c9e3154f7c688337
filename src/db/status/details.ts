/** What belongs to one subject: its runs, its last plan, its entries, its keys, its steps. Never a ciphertext or a fingerprint. */
import { sql, type SQL } from 'drizzle-orm';

import { fromRow } from '../rows.ts';
import { rotationKeys, rotationSteps, runs, syncEntries } from '../schema.ts';
import { textOrNull, type ReadAll } from '../read.ts';

export type RunStatusRow = typeof runs.$inferSelect & { readonly subjectName: string | null };
export type EntryStatus = Omit<typeof syncEntries.$inferSelect, 'fingerprint' | 'inFlight'>;
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

export async function readRuns(all: ReadAll, where: SQL, limit: number): Promise<readonly RunStatusRow[]> {
  const rows = await all(sql`
    with r as materialized (select * from keyferry.runs r ${where} order by r.started_at desc limit ${limit})
    select r.*, coalesce(c.name, s.name, t.name) as _name from r
    left join keyferry.connections c on c.id = r.subject_id
    left join keyferry.syncs s on s.id = r.subject_id
    left join keyferry.rotations t on t.id = r.subject_id
    order by r.started_at desc`);
  return rows.map((row) => ({ ...fromRow(runs, row), subjectName: textOrNull(row._name) }));
}

export async function readLatestPlan(all: ReadAll, syncId: string): Promise<RunStatusRow | undefined> {
  const [row] = await readRuns(
    all,
    sql`where r.subject_id = ${syncId} and r.kind = 'plan' and r.result is not null`,
    1,
  );
  return row;
}

/** Entries with trouble first, then by name. Deleted ones are history. */
export async function readEntries(all: ReadAll, syncId: string, limit: number): Promise<Page<EntryStatus>> {
  const where = sql`keyferry.sync_entries t where t.sync_id = ${syncId} and t.deleted_at is null`;
  const [total, rows] = await Promise.all([
    readCount(all, where),
    all(sql`select t.* from ${where}
      order by case t.status when 'failed' then 0 when 'conflict' then 1 when 'skipped' then 2 else 3 end, t.remote_name, t.key limit ${limit}`),
  ]);
  return {
    total,
    rows: rows.map((row) => {
      const { fingerprint: _fingerprint, inFlight: _inFlight, ...shown } = fromRow(syncEntries, row);
      return shown;
    }),
  };
}

export async function readKeys(all: ReadAll, rotationId: string): Promise<readonly KeyStatus[]> {
  const rows = await all(
    sql`select * from keyferry.rotation_keys where rotation_id = ${rotationId} order by created_at desc limit 20`,
  );
  return rows.map((row) => {
    const { secret: _hidden, ...shown } = fromRow(rotationKeys, row);
    return shown;
  });
}

export async function readSteps(all: ReadAll, rotationId: string, limit: number): Promise<readonly RotationStepRow[]> {
  const rows = await all(
    sql`select * from keyferry.rotation_steps where rotation_id = ${rotationId} order by id desc limit ${limit}`,
  );
  return rows.map((row) => fromRow(rotationSteps, row));
}
