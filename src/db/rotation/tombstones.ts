/**
 * What a deleted rotation left at AWS: the ids of its keys, and no secret. A later rotation of the
 * same folder and user takes such a key over only if the folder still holds its pair, and may then
 * retire the others as their rotation would have done; one of another folder of the org does so
 * only where it was created with `adopt`. A tombstone never lets a key be deleted immediately.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Database } from '../client.ts';
import { type Encryption, secretPlace } from '../encryption.ts';
import { createReadAll } from '../read.ts';
import type { RotationRow } from '../engine/subjects.ts';

/**
 * A CTE `left_keys` for the statement that deletes the rotations in `gone` (`id`, `org_id`,
 * `folder_id`, `connection_id`, `account_id`, `user_name`).
 */
export function leftKeys(gone: SQL): SQL {
  return sql`
    left_keys as (
      insert into keyferry.tombstones as t
        (installation_id, org_id, kind, subject_id, folder_id, partition, account_id, region,
          service, remote_name, access_key_ids)
      select i.id, ${gone}.org_id, 'rotation', ${gone}.id, ${gone}.folder_id,
        ${partitionOf(sql`c`)}, ${gone}.account_id, '', 'iam',
        lower(${gone}.user_name), keys.ids
      from ${gone}
        join keyferry.installation i on true
        join keyferry.connections c on c.id = ${gone}.connection_id
        cross join lateral (
          select array_agg(k.access_key_id) as ids from keyferry.rotation_keys k
          where k.rotation_id = ${gone}.id and k.state in ('active', 'retiring', 'inactive')
        ) keys
      where ${gone}.account_id is not null and keys.ids is not null
      on conflict (partition, account_id, region, service, remote_name) do update set
        installation_id = excluded.installation_id,
        org_id = excluded.org_id,
        kind = excluded.kind,
        subject_id = excluded.subject_id,
        folder_id = excluded.folder_id,
        access_key_ids = ${mergedIds},
        created_at = now()
    )`;
}

/** Enough for a user, who has two keys: ids of keys that are gone do no harm. */
const IDS_KEPT = 20;

/**
 * A rotation that is deleted before it has read AWS knows only the key that it took over: what its
 * predecessors left remains known, also where it moved the key to another folder.
 */
const mergedIds = sql`case
          when t.kind = 'rotation' and t.installation_id = excluded.installation_id
            and t.org_id = excluded.org_id
            and (t.folder_id = excluded.folder_id or t.access_key_ids && excluded.access_key_ids)
          then array(
            select id from unnest(excluded.access_key_ids || t.access_key_ids)
              with ordinality as ids(id, place)
            where not exists (
              select from keyferry.rotation_keys k
              where k.rotation_id = excluded.subject_id and k.access_key_id = id
                and k.state in ('deleted', 'foreign')
            )
            group by id order by min(place) limit ${IDS_KEPT}
          )
          else excluded.access_key_ids
        end`;

function partitionOf(connection: SQL): SQL {
  return sql`coalesce(nullif(split_part(coalesce(${connection}.principal_arn,
    ${connection}.role_arn), ':', 2), ''), 'aws')`;
}

export interface LeftPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The rotation's own folder holds it; else only the folder of the deleted rotation does. */
  readonly isHere: boolean;
}

export interface LeftKeys {
  /** All that a deleted rotation of this installation left of the user. */
  readonly ids: readonly string[];
  /** It was a rotation of another folder, whose keys this one may not take over. */
  readonly isElsewhere: boolean;
  /** One of them, if a folder holds its pair and it may be taken over. */
  readonly pair: LeftPair | undefined;
}

/** A rotation, or what one is about to be made of. */
export type Successor = Pick<
  RotationRow,
  'orgId' | 'folderId' | 'connectionId' | 'userName' | 'secretsMapping' | 'onExisting'
> & {
  /** Null: the connection's. */
  readonly accountId: string | null;
};

interface Stores {
  readonly db: Database;
  readonly encryption: Encryption;
}

/** Throws SECRET_UNDECRYPTABLE. */
export async function findLeftKeys(stores: Stores, successor: Successor): Promise<LeftKeys> {
  const { orgId, folderId, connectionId, userName, accountId } = successor;
  const [row] = await createReadAll(stores.db)(
    sql`
      select array_to_json(t.access_key_ids)::text as ids, t.folder_id
      from keyferry.connections c
        join keyferry.tombstones t on t.kind = 'rotation' and t.service = 'iam'
          and t.remote_name = lower(${userName}) and t.partition = ${partitionOf(sql`c`)}
          and t.account_id = coalesce(${accountId}::text, c.account_id)
          and t.org_id = c.org_id
        join keyferry.installation i on i.id = t.installation_id
      where c.id = ${connectionId} and c.org_id = ${orgId}`,
  );
  if (typeof row?.ids !== 'string') return { ids: [], isElsewhere: false, pair: undefined };
  const ids = JSON.parse(row.ids) as readonly string[];
  const leftIn = String(row.folder_id);
  if (leftIn !== folderId && successor.onExisting === 'fail') return { ids, isElsewhere: true, pair: undefined };
  const here = await findPair(stores, successor, { folderId, ids });
  const pair = here ?? (leftIn === folderId ? undefined : await findPair(stores, successor, { folderId: leftIn, ids }));
  return { ids, isElsewhere: false, pair };
}

/**
 * Undefined unless the folder holds the pair of one of the keys. What another rotation writes is
 * its own.
 */
async function findPair(
  { db, encryption }: Stores,
  { orgId, folderId: own, secretsMapping }: Successor,
  { folderId, ids }: { readonly folderId: string; readonly ids: readonly string[] },
): Promise<LeftPair | undefined> {
  const isHere = folderId === own;
  const { accessKeyId, secretAccessKey } = secretsMapping;
  const rows = await createReadAll(db)(
    sql`
      select s.key, s.value, s.revision from keyferry.secrets s
      join keyferry.folders f on f.id = s.folder_id
      where f.id = ${folderId} and f.org_id = ${orgId}
        and s.key in (${accessKeyId}, ${secretAccessKey})
        and (${isHere} or s.managed_by is null)`,
  );
  const read = async (key: string) => {
    const row = rows.find((one) => one.key === key);
    return (
      row &&
      encryption.decrypt(String(row.value), secretPlace({ orgId, folderId, key, revision: Number(row.revision) }))
    );
  };
  const id = await read(accessKeyId);
  if (id === undefined || !ids.includes(id)) return undefined;
  const secret = await read(secretAccessKey);
  return secret === undefined ? undefined : { accessKeyId: id, secretAccessKey: secret, isHere };
}
