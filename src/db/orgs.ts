/** Which orgs there are: those that own a connection or a folder. */
import { sql } from 'drizzle-orm';

import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';

export type Orgs = ReturnType<typeof createOrgs>;

export function createOrgs(db: Database) {
  return {
    /** Whether `candidate` is an org other than `own`. */
    async exists(candidate: string, own: string): Promise<boolean> {
      if (candidate === own) return false;
      try {
        const rows = await db.execute(sql`
          select 1 where exists (select 1 from keyferry.connections where org_id = ${candidate})
            or exists (select 1 from keyferry.folders where org_id = ${candidate})
            or exists (select 1 from keyferry.orgs where id = ${candidate})`);
        return rows.length > 0;
      } catch (error) {
        throw toDatabaseError(error);
      }
    },
    /** Whether several orgs use this installation, or a tenant can change something through the API or ever did. */
    async areSeveral(): Promise<boolean> {
      try {
        const [row] = await db.execute(sql`
          select (select count(*) from (select org_id from keyferry.connections union select org_id from keyferry.folders) orgs) > 1
            or exists (select 1 from keyferry.audit_log where via = 'api')
            or exists (select 1 from keyferry.identities) as several`);
        return row?.several === true;
      } catch (error) {
        throw toDatabaseError(error);
      }
    },
  };
}
