/**
 * What a running rotation reads: its keys and requests, who owns the keys at AWS, and which syncs
 * it waits for.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { DependentSync } from '../../domain/rotation/waits.ts';
import type { OpenRequest } from '../../domain/rotation/wishes.ts';
import { JobError } from '../../errors.ts';
import { WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import type { Database } from '../client.ts';
import { type Encryption, rotationKeyPlace } from '../encryption.ts';
import { createReadAll, parsedJson, textOrNull } from '../read.ts';
import { isSelected } from '../../domain/patterns.ts';
import { toSourceKey } from '../../domain/source-key.ts';
import type { SyncOptions } from '../../domain/sync/config.ts';
import { syncsReading } from '../sync/tree.ts';
import { findLeftKeys } from './tombstones.ts';
import { fromRow } from '../rows.ts';
import { rotationKeys, rotations } from '../schema.ts';
import type { RotationRow } from '../engine/subjects.ts';
import type { KnownKey } from '../../domain/rotation/records.ts';

/** A dependent sync, and what it knows after a restore. */
export interface ComparedSync extends DependentSync {
  /** In this epoch, and no value of the pair waits for a person's decision. */
  readonly hasCompared: boolean;
}

export function createRotationReads(db: Database, encryption: Encryption) {
  return {
    /** The row as it is now. Throws KEY_ROTATION_NOT_FOUND. */
    current: (rotationId: string) => rotationById(db, rotationId),
    knownKeys: (rotationId: string) => knownKeys(db, rotationId),
    openRequests: (rotationId: string) => openRequests(db, rotationId),
    /** Throws SECRET_UNDECRYPTABLE; undefined when no secret is stored. */
    secretOf: (rotation: RotationRow, accessKeyId: string) => secretOf({ db, encryption }, rotation, accessKeyId),
    /** Of the ids asked for, those that another rotation or another connection holds. */
    heldElsewhere: (rotation: RotationRow, accessKeyIds: readonly string[]) =>
      heldElsewhere(db, rotation, accessKeyIds),
    /** Of the rotation's user, what a deleted rotation left. Throws SECRET_UNDECRYPTABLE. */
    leftKeys: (rotation: RotationRow) => findLeftKeys({ db, encryption }, rotation),
    dependents: (rotation: RotationRow, revision: number) => dependents(db, rotation, revision),
    /** Runs that may still sign with what the connection held before `since`. */
    runsSince: (connectionId: string, since: { before: Date; exceptRunId: string }) =>
      countRuns(db, connectionId, since),
  };
}

export async function rotationById(db: Database, id: string): Promise<RotationRow> {
  const [row] = await createReadAll(db)(sql`select * from keyferry.rotations where id = ${id}`);
  if (!row) throw new JobError('KEY_ROTATION_NOT_FOUND', { message: `There is no rotation ${id}.` });
  return fromRow(rotations, row);
}

async function knownKeys(db: Database, rotationId: string): Promise<readonly KnownKey[]> {
  const rows = await createReadAll(db)(
    sql`select rotation_id, access_key_id, state, created_at, published_at, retire_after,
      last_used_at from keyferry.rotation_keys
      where rotation_id = ${rotationId} order by created_at, access_key_id`,
  );
  return rows.map((raw) => {
    const { accessKeyId, state, createdAt, publishedAt, retireAfter, lastUsedAt } = fromRow(rotationKeys, raw);
    return { accessKeyId, state, createdAt, publishedAt, retireAfter, lastUsedAt };
  });
}

async function openRequests(db: Database, rotationId: string): Promise<readonly OpenRequest[]> {
  const rows = await createReadAll(db)(
    sql`select id, actor, parameters from keyferry.requests
      where subject_id = ${rotationId} and kind = 'rotate' and done_at is null
      order by created_at, id`,
  );
  return rows.map((row) => ({
    id: String(row.id),
    actor: textOrNull(row.actor),
    parameters: parsedJson(row.parameters),
  }));
}

async function secretOf(
  { db, encryption }: { db: Database; encryption: Encryption },
  rotation: RotationRow,
  accessKeyId: string,
): Promise<string | undefined> {
  const [row] = await createReadAll(db)(
    sql`select secret from keyferry.rotation_keys
      where rotation_id = ${rotation.id} and access_key_id = ${accessKeyId}`,
  );
  if (typeof row?.secret !== 'string') return undefined;
  return encryption.decrypt(
    row.secret,
    rotationKeyPlace({ orgId: rotation.orgId, rotationId: rotation.id, accessKeyId }),
  );
}

/** Of the ids asked for, those that another rotation or another connection holds. */
export async function heldElsewhere(
  db: Database,
  rotation: Pick<RotationRow, 'id' | 'connectionId'>,
  accessKeyIds: readonly string[],
): Promise<readonly string[]> {
  const ids = JSON.stringify(accessKeyIds);
  const rows = await createReadAll(db)(
    sql`
      with asked as (select jsonb_array_elements_text(${ids}::jsonb) as id)
      select asked.id from asked where exists (
        select 1 from keyferry.rotation_keys k
        where k.access_key_id = asked.id and k.rotation_id <> ${rotation.id}
          and k.state not in ('deleted', 'foreign')
      ) or exists (
        select 1 from keyferry.connections c
        where c.access_key_id = asked.id and c.id <> ${rotation.connectionId}
      )`,
  );
  return rows.map((row) => String(row.id));
}

/**
 * One for each sync that the rotation waits for: every automatic one that writes a value of the
 * pair, every one that may hold one, whatever became of its last write, and every one that is
 * running and may be about to write the old pair. Reads without locks.
 */
async function dependents(db: Database, rotation: RotationRow, revision: number): Promise<readonly ComparedSync[]> {
  const rows = await createReadAll(db)(
    sql`
      select s.id, s.name, s.below, s.sync_options,
        s.run_lease_until > now() as is_running,
        s.is_auto_sync_enabled and s.paused_at is null as is_automatic,
        entries.held, entries.confirmed,
        entries.undecided = 0
          and (i.epoch_started_at is null
            or greatest(s.created_at, s.compared_at) >= i.epoch_started_at) as compared
      from ${syncsReading(rotation.folderId)} s cross join keyferry.installation i
      cross join lateral (
        select
          coalesce(jsonb_agg(e.key) filter (where ${mayHold}), '[]') as held,
          coalesce(jsonb_agg(e.key) filter (
            where e.status = 'synced' and e.in_flight is null and e.synced_revision >= ${revision}
          ), '[]') as confirmed,
          count(*) filter (where e.drift in ('later-write', 'later-delete', 'later-create')) as
            undecided
        from keyferry.sync_entries e
        where e.sync_id = s.id and e.deleted_at is null
          and coalesce(e.folder_id, s.folder_id) = s.folder_id and ${writesPair(rotation)}
      ) entries
      order by s.name`,
  );
  return rows.flatMap((row) => toDependent(rotation, row) ?? []);
}

/** Undefined where there is nothing to wait for. */
function toDependent({ secretsMapping }: RotationRow, row: Record<string, unknown>): ComparedSync | undefined {
  const { accessKeyId, secretAccessKey } = secretsMapping;
  const pair = [accessKeyId, secretAccessKey].map((key) => toSourceKey({ below: String(row.below), key }));
  const written = pair.filter((key) => isSelected(parsedJson(row.sync_options) as SyncOptions, key));
  const [held, confirmed] = [textList(row.held), textList(row.confirmed)];
  const isWriting = row.is_automatic === true && written.length > 0;
  if (!isWriting && held.length === 0 && row.is_running !== true) return undefined;
  // What it holds and no longer writes is on its way out.
  const isLeaving = held.some((key) => pair.includes(key) && !written.includes(key));
  const isConfirmed = written.length > 0 && !isLeaving && written.every((key) => confirmed.includes(key));
  const hasCompared = row.compared === true;
  return { id: String(row.id), name: String(row.name), hasConfirmed: isConfirmed && hasCompared, hasCompared };
}

function textList(value: unknown): readonly string[] {
  return (typeof value === 'string' ? JSON.parse(value) : value) as readonly string[];
}

/**
 * An entry `e` of one of the two values, or of a JSON secret whose write in flight contains one.
 * `s`: the sync, and the path from its folder.
 */
function writesPair({ secretsMapping }: RotationRow): SQL {
  const sourceKey = (key: string) => sql`case s.below when '' then '' else s.below || ':' end
    || ${key}::text`;
  const [id, secret] = [sourceKey(secretsMapping.accessKeyId), sourceKey(secretsMapping.secretAccessKey)];
  return sql`(
    e.key in (${id}, ${secret})
    or (e.key = ${WHOLE_SECRET} and (jsonb_exists(e.in_flight -> 'keys', ${id})
      or jsonb_exists(e.in_flight -> 'keys', ${secret})))
  )`;
}

/** Written, imported, or in flight, and neither deleted nor left behind for good. */
const mayHold = sql`(e.synced_revision is not null or e.remote_version is not null
  or e.in_flight is not null)
            and e.state <> 'left-behind'`;

async function countRuns(
  db: Database,
  connectionId: string,
  since: { before: Date; exceptRunId: string },
): Promise<number> {
  const running = (table: SQL, column: SQL) => sql`
    select run_token as id from ${table}
    where ${column} = ${connectionId} and run_lease_until > now()`;
  const [row] = await createReadAll(db)(
    sql`
      with alive as (
        ${running(sql`keyferry.connections`, sql`id`)}
          union all ${running(sql`keyferry.syncs`, sql`connection_id`)}
        union all ${running(sql`keyferry.rotations`, sql`connection_id`)}
      )
      select count(*)::int as n from alive join keyferry.runs r on r.id = alive.id
      where r.id <> ${since.exceptRunId}
        and r.started_at <= ${since.before.toISOString()}::timestamptz`,
  );
  return Number(row?.n ?? 0);
}
