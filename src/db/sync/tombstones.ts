/**
 * What deleted syncs left at AWS. Rows are inserted by the statement that deletes the sync
 * (`deletion.ts`); here they are looked up by the syncs that meet such objects.
 */
import { sql, type SQL } from 'drizzle-orm';

import { services } from '../../domain/destinations/registry.ts';
import { isUuid } from '../../domain/reference.ts';
import type { FormerOwner } from '../../domain/sync/inventory.ts';
import { type AwsLocation, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import type { Database } from '../client.ts';
import { execute } from '../statement.ts';

/** Where a deleted object still exists for some days. */
const restorable = sql.join(
  services.filter((service) => service.canRestore).map(({ name }) => sql`${name}`),
  sql`, `,
);

/** The sync that meets the objects. */
export interface Finder {
  readonly installationId: string;
  readonly orgId: string;
  readonly folderId: string;
  readonly place: AwsLocation;
}

/** An object whose ownership tag names another sync. */
export interface MarkedObject {
  readonly remoteName: string;
  readonly syncId: string;
  /** The tag names the installation: it can only be a sync of this one. */
  readonly isOfInstallation: boolean;
}

export interface Tombstones {
  /**
   * By remote name, in the finder's place; only objects whose sync was one of this installation and
   * is deleted.
   */
  find(finder: Finder, objects: readonly MarkedObject[]): Promise<ReadonlyMap<string, FormerOwner>>;
}

export function createTombstones(db: Database): Tombstones {
  return { find: (finder, objects) => findFormerOwners(db, finder, objects) };
}

async function findFormerOwners(
  db: Database,
  finder: Finder,
  objects: readonly MarkedObject[],
): Promise<ReadonlyMap<string, FormerOwner>> {
  const marked = objects
    .filter((one) => isUuid(one.syncId))
    .map((one) => ({ remote_name: one.remoteName, sync_id: one.syncId, is_known: one.isOfInstallation }));
  if (marked.length === 0) return new Map();
  const rows = await execute(db, findStatement(finder, JSON.stringify(marked)));
  return new Map(rows.map((row) => [String(row['remote_name']), toFormerOwner(row)]));
}

/** Rows: one per object whose sync is deleted. Locks: none. */
function findStatement({ installationId, orgId, folderId, place }: Finder, marked: string): SQL {
  return sql`
    with marked as (
      select * from jsonb_to_recordset(${marked}::jsonb)
        as m(remote_name text, sync_id uuid, is_known boolean)
    )
    select m.remote_name, t.last_version,
      to_jsonb(coalesce(t.document_keys, '{}')) as document_keys,
      coalesce(t.tags, '{}') as tags,
      coalesce(t.org_id = ${orgId} and t.folder_id = ${folderId}, false) as is_same_folder
    from marked m
    left join keyferry.tombstones t on t.remote_name = m.remote_name
      and t.partition = ${place.partition}
      and t.account_id = ${place.accountId}
      and t.region = ${place.region}
      and t.service = ${place.service}
      and t.kind = 'sync'
      and t.subject_id = m.sync_id
      and t.installation_id = ${installationId}
    where not exists (select from keyferry.syncs s where s.id = m.sync_id)
      and (m.is_known or t.id is not null)`;
}

function toFormerOwner(row: Record<string, unknown>): FormerOwner {
  return {
    isSameFolder: row['is_same_folder'] === true,
    lastVersion: typeof row['last_version'] === 'string' ? row['last_version'] : null,
    documentKeys: parsed(row['document_keys']) as readonly string[],
    tags: parsed(row['tags']) as Readonly<Record<string, string>>,
  };
}

const parsed = (json: unknown): unknown => (typeof json === 'string' ? JSON.parse(json) : json);

/** Entries that may have an object at AWS: `e` is a row of the ledger. */
export interface LedgerRules {
  readonly owns: SQL;
  readonly wasLeft: SQL;
}

/**
 * A CTE that records what a sync leaves at AWS, secrets in their recovery window included. `gone`
 * names a CTE with the deleted sync's id, org_id and folder_id. A write in flight leaves the
 * version open. The keys of a JSON secret that was deleted as a whole are those that went with it.
 */
export function recordedTombstones(gone: SQL, { owns, wasLeft }: LedgerRules): SQL {
  return sql`
    recorded_tombstones as (
      insert into keyferry.tombstones as t (installation_id, org_id, kind, subject_id, folder_id,
        partition, account_id, region, service, remote_name, last_version, document_keys, tags)
      select distinct on (e.partition, e.account_id, e.region, e.service, e.remote_name)
        i.id, gone.org_id, 'sync', gone.id, gone.folder_id,
        e.partition, e.account_id, e.region, e.service, e.remote_name,
        case when e.in_flight is null then e.remote_version end,
        case when e.key = ${WHOLE_SECRET} then array(
          select coalesce(k.observed->>'documentKey', k.key) from keyferry.sync_entries k
          where k.sync_id = e.sync_id and k.remote_name = e.remote_name and k.region = e.region
            and k.account_id = e.account_id and k.service = e.service and k.key <> ${WHOLE_SECRET}
            and k.remote_version is not null
            and (k.deleted_at is null or k.deleted_at > e.deleted_at - interval '1 hour')
            and k.status in ('synced', 'failed')
        ) else '{}' end,
        coalesce(e.settings->'tags', '{}')
      from ${gone} gone
      join keyferry.sync_entries e on e.sync_id = gone.id
      cross join keyferry.installation i
      where ${owns} or ${wasLeft} or (e.service in (${restorable}) and e.deleted_at is not null)
      order by e.partition, e.account_id, e.region, e.service, e.remote_name,
        (e.key = ${WHOLE_SECRET}) desc
      on conflict (partition, account_id, region, service, remote_name) do update set
        installation_id = excluded.installation_id,
        org_id = excluded.org_id,
        kind = excluded.kind,
        subject_id = excluded.subject_id,
        folder_id = excluded.folder_id,
        last_version = excluded.last_version,
        access_key_ids = '{}',
        document_keys = excluded.document_keys,
        tags = excluded.tags,
        created_at = now()
    )`;
}
