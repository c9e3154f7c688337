/**
 * What workers write about the installation: the counter, the guard, a new epoch; and what a
 * person's acceptance changes. Each is one statement.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { GuardReason, InstallationRecord, ServerIdentity } from '../domain/installation.ts';
import { acceptStatement, type Acceptor, epochStart } from './installation-accept.ts';
import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { installation } from './schema.ts';
import type { InstallationRow } from './installation.ts';
import { parseMoment } from './moment.ts';
import { fromRow } from './rows.ts';
import { execute } from './statement.ts';

export interface CheckedInstallation {
  /** As stored after this check. */
  readonly row: InstallationRow;
  readonly record: InstallationRecord;
  readonly server: ServerIdentity;
  /** The database's clock. */
  readonly now: Date;
}

export interface InstallationCheck {
  readonly name: string | undefined;
  /** The highest counter that this process has seen. */
  readonly seenCounter: number;
  readonly isGuardAsked: boolean;
}

export type InstallationGuard = ReturnType<typeof createInstallationGuard>;

export function createInstallationGuard(db: Database) {
  // Some providers keep what the server says about itself from ordinary roles.
  let canIdentify = true;
  const read = async (statement: (server: SQL) => SQL): Promise<CheckedInstallation> => {
    try {
      return toChecked(await execute(db, statement(canIdentify ? identifiedServer : anonymousServer)));
    } catch (error) {
      if (!canIdentify || !isRefusal(error)) throw error;
      canIdentify = false;
      return toChecked(await execute(db, statement(anonymousServer)));
    }
  };
  return {
    /** Reads without writing. */
    look: () => read(lookStatement),
    /** Raises the counter, unless there is a reason to guard: then the row stays as it is. */
    check: (input: InstallationCheck) => read((server) => checkStatement(server, input)),
    /** Locks the one row; an earlier reason is the fence, and stays. */
    raise: (reason: GuardReason) =>
      execute(
        db,
        sql`
          update keyferry.installation
          set guard_reason = ${reason},
            guarded_at = now()
          where guard_reason is null`,
      ),
    /** Locks the one row; the timeline is the fence: whichever worker comes first begins it. */
    startEpoch: (timeline: number) =>
      execute(
        db,
        sql`
          update keyferry.installation
          set epoch = epoch + 1,
            epoch_started_at = ${epochStart},
            timeline = ${timeline}
          where timeline is distinct from ${timeline}::int`,
      ),
    /** Database sessions of workers that run now. */
    countWorkers: () => countWorkers(db),
    accept: (acceptor: Acceptor) => read((server) => acceptStatement(server, acceptor)),
    summary: () => summarize(db),
  };
}

/** The application name of a worker's database sessions. */
export const WORKER_SESSIONS = 'keyferry worker';

const database = sql`
    (select datname || '/' || oid from pg_database
      where datname = current_database()) as database_name`;

/**
 * `pg_control_checkpoint` learns of a promotion only at the next checkpoint; the log's own position
 * knows at once.
 */
const identifiedServer = sql`
  select (select system_identifier::text from pg_control_system()) as system_identifier,
    case when pg_is_in_recovery() then null
      else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
        end as timeline,
    ${database}`;

const anonymousServer = sql`
  select null::text as system_identifier,
    null::int as timeline,
    ${database}`;

/** insufficient_privilege, undefined_function, feature_not_supported */
const REFUSALS = new Set(['42501', '42883', '0A000']);

function isRefusal(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (REFUSALS.has(String((cause as { readonly code?: unknown }).code))) return true;
  }
  return false;
}

/** Returns the one row and the server’s facts; locks nothing. */
function lookStatement(server: SQL): SQL {
  return sql`
    with server as (${server})
    select i.*, to_jsonb(server) as _server, now() as _now
    from keyferry.installation i, server`;
}

/**
 * Returns the one row as it is afterwards, with the server’s facts. Locks it for the length of the
 * statement. Fenced by guard, counter, database, server and name: what differs leaves the row as it
 * is, for the caller to judge.
 */
function checkStatement(server: SQL, { name, seenCounter, isGuardAsked }: InstallationCheck): SQL {
  return sql`
    with server as materialized (${server}),
    checked as (
      update keyferry.installation i
      set counter = i.counter + 1,
        seen_at = now(),
        system_identifier = coalesce(i.system_identifier, server.system_identifier),
        database_name = coalesce(i.database_name, server.database_name),
        timeline = coalesce(i.timeline, server.timeline),
        name = coalesce(i.name, ${name ?? null}::text)
      from server
      where not ${isGuardAsked}
        and i.guard_reason is null
        and i.counter >= ${seenCounter}
        and coalesce(i.database_name = server.database_name, true)
        and coalesce(i.system_identifier = server.system_identifier, true)
        and coalesce(i.name = ${name ?? null}::text, true)
      returning i.*
    )
    select record.*, to_jsonb(server) as _server, now() as _now
    from server, (
      select * from checked
      union all
      select * from keyferry.installation where not exists (select from checked)
    ) record`;
}

async function countWorkers(db: Database): Promise<number> {
  const [row] = await execute(
    db,
    sql`
      select count(distinct client_addr::text || '/' || coalesce(client_port, 0))::int as sessions
      from pg_stat_activity
      where datname = current_database()
        and application_name = ${WORKER_SESSIONS}`,
  );
  return Number(row?.['sessions'] ?? 0);
}

export interface InstallationSummary {
  readonly connections: number;
  readonly syncs: number;
  readonly ownedObjects: number;
  readonly rotations: number;
  readonly openRequests: number;
  /** When the newest run ended; null before the first. */
  readonly newestRunAt: Date | null;
}

async function summarize(db: Database): Promise<InstallationSummary> {
  const [row] = await execute(
    db,
    sql`
      select (select count(*)::int from keyferry.connections) as connections,
        (select count(*)::int from keyferry.syncs) as syncs,
        (select count(*)::int from keyferry.sync_entries
          where deleted_at is null and remote_version is not null) as owned_objects,
        (select count(*)::int from keyferry.rotations) as rotations,
        (select count(*)::int from keyferry.requests where done_at is null) as open_requests,
        (select max(finished_at) from keyferry.runs) as newest_run_at`,
  );
  return {
    connections: Number(row?.['connections']),
    syncs: Number(row?.['syncs']),
    ownedObjects: Number(row?.['owned_objects']),
    rotations: Number(row?.['rotations']),
    openRequests: Number(row?.['open_requests']),
    newestRunAt: typeof row?.['newest_run_at'] === 'string' ? parseMoment(row['newest_run_at']) : null,
  };
}

function toChecked([raw]: readonly Record<string, unknown>[]): CheckedInstallation {
  if (!raw) throw new JobError('DB_NOT_MIGRATED');
  const row = fromRow(installation, raw);
  const server = (typeof raw['_server'] === 'string' ? JSON.parse(raw['_server']) : raw['_server']) as {
    readonly system_identifier: string | null;
    readonly timeline: number | null;
    readonly database_name: string;
  };
  const { id, name, epoch, counter, guardReason, systemIdentifier, databaseName, timeline } = row;
  return {
    row,
    record: { id, name, epoch, counter, guardReason, systemIdentifier, database: databaseName, timeline },
    server: { systemIdentifier: server.system_identifier, timeline: server.timeline, database: server.database_name },
    now: parseMoment(raw['_now']),
  };
}
