/** The one row that identifies this installation: inserted by `migrate` under its lock, read by every run that writes tags. */
import type postgres from 'postgres';

import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';
import { installation } from './schema-ownership.ts';

export type InstallationRow = typeof installation.$inferSelect;

export interface Installation {
  /** Throws DB_NOT_MIGRATED while the row is missing. */
  get(): Promise<InstallationRow>;
}

export function createInstallation(db: Database): Installation {
  return {
    async get() {
      const [row] = await db
        .select()
        .from(installation)
        .catch((error: unknown) => {
          throw toDatabaseError(error);
        });
      if (!row) throw new JobError('DB_NOT_MIGRATED');
      return row;
    },
  };
}

/** Call under the migration lock. Keeps an existing row. */
export async function ensureInstallation(client: postgres.Sql): Promise<void> {
  const system = await readControl(client, 'system_identifier::text as value from pg_control_system()');
  const timeline = await readControl(client, 'timeline_id::text as value from pg_control_checkpoint()');
  await client`
    insert into keyferry.installation (database_name, system_identifier, timeline)
    select current_database(), ${system}, ${timeline === null ? null : Number(timeline)}::int
    where not exists (select 1 from keyferry.installation)`;
}

const INSUFFICIENT_PRIVILEGE = '42501';

/** Null where the server refuses it: some providers keep pg_control functions to themselves. */
async function readControl(client: postgres.Sql, selection: string): Promise<string | null> {
  try {
    const [row] = await client.unsafe<{ value: string }[]>(`select ${selection}`);
    return row?.value ?? null;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === INSUFFICIENT_PRIVILEGE) return null;
    throw error;
  }
}
