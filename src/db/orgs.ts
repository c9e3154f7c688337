/** Which orgs there are: those that own a connection or a folder. */
import { sql } from 'drizzle-orm';

import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';

export type Orgs = ReturnType<typeof createOrgs>;

export function createOrgs(db: Database) {
  return {
    /**
     * Whether an external ID is another org's: its own id, which nobody else can take even before
     * that org exists, or one that an operator gave to it first.
     */
    async isForeignExternalId(externalId: string, orgId: string): Promise<boolean> {
      if (externalId === orgId) return false;
      try {
        const rows = await db.execute(sql`
          select 1 where exists (select 1 from keyferry.connections where org_id = ${externalId})
            or exists (select 1 from keyferry.folders where org_id = ${externalId})
            or exists (select 1 from keyferry.identities where org_id = ${externalId})
            or exists (select 1 from keyferry.orgs where id = ${externalId})
            or ${orgId} <> (
              select org_id from keyferry.connections where external_id = ${externalId}
              order by created_at, id limit 1
            )`);
        return rows.length > 0;
      } catch (error) {
        throw toDatabaseError(error);
      }
    },
    /**
     * Whether several orgs use this installation, or a tenant can change something through the API
     * or ever did.
     */
    async areSeveral(): Promise<boolean> {
      try {
        const [row] = await db.execute(sql`
          select (select count(*)
            from (select org_id from keyferry.connections
            union select org_id from keyferry.folders) orgs) > 1
            or exists (select 1 from keyferry.audit_log where via = 'api')
            or exists (select 1 from keyferry.identities) as several`);
        return row?.several === true;
      } catch (error) {
        throw toDatabaseError(error);
      }
    },
  };
}
