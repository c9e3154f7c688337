/**
 * What a validation reads and writes besides its own row: the uses of the connection, and the
 * release of what it blocked. The release is one statement together with the new status, so that no
 * crash leaves a valid connection with sleeping dependents.
 */
import { sql, type SQL } from 'drizzle-orm';

import { createBatcher } from '../concurrency/batcher.ts';
import type { StoredCandidate } from '../domain/connection/candidate.ts';
import { type ConnectionUse, targetOfSync } from '../domain/connection/uses.ts';
import type { DestinationName } from '../domain/destinations/names.ts';
import type { DestinationConfig } from '../domain/destinations/registry.ts';
import type { SyncOptions } from '../domain/sync/config.ts';
import type { Database } from './client.ts';
import { parseMoment } from './moment.ts';
import { newestOfConnections } from './recorded-revisions.ts';
import { textArray } from './engine/subjects.ts';
import { AT_ONCE } from './engine/together.ts';
import { raise } from './statement.ts';
import { dueNow } from './engine/due.ts';
import { wakes } from './engine/wake.ts';

export interface Release {
  readonly connectionId: string;
  /** The validation run that holds the lease: without it nothing is written. */
  readonly runId: string;
  /** The credentials that were validated: the verdict says nothing about others. */
  readonly credentialsRevision: number;
  readonly status: 'valid' | 'degraded';
  /**
   * As validated: without it no dependent can run. Null when this validation could not determine
   * it.
   */
  readonly accountId: string | null;
  readonly principalArn: string | null;
  /** Every probed permission is there: then what AWS denied earlier is tried again, too. */
  readonly isPermitted: boolean;
}

/** Uses checked per validation; each costs a handful of calls. */
const MAX_USES = 10;

export type ConnectionStatusStore = ReturnType<typeof createConnectionStatus>;

export function createConnectionStatus(db: Database) {
  const usesOf = createBatcher<string, readonly ConnectionUse[]>(AT_ONCE, (connectionIds) =>
    readUses(db, connectionIds),
  );
  const newestRevisionOf = createBatcher<string, number>(AT_ONCE, (ids) => newestOfConnections(db, ids));
  return {
    /** Of the credentials that a recorded validation had; 0 when none is on record. */
    newestRevisionOf: (connectionId: string) => newestRevisionOf(connectionId),
    /** At most `MAX_USES` uses: blocked ones first, then the latest changed. */
    usesOf: (connectionId: string) => usesOf(connectionId),
    /**
     * Makes the offered credentials the connection's own. False when they are no longer the offered
     * ones.
     */
    acceptCandidate: (place: CandidatePlace) => acceptCandidate(db, place),
    /**
     * Keeps the present credentials, and the reason. False when the refused ones are no longer the
     * offered ones.
     */
    refuseCandidate: (place: CandidatePlace, refusal: StoredCandidate['refusal']) =>
      refuseCandidate(db, place, refusal),
    /** Makes the connection usable and its blocked dependents due, at once. Returns how many. */
    release: (release: Release) => releaseDependents(db, release),
  };
}

interface UseRow {
  readonly connection_id: string;
  readonly kind: 'sync' | 'rotation';
  readonly id: string;
  readonly name: string;
  readonly destination: DestinationName | null;
  readonly config: DestinationConfig | null;
  readonly options: Partial<SyncOptions> | null;
  readonly user_name: string | null;
  readonly status: string;
  readonly status_code: string | null;
  readonly status_message: string | null;
  readonly last_at: string | null;
}

async function readUses(
  db: Database,
  connectionIds: readonly string[],
): Promise<readonly (readonly ConnectionUse[])[]> {
  const rows = (await db
    .execute(
      sql`
      select wanted.id as connection_id, uses.*
      from unnest(${textArray(connectionIds)}::uuid[]) as wanted(id), lateral (
        select * from (
          select 'sync' as kind, id, name, destination, destination_config as config,
            sync_options as options, null as user_name,
            sync_status as status, status_code, status_message, last_synced_at as last_at,
            updated_at
          from keyferry.syncs where connection_id = wanted.id
          union all
          select 'rotation', id, name, null, null, null, user_name, rotation_status, status_code,
            status_message, last_rotated_at, updated_at
          from keyferry.rotations where connection_id = wanted.id
        ) every_use
        order by (status = 'blocked') desc, updated_at desc, id limit ${MAX_USES}
      ) uses`,
    )
    .catch(raise)) as unknown as readonly UseRow[];
  return connectionIds.map((id) => rows.filter((row) => row.connection_id === id).map(toUse));
}

function toUse(row: UseRow): ConnectionUse {
  const { kind, id, name, status, destination, config } = row;
  return {
    kind,
    id,
    name,
    status,
    target:
      destination !== null && config !== null
        ? targetOfSync({ destination, destinationConfig: asJson(config), syncOptions: asJson(row.options ?? {}) })
        : { use: 'access-key-rotation', userName: row.user_name ?? '' },
    statusCode: row.status_code,
    statusMessage: row.status_message,
    lastSucceededAt: row.last_at === null ? null : parseMoment(row.last_at),
  };
}

/** postgres.js parses jsonb or leaves it as text, depending on how drizzle set it up. */
function asJson<T>(value: T): T {
  return typeof value === 'string' ? (JSON.parse(value) as T) : value;
}

/**
 * A dependent that is running may have read the connection as it was before, and is about to settle
 * as blocked: it gets a new wish, which makes its settlement leave it due. When the connection was
 * unusable, all dependents are locked first: a run that is claimed later reads the new status, and
 * one that was claimed since this statement's snapshot is seen.
 */
async function releaseDependents(db: Database, release: Release): Promise<number> {
  const { connectionId, runId, status } = release;
  const [row] = await db
    .execute(
      sql`
      with connection as (
        update keyferry.connections c
        set status = ${status}, account_id = coalesce(${release.accountId}, c.account_id),
          principal_arn = coalesce(${release.principalArn}, c.principal_arn)
        from keyferry.connections before
        where c.id = ${connectionId} and c.run_token = ${runId} and before.id = c.id
          and c.credentials_revision = ${release.credentialsRevision}
        returning c.id, before.status not in ('valid', 'degraded')
          or before.account_id is null as was_unusable
      ),
      ${releasedDependents('syncs', sql`t.sync_status`, release)},
      ${releasedDependents('rotations', sql`t.rotation_status`, release)}
      select (select count(*) from released_syncs)::int
        + (select count(*) from released_rotations)::int as released,
        (select ${wakes('sync')} from released_syncs limit 1) as woken_syncs,
        (select ${wakes('rotate')} from released_rotations limit 1) as woken_rotations`,
    )
    .catch(raise);
  return Number(row?.released ?? 0);
}

/**
 * Makes the dependents of one table due. Reads them through their locks, because the snapshot may
 * show them before their claim.
 */
function releasedDependents(name: 'syncs' | 'rotations', status: SQL, release: Release): SQL {
  const table = sql.raw(`keyferry.${name}`);
  return sql`locked_${sql.raw(name)} as materialized (
        select t.id, t.run_token is not null and connection.was_unusable as may_block,
          ${isBlocked(status, release)} as is_blocked
        from ${table} t, connection
        where t.connection_id = connection.id and t.paused_at is null
          and (connection.was_unusable or ${isBlocked(status, release)})
        order by t.id for update of t
      ),
      released_${sql.raw(name)} as (
        update ${table} t set
          ${dueNow('recovered', null)},
          wanted_revision = t.wanted_revision + (t.run_token is not null)::int
        from locked_${sql.raw(name)} locked
        where t.id = locked.id and (locked.may_block or locked.is_blocked)
        returning t.id
      )`;
}

/**
 * The row `t` waits for this connection, or for what its credentials may do, whether or not it is
 * also tried again at a later time.
 */
function isBlocked(status: SQL, { isPermitted }: Release): SQL {
  return sql`(${status} = 'blocked' and (t.next_due_at is null or t.next_due_at > now())
            and (t.status_code like 'CONNECTION\\_%'
              or (${isPermitted} and t.status_code in ('AWS_ACCESS_DENIED', 'AWS_KMS_DENIED'))))`;
}

export interface CandidatePlace {
  readonly connectionId: string;
  /** The validation run that holds the lease. */
  readonly runId: string;
  readonly candidateId: string;
}

function isOffered({ connectionId, runId, candidateId }: CandidatePlace): SQL {
  return sql`id = ${connectionId} and run_token = ${runId} and candidate ->> 'id' = ${candidateId}`;
}

/**
 * Writes the connection’s row; fenced by the run’s lease, by the candidate’s id, and by its
 * revision, which must be newer than what is in use.
 */
async function acceptCandidate(db: Database, place: CandidatePlace): Promise<boolean> {
  const rows = await db
    .execute(
      sql`
      update keyferry.connections
      set method = candidate ->> 'method',
          role_arn = candidate ->> 'roleArn',
          external_id = candidate ->> 'externalId',
          access_key_id = candidate ->> 'accessKeyId',
          secret_access_key = candidate_secret,
          credentials_revision = (candidate ->> 'credentialsRevision')::int,
          created_via = candidate ->> 'via',
          candidate = null,
          candidate_secret = null,
          external_id_probed_at = null,
          version = version + 1,
          wanted_revision = wanted_revision + 1,
          due_reason = 'changed',
          updated_at = now()
      where ${isOffered(place)}
        and credentials_revision < (candidate ->> 'credentialsRevision')::int
      returning id`,
    )
    .catch(raise);
  return rows.length > 0;
}

/** Writes the connection’s row; fenced by the run’s lease and by the candidate’s id. */
async function refuseCandidate(
  db: Database,
  place: CandidatePlace,
  refusal: StoredCandidate['refusal'],
): Promise<boolean> {
  const rows = await db
    .execute(
      sql`
      update keyferry.connections
      set candidate = candidate || jsonb_build_object('refusal', ${JSON.stringify(refusal)}::jsonb),
          candidate_secret = null
      where ${isOffered(place)}
      returning id`,
    )
    .catch(raise);
  return rows.length > 0;
}
