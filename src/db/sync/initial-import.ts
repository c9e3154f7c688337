/** The record that a sync has done its initial import, which is never done twice. */
import { sql, type SQL } from 'drizzle-orm';

import { JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { execute } from '../statement.ts';

/** The run of a sync that imports; refused once it has lost its lease. */
export interface ImportingRun {
  readonly syncId: string;
  readonly runId: string;
}

/** Writes the sync’s row, fenced by the run’s lease. Throws LEASE_LOST. */
export async function recordImport(db: Database, { syncId, runId }: ImportingRun): Promise<void> {
  const rows = await execute(
    db,
    sql`
      update keyferry.syncs set
        initial_import_at = now()
      where id = ${syncId} and run_token = ${runId}
      returning id`,
  );
  if (rows.length === 0) throw new JobError('LEASE_LOST');
}

export async function refuseLostLease(db: Database, { syncId, runId }: ImportingRun): Promise<void> {
  const rows = await execute(
    db,
    sql`select id from keyferry.syncs
      where id = ${syncId} and run_token = ${runId}`,
  );
  if (rows.length === 0) throw new JobError('LEASE_LOST');
}

/** True for every other change of a folder, too. */
export function holdsLease(importer: ImportingRun | undefined): SQL {
  if (!importer) return sql`true`;
  const { syncId, runId } = importer;
  return sql`exists (select from keyferry.syncs s
    where s.id = ${syncId} and s.run_token = ${runId})`;
}

/**
 * After the change of the folder in the common table expression `moved`. The importing run itself
 * writes the change, so it makes no wish.
 */
export function importedSync(importer: ImportingRun | undefined): SQL {
  return sql`imported as (
          update keyferry.syncs t set
            initial_import_at = now()
          from moved where t.id = ${importer?.syncId ?? null}::uuid
        )`;
}
