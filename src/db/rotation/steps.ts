/**
 * What a running rotation writes; its reads stand in `reads.ts`. Every write is one statement under the run's token: phase, state, keys and a line of the timeline stand
 * together or not at all, and a run that lost its lease writes nothing.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { RotationTimes, Transition } from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { toDatabaseError, violatedConstraint } from '../database-error.ts';
import { credentialPlace, type Encryption, rotationKeyPlace, secretPlace } from '../encryption.ts';
import { publishedPair, retiredKeys } from '../events.ts';
import { createRotationReads } from './reads.ts';
import { assignments } from '../rows.ts';
import { foldersAbove, isAboveAsSeen, readers } from '../sync/tree.ts';
import { rotations } from '../schema.ts';
import { type ConnectionRow, type RotationRow } from '../engine/subjects.ts';
import { dueNow } from '../engine/due.ts';
import { wakes } from '../engine/wake.ts';

/** Which run writes, and when by its own clock. */
export interface RotationFence {
  readonly rotation: RotationRow;
  readonly runId: string;
  readonly now: Date;
  /** Set where the write depends on settings: nothing is written when a person has changed them since. */
  readonly version?: number;
}

export interface Publication {
  /** Reads the folder's revision anew when another writer was faster. */
  readonly toTransition: (revision: number) => Transition;
  readonly pair: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The connection whose own key this is: it gets the pair in the same statement. */
  readonly connection: ConnectionRow | undefined;
}

/** What a person may have changed since the claim. */
export interface Advanced {
  readonly isPaused: boolean;
  readonly times: RotationTimes;
}

interface Stores {
  readonly db: Database;
  readonly encryption: Encryption;
}

export type RotationSteps = ReturnType<typeof createRotationSteps>;

/** How often a publication is tried again when another writer took the folder's revision first. */
const MAX_RACES = 20;

export function createRotationSteps(db: Database, encryption: Encryption) {
  const stores = { db, encryption };
  return {
    /** Undefined when the row has another version than `fence.version`. Throws LEASE_LOST when the run does not hold the rotation any more. */
    advance: (fence: RotationFence, transition: Transition) => advance(stores, fence, transition),
    /** Throws what keeps the secret of a new key from being encrypted now. */
    requireSealing: async ({ orgId, id: rotationId }: RotationRow): Promise<void> => {
      await encryption.encrypt('', rotationKeyPlace({ orgId, rotationId, accessKeyId: 'none' }));
    },
    /** Throws SECRET_MANAGED when another rotation writes one of the secrets. */
    publish: (fence: RotationFence, publication: Publication) => publish(stores, fence, publication),
    ...createRotationReads(db, encryption),
  };
}

async function execute(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    // The account is pinned by the first verification: only then is it certain that the user is already managed.
    if (violatedConstraint(error) === 'rotations_user') throw new JobError('KEY_USER_TAKEN', { cause: error });
    throw toDatabaseError(error);
  }
}

async function advance(stores: Stores, fence: RotationFence, transition: Transition): Promise<Advanced | undefined> {
  const { version, rotation, runId } = fence;
  const gate = version === undefined ? sql`true` : sql`t.version = ${version}`;
  const [row] = await execute(
    stores.db,
    sql`with ${transitionParts(fence, { transition, gate, keys: await keyRecords(stores.encryption, fence, transition) })}${toldRetirement(transition)}
      select r.run_token = ${runId} as is_held, subject.id is not null as is_written, subject.paused_at is not null as is_paused,
        r.grace_seconds, r.quiet_seconds, r.hold_seconds
      from keyferry.rotations r left join subject on subject.id = r.id where r.id = ${rotation.id}`,
  );
  if (row?.is_written === true) return { isPaused: row.is_paused === true, times: toTimes(row) };
  if (version !== undefined && row?.is_held === true) return undefined;
  throw leaseLost(fence);
}

/** Nothing where no key stops working. */
function toldRetirement({ keys = [] }: Transition): SQL {
  const gone = keys.filter(({ state }) => state === 'inactive' || state === 'deleted');
  if (gone.length === 0) return sql``;
  return sql`, ${retiredKeys(gone.map(({ accessKeyId }) => accessKeyId))}`;
}

function toTimes(row: Record<string, unknown>): RotationTimes {
  const ms = (seconds: unknown) => Number(seconds) * 1_000;
  return { graceMs: ms(row.grace_seconds), quietMs: ms(row.quiet_seconds), holdMs: ms(row.hold_seconds) };
}

function leaseLost(fence: RotationFence): JobError {
  return new JobError('LEASE_LOST', { context: { subjectId: fence.rotation.id, runId: fence.runId } });
}

/** The common table expressions that write a transition: `subject`, which is empty when the run may not write, then all that hangs on it. */
function transitionParts(
  fence: RotationFence,
  write: { transition: Transition; gate: SQL; keys: readonly KeyRecord[] },
): SQL {
  const { transition, gate, keys } = write;
  const now = fence.now.toISOString();
  const { note } = transition;
  return sql`
    subject as (
      update keyferry.rotations t set updated_at = now(), phase = ${transition.phase}, phase_state = ${JSON.stringify(transition.state)}::jsonb,
        phase_entered_at = case when t.phase = ${transition.phase} then t.phase_entered_at else ${now}::timestamptz end
        ${assignments(rotations, transition.changes ?? {})}
      where t.id = ${fence.rotation.id} and t.run_token = ${fence.runId} and ${gate}
      returning t.id, t.paused_at
    ),
    step as (
      insert into keyferry.rotation_steps (rotation_id, run_id, at, phase, step, access_key_id, detail)
      select subject.id, ${fence.runId}, ${now}::timestamptz, ${transition.phase}, ${note?.step ?? ''}, ${note?.accessKeyId ?? null}, ${note?.detail ?? null}
      from subject where ${note !== undefined}
    ),
    key_rows as (
      insert into keyferry.rotation_keys as k (rotation_id, access_key_id, state, secret, created_at, published_at, retire_after, last_used_at)
      select subject.id, c.access_key_id, c.state, c.secret, coalesce(c.created_at, ${now}::timestamptz), c.published_at, c.retire_after, c.last_used_at
      from subject, jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
        as c(access_key_id text, state text, secret text, created_at timestamptz, published_at timestamptz, retire_after timestamptz, last_used_at timestamptz)
      on conflict (rotation_id, access_key_id) do update set state = excluded.state,
        secret = case when excluded.state = 'deleted' then null else coalesce(excluded.secret, k.secret) end,
        published_at = coalesce(excluded.published_at, k.published_at), retire_after = coalesce(excluded.retire_after, k.retire_after),
        last_used_at = coalesce(excluded.last_used_at, k.last_used_at)
    )`;
}

type KeyRecord = Readonly<Record<string, unknown>>;

async function keyRecords(
  encryption: Encryption,
  fence: RotationFence,
  { keys = [] }: Transition,
): Promise<readonly KeyRecord[]> {
  const { orgId, id: rotationId } = fence.rotation;
  const records = keys.map(async ({ accessKeyId, secretAccessKey, ...key }) => ({
    access_key_id: accessKeyId,
    state: key.state,
    secret:
      secretAccessKey === undefined
        ? null
        : await encryption.encrypt(secretAccessKey, rotationKeyPlace({ orgId, rotationId, accessKeyId })),
    created_at: key.createdAt,
    published_at: key.publishedAt,
    retire_after: key.retireAfter,
    last_used_at: key.lastUsedAt,
  }));
  return Promise.all(records);
}

async function publish(stores: Stores, fence: RotationFence, publication: Publication): Promise<Transition> {
  for (let race = 0; race < MAX_RACES; race += 1) {
    const revision = (await folderRevision(stores.db, fence)) + 1;
    const transition = publication.toTransition(revision);
    if (await publishAt(stores, fence, { ...publication, revision, transition })) return transition;
  }
  throw new JobError('DB_UNAVAILABLE', {
    message: 'Too many concurrent writes to this folder; keyferry retries the publication.',
  });
}

/** Also says why a publication cannot be: the lease is lost, or a secret belongs to another rotation. */
async function folderRevision(db: Database, fence: RotationFence): Promise<number> {
  const { id, secretsMapping } = fence.rotation;
  const [row] = await execute(
    db,
    sql`
      select f.revision, (r.run_token = ${fence.runId}) as held, (
        select string_agg(s.key, ', ') from keyferry.secrets s where s.folder_id = f.id and s.managed_by <> r.id
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

/** False when folder or connection changed since they were read: nothing is written then, and the ciphertexts are made anew. */
async function publishAt(stores: Stores, fence: RotationFence, publication: PublicationAt): Promise<boolean> {
  const { rotation } = fence;
  const { revision, transition, connection } = publication;
  const { encryption } = stores;
  const records = JSON.stringify(await secretRecords(encryption, rotation, publication));
  const keys = await keyRecords(encryption, fence, transition);
  const credentials = connection && (await credentialsPart(encryption, connection, publication.pair));
  const [row] = await execute(
    stores.db,
    sql`
      with guard as materialized (
        select r.id, f.id as folder_id from keyferry.rotations r join keyferry.folders f on f.id = r.folder_id
          ${connection ? sql`join keyferry.connections c on c.id = ${connection.id} and c.credentials_revision = ${connection.credentialsRevision}` : sql``}
        where r.id = ${rotation.id} and r.run_token = ${fence.runId} and f.revision = ${revision - 1}
          -- At the version of this statement's own snapshot, or a sync that was just attached to the folder would be missed below.
          and f.xmin = (select seen.xmin from keyferry.folders seen where seen.id = f.id)
        for update
      ),
      ${foldersAbove(rotation.folderId)},
      ${transitionParts(fence, { transition, keys, gate: sql`exists (select 1 from guard) and ${isAboveAsSeen}` })},
      moved as (
        update keyferry.folders f set revision = ${revision}, updated_at = now() from guard, subject where f.id = guard.folder_id returning f.id
      ),
      written as (
        insert into keyferry.secrets (folder_id, key, value, revision, managed_by, updated_at)
        select moved.id, w.key, w.value, ${revision}, ${rotation.id}, now() from moved, jsonb_to_recordset(${records}::jsonb) as w(key text, value text)
        on conflict (folder_id, key) do update set value = excluded.value, revision = excluded.revision, managed_by = excluded.managed_by,
          updated_at = now()
      ),
      ${credentials ? sql`${credentials},` : sql``}
      ${readers},
      due as (
        update keyferry.syncs t set
          wanted_revision = t.wanted_revision + 1,
          ${dueNow('changed', null)}
        from readers where t.id = readers.id and t.is_auto_sync_enabled and t.paused_at is null
        returning t.id
      ),
      ${publishedPair(rotation.id, { accessKeyId: publication.pair.accessKeyId, revision })}
      select (select count(*) from moved)::int as moved, (select count(*) from due)::int as due,
        (select ${wakes('sync')} where exists (select 1 from due)) as woken
        ${connection ? sql`, (select ${wakes('validate')} where exists (select 1 from credentials)) as woken_too` : sql``}`,
  );
  return Number(row?.moved ?? 0) === 1;
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

/** A connection that rotates its own key signs with the new one from this statement on; what it can do is validated anew. */
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
      update keyferry.connections c set access_key_id = ${pair.accessKeyId}, secret_access_key = ${sealed}, credentials_revision = ${credentialsRevision},
        version = c.version + 1,
        wanted_revision = c.wanted_revision + 1,
        updated_at = now(),
        ${dueNow('changed', null)}
      from moved where c.id = ${connection.id}
      returning c.id
    )`;
}
