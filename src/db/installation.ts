/**
 * The one row that identifies this installation: inserted by `migrate` under its lock, read by
 * every run that writes tags.
 */
import type postgres from 'postgres';

import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';
import { installation } from './schema.ts';

export type InstallationRow = typeof installation.$inferSelect;

/** What a run asks before it writes. */
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

/**
 * Call under the migration lock. Keeps an existing row. The first worker records server and
 * database.
 */
export async function ensureInstallation(client: postgres.Sql): Promise<void> {
  await client`
    insert into keyferry.installation (counter)
    select 0 where not exists (select 1 from keyferry.installation)`;
}
