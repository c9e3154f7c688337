/**
 * Sources of folders: one row each, with settings, lease and state. URL and credentials are stored
 * encrypted; what may be shown is in `config`. A pull: queued under a lease without a token,
 * claimed with one, written and settled by `folders.pullInto` or settled alone. Setting the source
 * again revokes the lease.
 */
import { sql, type SQL } from 'drizzle-orm';

import { clientCertificateOf, shownConfig, type NewSource } from '../domain/sources.ts';
import { refusalAtEdge } from '../network/public-lookup.ts';
import { JobError } from '../errors.ts';
import { certificateProblem, expiryOf } from './client-certificate.ts';
import type { Database } from './client.ts';
import type { Encryption } from './encryption.ts';
import { untilAsSeen } from './engine/subjects.ts';
import type { FolderRow } from './folders.ts';
import { claimSource, dispatchSources, type PullJob, undispatchSources } from './pull-claims.ts';
import { type PullLease, type PullOutcome, settledPull } from './pull-settlement.ts';
import { type PullWish, recordPullWish, wakePullers } from './pull-wishes.ts';
import { fromRow, insertion, type InsertValues } from './rows.ts';
import { sources } from './schema.ts';
import { isAsSet, newestOfSource, openSettings, sealSettings } from './source-settings.ts';
import { isStale } from './source-staleness.ts';
import { attachedFolder } from './sync/orders.ts';
import { execute } from './statement.ts';

export type SourceRow = Omit<
  typeof sources.$inferSelect,
  'target' | 'targetRevision' | 'leaseToken' | 'leaseUntil' | 'etag'
> & {
  readonly isStale: boolean;
  readonly isRunning: boolean;
};

export type Sources = ReturnType<typeof createSources>;

/** `hosts`: names and addresses that the operator lists, for plain http and private addresses. */
export function createSources(db: Database, encryption: Encryption, { hosts }: { readonly hosts: readonly string[] }) {
  return {
    /**
     * Replaces the settings of a source that is there, and makes it due; with the same settings
     * only one that failed. Throws SOURCE_URL_REFUSED, PAYLOAD_INVALID for its client certificate.
     */
    set: (folder: FolderRow, input: NewSource) => setSource(db, folder, { input, hosts, encryption }),
    /** Throws SOURCE_NOT_FOUND. */
    get: (folder: FolderRow) => getSource(db, folder),
    /** Makes the source due. Returns the number of this request. Throws SOURCE_NOT_FOUND. */
    ask: (folder: FolderRow, confirmedDeletions: number | null) => askSource(db, folder, confirmedDeletions),
    /** The folder keeps its secrets. Throws SOURCE_NOT_FOUND. */
    unset: (folder: FolderRow) => unsetSource(db, folder),
    /**
     * Of any org: the signature of a notification is its only proof. Undefined where none are
     * accepted.
     */
    notifySecretOf: (folderId: string) => findNotifySecret(db, encryption, folderId),
    /** Makes the source due. False for a notification that is not newer than the last one. */
    notify: (folderId: string, atMs: number) => notifySource(db, folderId, atMs),
    /** Due sources, the oldest first, to be queued. */
    dispatch: (limit: number) => dispatchSources(db, limit),
    undispatch: (folderIds: readonly string[]) => undispatchSources(db, folderIds),
    /**
     * The job of another program: returns the id of the request that stands for it, or undefined
     * without such a source.
     */
    recordWish: (wish: PullWish) => recordPullWish(db, wish),
    /** Takes the lease of a source that is due. */
    claim: (job: PullJob) => claimSource(db, encryption, job),
    /** False when the lease was lost: then nothing is written. */
    settle: (claimed: PullLease, outcome: PullOutcome) => settleSource(db, claimed, outcome),
  };
}

interface Setting {
  readonly input: NewSource;
  readonly hosts: readonly string[];
  readonly encryption: Encryption;
}

async function setSource(db: Database, folder: FolderRow, { input, hosts, encryption }: Setting): Promise<SourceRow> {
  const { everySeconds, ...settings } = input;
  const refusal = refusalAtEdge(settings.url, hosts);
  if (refusal !== undefined) throw new JobError('SOURCE_URL_REFUSED', { message: `The URL is refused: ${refusal}.` });
  const pair = clientCertificateOf(settings);
  const problem = pair && certificateProblem(pair, new Date());
  if (problem !== undefined) throw new JobError('PAYLOAD_INVALID', { message: `${problem}.` });
  const [folderId, orgId] = [folder.id, folder.orgId];
  const { kind } = settings;
  const config = { ...shownConfig(settings), ...(pair && { certificateExpiresAt: expiryOf(pair) }) };
  if (await isAsSet({ db, encryption }, folderId, { settings, everySeconds })) return getSource(db, folder);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const sealed = await sealSettings({ db, encryption }, { orgId, folderId }, settings);
    const row = await saveSource(db, { folderId, orgId, kind, config, everySeconds, ...sealed });
    if (row !== undefined) return toSource(row);
  }
  throw new JobError('PAYLOAD_STALE', { message: 'Others set this source at the same moment. Set it again.' });
}

/** A concurrent `set` takes the revision; people do not cause more than a few of these. */
const MAX_ATTEMPTS = 5;

/** Undefined when another statement took the revision. */
async function saveSource(
  db: Database,
  values: InsertValues<typeof sources> & { readonly folderId: string },
): Promise<Record<string, unknown> | undefined> {
  // The folder's row first, so that a change of it that began earlier is not taken for one of
  // before the source.
  const [row] = await execute(
    db,
    sql`
      with ${attachedFolder(values.folderId)},
      saved as (
        insert into keyferry.sources as t ${insertion(sources, values)}
        on conflict (folder_id) do update set
          kind = excluded.kind,
          config = excluded.config,
          target = excluded.target,
          target_revision = excluded.target_revision,
          every_seconds = excluded.every_seconds,
          ${renewed}
        where t.target_revision < excluded.target_revision
        returning *
      )
      select saved.*, ${shown}, ${wakePullers} from saved left join folder on true`,
  );
  return row;
}

/**
 * Of a source with new settings: nothing that was read with the former ones counts, and a pull
 * under way with them writes nothing.
 */
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

const shown = sql`${isStale} as _is_stale,
  (lease_token is not null and lease_until > now()) as _is_running`;

function toSource(row: Record<string, unknown> | undefined): SourceRow {
  if (row === undefined) throw new JobError('SOURCE_NOT_FOUND');
  const { target: _hidden, targetRevision: _revision, etag: _etag, ...shownAndLease } = fromRow(sources, row);
  const { leaseToken: _token, leaseUntil: _until, ...source } = shownAndLease;
  return { ...source, isStale: row._is_stale === true, isRunning: row._is_running === true };
}

async function getSource(db: Database, folder: FolderRow): Promise<SourceRow> {
  const [row] = await execute(
    db,
    sql`select *, ${shown} from keyferry.sources
      where ${isOf(folder)}`,
  );
  return toSource(row);
}

const isOf = (folder: FolderRow): SQL => sql`folder_id = ${folder.id} and org_id = ${folder.orgId}`;

/**
 * Writes the source’s row. A pull under way keeps its lease; `asked` makes its settlement leave
 * the source due.
 */
async function askSource(db: Database, folder: FolderRow, confirmedDeletions: number | null): Promise<number> {
  const [row] = await execute(
    db,
    sql`
      update keyferry.sources set
        asked = asked + 1,
        confirmed_deletions = ${confirmedDeletions},
        next_due_at = now(),
        -- Queued again, as a job that goes before those of schedules.
        lease_until = case when lease_token is null then null else lease_until end
      where ${isOf(folder)}
      returning asked, ${wakePullers}`,
  );
  if (row === undefined) throw new JobError('SOURCE_NOT_FOUND');
  return Number(row.asked);
}

async function unsetSource(db: Database, folder: FolderRow): Promise<SourceRow> {
  return toSource(await untilAsSeen(() => tryToUnset(db, folder)).then(({ row }) => row));
}

/**
 * Also closes its requests: those that the snapshot does not see yet have changed the source's row.
 * Undefined in that case.
 */
async function tryToUnset(
  db: Database,
  folder: FolderRow,
): Promise<{ readonly row: Record<string, unknown> | undefined } | undefined> {
  const [row] = await execute(
    db,
    sql`
      with seen as materialized (
        select folder_id, xmin as row_version from keyferry.sources where ${isOf(folder)}
      ),
      gone as (
        delete from keyferry.sources s using seen
        where s.folder_id = seen.folder_id and s.xmin = seen.row_version
        returning s.*
      ),
      closed as (
        update keyferry.requests r set done_at = now()
        from gone where r.subject_id = gone.folder_id and r.kind = 'pull' and r.done_at is null
      )
      select gone.*, ${shown}, exists (select 1 from seen) as _was_seen
      from (select 1) one left join gone on true`,
  );
  if (row?._was_seen !== true) return { row: undefined };
  return row.folder_id === null ? undefined : { row };
}

async function findNotifySecret(db: Database, encryption: Encryption, folderId: string): Promise<string | undefined> {
  const [row] = await execute(
    db,
    sql`select s.*, ${newestOfSource} as newest from keyferry.sources s
      where s.folder_id = ${folderId}`,
  );
  if (row === undefined) return undefined;
  const settings = await openSettings(encryption, fromRow(sources, row), Number(row.newest));
  return settings.notifySecret ?? undefined;
}

/** Notifications within this time after one become one pull. */
const GATHER_MS = 5_000;

/**
 * Writes the source’s row, fenced by the time of the notification: an older or repeated one writes
 * nothing.
 */
async function notifySource(db: Database, folderId: string, atMs: number): Promise<boolean> {
  const rows = await execute(
    db,
    sql`
      update keyferry.sources set
        asked = asked + 1,
        next_due_at = least(next_due_at, now() + case
          when notified_at_ms > ${atMs - GATHER_MS} then make_interval(secs => ${GATHER_MS / 1_000})
          else interval '0'
        end),
        notified_at_ms = ${atMs}
      where folder_id = ${folderId} and (notified_at_ms is null or notified_at_ms < ${atMs})
      returning ${wakePullers}`,
  );
  return rows.length > 0;
}

/** False when the lease was lost. */
async function settleSource(db: Database, lease: PullLease, outcome: PullOutcome): Promise<boolean> {
  const rows = await execute(
    db,
    sql`
      with ${settledPull(lease, outcome)}
      select folder_id from settled`,
  );
  return rows.length > 0;
}
