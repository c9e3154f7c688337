/** What a running rotation reads: its keys and requests, whose keys those at AWS are, and what waits for what. */
import { sql, type SQL } from 'drizzle-orm';

import type { DependentSync } from '../domain/rotation-waits.ts';
import type { KnownKey, OpenRequest } from '../domain/rotation.ts';
import type { Database } from './client.ts';
import { type Encryption, rotationKeyPlace } from './encryption.ts';
import { createReadAll, parsedJson, textOrNull } from './read.ts';
import { fromRow } from './rows.ts';
import { rotationKeys } from './schema.ts';
import type { RotationRow } from './subjects.ts';

export function createRotationReads(db: Database, encryption: Encryption) {
  return {
    knownKeys: (rotationId: string) => knownKeys(db, rotationId),
    openRequests: (rotationId: string) => openRequests(db, rotationId),
    /** Throws SECRET_UNDECRYPTABLE; undefined when no secret is stored. */
    secretOf: (rotation: RotationRow, accessKeyId: string) => secretOf({ db, encryption }, rotation, accessKeyId),
    /** Of the ids asked for, those that another rotation or another connection holds. */
    heldElsewhere: (rotation: RotationRow, accessKeyIds: readonly string[]) =>
      heldElsewhere(db, rotation, accessKeyIds),
    dependents: (rotation: RotationRow, revision: number) => dependents(db, rotation, revision),
    /** Runs that may still sign with what the connection held before `since`. */
    runsSince: (connectionId: string, since: { before: Date; exceptRunId: string }) =>
      countRuns(db, connectionId, since),
  };
}

async function knownKeys(db: Database, rotationId: string): Promise<readonly KnownKey[]> {
  const rows = await createReadAll(db)(
    sql`select rotation_id, access_key_id, state, created_at, published_at, retire_after, last_used_at from keyferry.rotation_keys
      where rotation_id = ${rotationId} order by created_at, access_key_id`,
  );
  return rows.map((raw) => {
    const { accessKeyId, state, createdAt, publishedAt, retireAfter, lastUsedAt } = fromRow(rotationKeys, raw);
    return { accessKeyId, state, createdAt, publishedAt, retireAfter, lastUsedAt };
  });
}

async function openRequests(db: Database, rotationId: string): Promise<readonly OpenRequest[]> {
  const rows = await createReadAll(db)(
    sql`select id, actor, parameters from keyferry.requests where subject_id = ${rotationId} and kind = 'rotate' and done_at is null
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
    sql`select secret from keyferry.rotation_keys where rotation_id = ${rotation.id} and access_key_id = ${accessKeyId}`,
  );
  if (typeof row?.secret !== 'string') return undefined;
  return encryption.decrypt(
    row.secret,
    rotationKeyPlace({ orgId: rotation.orgId, rotationId: rotation.id, accessKeyId }),
  );
}

async function heldElsewhere(
  db: Database,
  rotation: RotationRow,
  accessKeyIds: readonly string[],
): Promise<readonly string[]> {
  const ids = JSON.stringify(accessKeyIds);
  const rows = await createReadAll(db)(
    sql`
      with asked as (select jsonb_array_elements_text(${ids}::jsonb) as id)
      select asked.id from asked where exists (
        select 1 from keyferry.rotation_keys k where k.access_key_id = asked.id and k.rotation_id <> ${rotation.id} and k.state not in ('deleted', 'foreign')
      ) or exists (
        select 1 from keyferry.connections c where c.access_key_id = asked.id and c.id <> ${rotation.connectionId}
      )`,
  );
  return rows.map((row) => String(row.id));
}

/**
 * Every sync that writes the folder by itself, and every other that has written either value. One that is paused counts: its consumers hold the
 * old key.
 */
async function dependents(db: Database, rotation: RotationRow, revision: number): Promise<readonly DependentSync[]> {
  const { accessKeyId, secretAccessKey } = rotation.secretsMapping;
  const rows = await createReadAll(db)(
    sql`
      select s.id, s.name, held.written from keyferry.syncs s cross join lateral (
        select count(*)::int as entries, (count(distinct e.key) filter (where e.synced_revision >= ${revision}))::int as written
        from keyferry.sync_entries e where e.sync_id = s.id and e.deleted_at is null and e.status = 'synced'
          and e.key in (${accessKeyId}, ${secretAccessKey}) and coalesce(e.folder_id, s.folder_id) = s.folder_id
      ) held
      where s.folder_id = ${rotation.folderId} and (s.is_auto_sync_enabled or held.entries > 0) order by s.name`,
  );
  return rows.map((row) => ({ id: String(row.id), name: String(row.name), hasConfirmed: Number(row.written) === 2 }));
}

async function countRuns(
  db: Database,
  connectionId: string,
  since: { before: Date; exceptRunId: string },
): Promise<number> {
  const running = (table: SQL, column: SQL) => sql`
    select run_token as id from ${table} where ${column} = ${connectionId} and run_lease_until > now()`;
  const [row] = await createReadAll(db)(
    sql`
      with alive as (
        ${running(sql`keyferry.connections`, sql`id`)} union all ${running(sql`keyferry.syncs`, sql`connection_id`)}
        union all ${running(sql`keyferry.rotations`, sql`connection_id`)}
      )
      select count(*)::int as n from alive join keyferry.runs r on r.id = alive.id
      where r.id <> ${since.exceptRunId} and r.started_at <= ${since.before.toISOString()}::timestamptz`,
  );
  return Number(row?.n ?? 0);
}
