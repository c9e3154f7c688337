/**
 * Publishes a new key: folder, rotation and, where it rotates its own key, connection change in one
 * statement.
 */
import { sql, type SQL } from 'drizzle-orm';

import { untilWon } from '../../concurrency/races.ts';
import type { Transition } from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { credentialPlace, type Encryption, secretPlace } from '../encryption.ts';
import { dueNow } from '../engine/due.ts';
import type { ConnectionRow, RotationRow } from '../engine/subjects.ts';
import { wakes } from '../engine/wake.ts';
import { publishedPair } from '../events.ts';
import { dueReaders } from '../sync/due-readers.ts';
import { foldersAbove, isAboveAsSeen } from '../sync/tree.ts';
import {
  execute,
  keyRecords,
  leaseLost,
  transitionParts,
  type RotationFence,
  type TransitionStores,
} from './transitions.ts';

export interface Publication {
  /** Reads the folder's revision again when another writer was faster. */
  readonly toTransition: (revision: number) => Transition;
  readonly pair: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The connection whose own key this is: it gets the pair in the same statement. */
  readonly connection: ConnectionRow | undefined;
}

export async function publish(
  stores: TransitionStores,
  fence: RotationFence,
  publication: Publication,
): Promise<Transition> {
  const attempt = async () => {
    const revision = (await folderRevision(stores.db, fence)) + 1;
    const transition = publication.toTransition(revision);
    return (await publishAt(stores, fence, { ...publication, revision, transition })) ? transition : undefined;
  };
  return untilWon(attempt, 'Too many concurrent writes to this folder; keyferry retries the publication.');
}

/**
 * Also reports why a publication is impossible: the lease is lost, or a secret belongs to another
 * rotation.
 */
async function folderRevision(db: Database, fence: RotationFence): Promise<number> {
  const { id, secretsMapping } = fence.rotation;
  const [row] = await execute(
    db,
    sql`
      select f.revision, (r.run_token = ${fence.runId}) as held, (
        select string_agg(s.key, ', ') from keyferry.secrets s
        where s.folder_id = f.id and s.managed_by <> r.id
          and s.key in (${secretsMapping.accessKeyId}, ${secretsMapping.secretAccessKey})
      ) as taken
      from keyferry.rotations r join keyferry.folders f on f.id = r.folder_id where r.id = ${id}`,
  );
  if (row?.held !== true) throw leaseLost(fence);
  if (typeof row.taken === 'string') {
    throw new JobError('SECRET_MANAGED', {
      message: `Another rotation writes ${row.taken} of this folder. Delete one of the two rotations.`,
    });
  }
  return Number(row.revision);
}

interface PublicationAt extends Publication {
  readonly revision: number;
  readonly transition: Transition;
}

/**
 * Rows: one, with how many folders moved and syncs became due. Locks: rotation, folder and
 * connection, the folders above and the syncs that read it. Fence: the run's token, and the
 * revisions of folder and connection: false when these changed since they were read; nothing is
 * written then, and the ciphertexts are made again.
 */
async function publishAt(stores: TransitionStores, fence: RotationFence, publication: PublicationAt): Promise<boolean> {
  const { rotation } = fence;
  const { revision, transition, connection } = publication;
  const { encryption } = stores;
  const records = JSON.stringify(await secretRecords(encryption, rotation, publication));
  const keys = await keyRecords(encryption, fence, transition);
  const credentials = connection && (await credentialsPart(encryption, connection, publication.pair));
  const gate = sql`exists (select 1 from guard) and ${isAboveAsSeen}`;
  const [row] = await execute(
    stores.db,
    sql`
      with guard as materialized (
        select r.id, f.id as folder_id from keyferry.rotations r
        join keyferry.folders f on f.id = r.folder_id
          ${connection ? asRead(connection) : sql``}
        where r.id = ${rotation.id} and r.run_token = ${fence.runId}
          and f.revision = ${revision - 1}
          -- At the version of this statement's own snapshot, or a sync that was just attached to
          -- the folder would be missed below.
          and f.xmin = (select seen.xmin from keyferry.folders seen where seen.id = f.id)
        for update
      ),
      ${foldersAbove(rotation.folderId)},
      ${transitionParts(fence, { transition, keys, gate })},
      moved as (
        update keyferry.folders f set revision = ${revision}, updated_at = now() from guard, subject
        where f.id = guard.folder_id returning f.id
      ),
      ${writtenSecrets(rotation, revision, records)},
      ${credentials ? sql`${credentials},` : sql``}
      ${dueReaders()},
      ${publishedPair(rotation.id, { accessKeyId: publication.pair.accessKeyId, revision })}
      select (select count(*) from moved)::int as moved, (select count(*) from due)::int as due,
        (select ${wakes('sync')} where exists (select 1 from due)) as woken
        ${connection ? sql`, ${wokenConnection}` : sql``}`,
  );
  return Number(row?.moved ?? 0) === 1;
}

/** Joins the connection as it was read. */
function asRead({ id, credentialsRevision }: ConnectionRow): SQL {
  return sql`
          join keyferry.connections c on c.id = ${id}
            and c.credentials_revision = ${credentialsRevision}`;
}

const wokenConnection = sql`(
          select ${wakes('validate')} where exists (select 1 from credentials)
        ) as woken_too`;

/** A CTE that writes both values of the pair into the folder in `moved`. */
function writtenSecrets(rotation: RotationRow, revision: number, records: string): SQL {
  return sql`written as (
        insert into keyferry.secrets (folder_id, key, value, revision, managed_by, updated_at)
        select moved.id, w.key, w.value, ${revision}, ${rotation.id}, now()
        from moved, jsonb_to_recordset(${records}::jsonb) as w(key text, value text)
        on conflict (folder_id, key) do update
        set value = excluded.value, revision = excluded.revision, managed_by = excluded.managed_by,
          updated_at = now()
      )`;
}

function secretRecords(
  encryption: Encryption,
  rotation: RotationRow,
  publication: PublicationAt,
): Promise<readonly { key: string; value: string }[]> {
  const { orgId, folderId, secretsMapping } = rotation;
  const { pair, revision } = publication;
  const seal = async (key: string, value: string) => ({
    key,
    value: await encryption.encrypt(value, secretPlace({ orgId, folderId, key, revision })),
  });
  return Promise.all([
    seal(secretsMapping.accessKeyId, pair.accessKeyId),
    seal(secretsMapping.secretAccessKey, pair.secretAccessKey),
  ]);
}

/**
 * A connection that rotates its own key signs with the new one from this statement on, and is
 * validated again.
 */
async function credentialsPart(
  encryption: Encryption,
  connection: ConnectionRow,
  pair: Publication['pair'],
): Promise<SQL> {
  const credentialsRevision = connection.credentialsRevision + 1;
  const sealed = await encryption.encrypt(
    pair.secretAccessKey,
    credentialPlace({ ...connection, credentialsRevision }),
  );
  return sql`
    credentials as (
      update keyferry.connections c
      set access_key_id = ${pair.accessKeyId}, secret_access_key = ${sealed},
        credentials_revision = ${credentialsRevision},
        version = c.version + 1,
        wanted_revision = c.wanted_revision + 1,
        updated_at = now(),
        ${dueNow('changed', null)}
      from moved where c.id = ${connection.id}
      returning c.id
    )`;
}
