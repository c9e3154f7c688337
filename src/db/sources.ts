/**
 * Sources of folders: one row each, with settings, lease and state. URL and credentials are stored encrypted; what may be shown is in `config`.
 * A pull: claimed by a lease, written by `folders.pullInto` with its token, settled with it. Whoever sets the source again takes the lease away.
 */
import { sql, type SQL } from 'drizzle-orm';

import { noCounts } from '../domain/run.ts';
import { pauseSeconds, shownConfig, type NewSource, type SourceSettings } from '../domain/sources.ts';
import { refusalOf } from '../domain/webhooks.ts';
import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { type Encryption, sourcePlace } from './encryption.ts';
import { DUE_CHANNEL, execute } from './engine/subjects.ts';
import type { FolderChange, FolderRow } from './folders.ts';
import { fromRow, insertion } from './rows.ts';
import { folders, sources } from './schema.ts';
import { isStale } from './source-staleness.ts';
import { attachedFolder } from './sync/orders.ts';

/** A process that pulls listens for this beside the kinds of runs. */
export const PULL_WAKE = 'pull';

export type SourceRow = Omit<typeof sources.$inferSelect, 'target' | 'leaseToken' | 'leaseUntil' | 'etag'> & {
  readonly isStale: boolean;
  readonly isRunning: boolean;
};

/** What a worker needs for one pull. */
export interface ClaimedSource {
  readonly source: typeof sources.$inferSelect;
  readonly folder: FolderRow;
  readonly leaseToken: string;
  /** Throws SECRET_UNDECRYPTABLE. */
  settings(): SourceSettings;
}

export type PullOutcome =
  | {
      readonly status: 'succeeded';
      readonly etag: string | null;
      readonly revision: number;
      readonly skippedKeys: readonly string[];
      /** Of the folder's secrets. */
      readonly changes: Pick<FolderChange, 'set' | 'removed'>;
    }
  | { readonly status: 'blocked' | 'failed'; readonly error: JobError };

export type Sources = ReturnType<typeof createSources>;

/** `hosts`: names and addresses that the operator lists, for plain http and private addresses. */
export function createSources(db: Database, encryption: Encryption, { hosts }: { readonly hosts: readonly string[] }) {
  return {
    /** Replaces the settings of a source that is there, and makes it due. Throws SOURCE_URL_REFUSED. */
    set: (folder: FolderRow, input: NewSource) => setSource(db, folder, { input, hosts, encryption }),
    /** Throws SOURCE_NOT_FOUND. */
    get: (folder: FolderRow) => getSource(db, folder),
    /** Makes the source due. Returns the number of this request. Throws SOURCE_NOT_FOUND. */
    ask: (folder: FolderRow, confirmedDeletions: number | null) => askSource(db, folder, confirmedDeletions),
    /** The folder keeps its secrets. Throws SOURCE_NOT_FOUND. */
    unset: (folder: FolderRow) => unsetSource(db, folder),
    /** Takes the leases of due sources, the oldest first. */
    claim: (limit: number) => claimSources(db, encryption, limit),
    /** False when the lease was lost: then nothing is written. */
    settle: (claimed: ClaimedSource, outcome: PullOutcome) => settleSource(db, claimed, outcome),
  };
}

/** Outlives the few requests of a pull, of 10 s each, and the writes after them. */
const LEASE = sql`interval '120 seconds'`;

interface Setting {
  readonly input: NewSource;
  readonly hosts: readonly string[];
  readonly encryption: Encryption;
}

async function setSource(db: Database, folder: FolderRow, { input, hosts, encryption }: Setting): Promise<SourceRow> {
  const { everySeconds, ...settings } = input;
  const refusal = refusalOf(settings.url, hosts);
  if (refusal !== undefined) throw new JobError('SOURCE_URL_REFUSED', { message: `The URL is refused: ${refusal}.` });
  const [folderId, orgId] = [folder.id, folder.orgId];
  const target = encryption.encrypt(JSON.stringify(settings), sourcePlace({ orgId, folderId }));
  const { kind } = settings;
  const values = { folderId, orgId, kind, config: shownConfig(settings), target, everySeconds };
  // The folder's row first, so that a change of it that began earlier is not taken for one of before the source.
  const [row] = await execute(
    db,
    sql`
      with ${attachedFolder(folderId)},
      saved as (
        insert into keyferry.sources as t ${insertion(sources, values)}
        on conflict (folder_id) do update set
          kind = excluded.kind,
          config = excluded.config,
          target = excluded.target,
          every_seconds = excluded.every_seconds,
          ${renewed}
        returning *
      )
      select saved.*, ${shown}, ${wakePullers} from saved left join folder on true`,
  );
  return toSource(row);
}

/** Of a source with new settings: nothing that was read with the former ones counts, and a pull under way with them writes nothing. */
const renewed = sql`status = 'pending',
          status_code = null,
          status_message = null,
          status_since = now(),
          failures = 0,
          etag = null,
          pulled_revision = null,
          asked = t.asked + 1,
          confirmed_deletions = null,
          next_due_at = now(),
          lease_token = null,
          lease_until = null,
          updated_at = now()`;

const shown = sql`${isStale} as _is_stale, coalesce(lease_until > now(), false) as _is_running`;
const wakePullers = sql`pg_notify(${DUE_CHANNEL}, ${PULL_WAKE}) as _woken`;

function toSource(row: Record<string, unknown> | undefined): SourceRow {
  if (row === undefined) throw new JobError('SOURCE_NOT_FOUND');
  const { target: _hidden, leaseToken: _token, leaseUntil: _until, etag: _etag, ...source } = fromRow(sources, row);
  return { ...source, isStale: row._is_stale === true, isRunning: row._is_running === true };
}

async function getSource(db: Database, folder: FolderRow): Promise<SourceRow> {
  const [row] = await execute(db, sql`select *, ${shown} from keyferry.sources where ${isOf(folder)}`);
  return toSource(row);
}

const isOf = (folder: FolderRow): SQL => sql`folder_id = ${folder.id} and org_id = ${folder.orgId}`;

async function askSource(db: Database, folder: FolderRow, confirmedDeletions: number | null): Promise<number> {
  const [row] = await execute(
    db,
    sql`
      update keyferry.sources set
        asked = asked + 1,
        confirmed_deletions = ${confirmedDeletions},
        next_due_at = now()
      where ${isOf(folder)}
      returning asked, ${wakePullers}`,
  );
  if (row === undefined) throw new JobError('SOURCE_NOT_FOUND');
  return Number(row.asked);
}

async function unsetSource(db: Database, folder: FolderRow): Promise<SourceRow> {
  const [row] = await execute(db, sql`delete from keyferry.sources where ${isOf(folder)} returning *, ${shown}`);
  return toSource(row);
}

/** Rows: the claimed sources with their folders. Locks: those sources; what another process holds or just claims is left out. */
async function claimSources(db: Database, encryption: Encryption, limit: number): Promise<readonly ClaimedSource[]> {
  const rows = await execute(
    db,
    sql`
      with due as materialized (
        select folder_id from keyferry.sources
        where next_due_at <= now() and (lease_until is null or lease_until < now())
        order by next_due_at
        limit ${limit}
        for update skip locked
      ),
      claimed as (
        update keyferry.sources s set
          lease_token = gen_random_uuid(),
          lease_until = now() + ${LEASE}
        from due where s.folder_id = due.folder_id
        returning s.*
      )
      select to_jsonb(claimed) as source, to_jsonb(f) as folder
      from claimed join keyferry.folders f on f.id = claimed.folder_id`,
  );
  return rows.map((row) => {
    const source = fromRow(sources, row.source as Record<string, unknown>);
    const folder = fromRow(folders, row.folder as Record<string, unknown>);
    return {
      source,
      folder,
      leaseToken: source.leaseToken ?? '',
      settings: () => JSON.parse(encryption.decrypt(source.target, sourcePlace(source))) as SourceSettings,
    };
  });
}

/** A request that came during the pull makes the source due again. A failed pull keeps what the last good one left. */
async function settleSource(
  db: Database,
  { source, leaseToken }: ClaimedSource,
  outcome: PullOutcome,
): Promise<boolean> {
  const error = outcome.status === 'succeeded' ? undefined : outcome.error;
  const failures = outcome.status === 'failed' ? source.failures + 1 : 0;
  const rows = await execute(
    db,
    sql`
      with settled as (
      update keyferry.sources s set
        status_since = case when status = ${outcome.status} then status_since else now() end,
        status = ${outcome.status},
        status_code = ${error?.code ?? null},
        status_message = ${error?.publicMessage ?? null},
        failures = ${failures},
        answered = ${source.asked},
        confirmed_deletions = case when asked = ${source.asked} then null else confirmed_deletions end,
        next_due_at = case
          when asked = ${source.asked} then now() + make_interval(secs => ${pauseSeconds(source.everySeconds, failures)})
          else now()
        end,
        lease_token = null,
        lease_until = null
        ${outcome.status === 'succeeded' ? pulled(outcome) : sql``}
      where s.folder_id = ${source.folderId} and s.lease_token = ${leaseToken}
      returning s.folder_id, s.org_id
      ),
      ${recordedPull({ source, leaseToken }, outcome)}
      select folder_id from settled`,
  );
  return rows.length > 0;
}

/** A CTE: the run of the history, unless nobody asked and all is as after the last pull. */
function recordedPull({ source, leaseToken }: Pick<ClaimedSource, 'source' | 'leaseToken'>, outcome: PullOutcome): SQL {
  const error = outcome.status === 'succeeded' ? undefined : outcome.error;
  const { set, removed } = outcome.status === 'succeeded' ? outcome.changes : { set: 0, removed: 0 };
  const isAsked = source.asked > source.answered;
  const isAsBefore = source.status === outcome.status && source.statusCode === (error?.code ?? null);
  const isTold = isAsked || set + removed > 0 || !isAsBefore;
  // Confirmed deletions, and all before them, no longer count for the brake.
  const result = source.confirmedDeletions === null ? null : { confirmedDeletions: source.confirmedDeletions };
  return sql`recorded as (
        insert into keyferry.runs
          (id, kind, subject_id, org_id, attempt, reason, status, started_at, finished_at, error_code, error_message, counts, result)
        select ${leaseToken}::uuid, 'pull', settled.folder_id, settled.org_id, ${source.failures},
          ${isAsked ? 'requested' : 'scheduled'}, ${outcome.status},
          least(${source.leaseUntil?.toISOString() ?? null}::timestamptz - ${LEASE}, now()), now(),
          ${error?.code ?? null}, ${error?.publicMessage ?? null},
          ${JSON.stringify({ ...noCounts, updated: set, deleted: removed })}::jsonb,
          ${result === null ? null : JSON.stringify(result)}::jsonb
        from settled where ${isTold}
      )`;
}

function pulled({ etag, revision, skippedKeys }: Extract<PullOutcome, { readonly status: 'succeeded' }>): SQL {
  return sql`,
        etag = ${etag},
        pulled_revision = ${revision},
        last_pulled_at = now(),
        skipped_keys = ${JSON.stringify(skippedKeys)}::jsonb`;
}
