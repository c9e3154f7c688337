/**
 * Sources of folders: one row each, with settings, lease and state. URL and credentials are stored encrypted; what may be shown is in `config`.
 * A pull: queued under a lease without a token, claimed with one, written and settled by `folders.pullInto` or settled alone. Whoever sets the source again
 * takes the lease away.
 */
import { sql, type SQL } from 'drizzle-orm';

import { DISPATCH_LEASE_SECONDS } from '../domain/lease.ts';
import { clientCertificateOf, shownConfig, type NewSource, type SourceSettings } from '../domain/sources.ts';
import { refusalOf } from '../domain/webhooks.ts';
import { JobError } from '../errors.ts';
import { certificateProblem, expiryOf } from './client-certificate.ts';
import type { Database } from './client.ts';
import { type Encryption, sourcePlace } from './encryption.ts';
import { DUE_CHANNEL, execute, textArray } from './engine/subjects.ts';
import type { FolderRow } from './folders.ts';
import { PULL_LEASE, type PullLease, type PullOutcome, settledPull } from './pull-settlement.ts';
import { PULL_WAKE, type PullWish, recordPullWish } from './pull-wishes.ts';
import { fromRow, insertion } from './rows.ts';
import { folders, sources } from './schema.ts';
import { isStale } from './source-staleness.ts';
import { attachedFolder } from './sync/orders.ts';

export type SourceRow = Omit<typeof sources.$inferSelect, 'target' | 'leaseToken' | 'leaseUntil' | 'etag'> & {
  readonly isStale: boolean;
  readonly isRunning: boolean;
};

/** What a worker needs for one pull. */
export interface ClaimedSource extends PullLease {
  readonly folder: FolderRow;
  /** Throws SECRET_UNDECRYPTABLE. */
  settings(): SourceSettings;
}

/** To be queued: the id is that of the folder. */
export interface DispatchedSource {
  readonly id: string;
  readonly isAsked: boolean;
}

export interface PullJob {
  readonly folderId: string;
  readonly jobId?: string | undefined;
}

export type Sources = ReturnType<typeof createSources>;

/** `hosts`: names and addresses that the operator lists, for plain http and private addresses. */
export function createSources(db: Database, encryption: Encryption, { hosts }: { readonly hosts: readonly string[] }) {
  return {
    /** Replaces the settings of a source that is there, and makes it due. Throws SOURCE_URL_REFUSED, PAYLOAD_INVALID for its client certificate. */
    set: (folder: FolderRow, input: NewSource) => setSource(db, folder, { input, hosts, encryption }),
    /** Throws SOURCE_NOT_FOUND. */
    get: (folder: FolderRow) => getSource(db, folder),
    /** Makes the source due. Returns the number of this request. Throws SOURCE_NOT_FOUND. */
    ask: (folder: FolderRow, confirmedDeletions: number | null) => askSource(db, folder, confirmedDeletions),
    /** The folder keeps its secrets. Throws SOURCE_NOT_FOUND. */
    unset: (folder: FolderRow) => unsetSource(db, folder),
    /** Of whatever org: signed by who knows it, a notification needs no other proof. Undefined where none are taken. */
    notifySecretOf: (folderId: string) => findNotifySecret(db, encryption, folderId),
    /** Makes the source due. False for a notification that is not newer than the last one. */
    notify: (folderId: string, atMs: number) => notifySource(db, folderId, atMs),
    /** Due sources, the oldest first, to be queued. */
    dispatch: (limit: number) => dispatchSources(db, limit),
    undispatch: (folderIds: readonly string[]) => undispatchSources(db, folderIds),
    /** The job of another program: returns the id of the request that stands for it, or undefined without such a source. */
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
  const refusal = refusalOf(settings.url, hosts);
  if (refusal !== undefined) throw new JobError('SOURCE_URL_REFUSED', { message: `The URL is refused: ${refusal}.` });
  const pair = clientCertificateOf(settings);
  const problem = pair && certificateProblem(pair, new Date());
  if (problem !== undefined) throw new JobError('PAYLOAD_INVALID', { message: `${problem}.` });
  const [folderId, orgId] = [folder.id, folder.orgId];
  const target = encryption.encrypt(JSON.stringify(settings), sourcePlace({ orgId, folderId }));
  const { kind } = settings;
  const config = { ...shownConfig(settings), ...(pair && { certificateExpiresAt: expiryOf(pair) }) };
  const values = { folderId, orgId, kind, config, target, everySeconds };
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

const shown = sql`${isStale} as _is_stale, (lease_token is not null and lease_until > now()) as _is_running`;
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
  const [row] = await execute(
    db,
    sql`
      with gone as (
        delete from keyferry.sources where ${isOf(folder)} returning *
      ),
      closed as (
        update keyferry.requests r set done_at = now()
        from gone where r.subject_id = gone.folder_id and r.kind = 'pull' and r.done_at is null
      )
      select gone.*, ${shown} from gone`,
  );
  return toSource(row);
}

async function findNotifySecret(db: Database, encryption: Encryption, folderId: string): Promise<string | undefined> {
  const [row] = await execute(db, sql`select * from keyferry.sources where folder_id = ${folderId}`);
  if (row === undefined) return undefined;
  const settings = settingsOf(fromRow(sources, row), encryption);
  return settings.notifySecret ?? undefined;
}

function settingsOf(source: typeof sources.$inferSelect, encryption: Encryption): SourceSettings {
  return JSON.parse(encryption.decrypt(source.target, sourcePlace(source))) as SourceSettings;
}

/** Notifications within this time after one become one pull. */
const GATHER_MS = 5_000;

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

/** Sources of one org that may be queued or read at once: slow ones of one org leave room for those of others. */
const ORG_WINDOW = 4;
/** A job that takes longer to come to a worker than this is queued again. */
const DISPATCH_LEASE = sql`make_interval(secs => ${DISPATCH_LEASE_SECONDS})`;

/** On the row `s`: due, and neither queued nor read by anybody. A lease without a token is that of a job in the queue. */
const isFree = sql`s.next_due_at <= now() and (s.lease_until is null or s.lease_until < now())`;

/** Rows: the sources to be queued, the oldest first. Locks: those sources; what another process dispatches just now is left out. */
async function dispatchSources(db: Database, limit: number): Promise<readonly DispatchedSource[]> {
  const rows = await execute(
    db,
    sql`
      with taken as (
        select org_id, count(*) as places from keyferry.sources where lease_until > now() group by org_id
      ),
      candidates as materialized (
        select s.folder_id, row_number() over (partition by s.org_id order by s.next_due_at)
          + coalesce(taken.places, 0) as place
        from keyferry.sources s left join taken on taken.org_id = s.org_id
        where ${isFree}
      ),
      due as materialized (
        select s.folder_id from keyferry.sources s
        join candidates on candidates.folder_id = s.folder_id
        where candidates.place <= ${ORG_WINDOW} and ${isFree}
        order by s.next_due_at
        limit ${limit}
        for update of s skip locked
      ),
      dispatched as (
        update keyferry.sources s set
          lease_token = null,
          lease_until = now() + ${DISPATCH_LEASE}
        from due where s.folder_id = due.folder_id
        returning s.folder_id, s.asked > s.answered as is_asked, s.next_due_at
      )
      select folder_id, is_asked from dispatched order by next_due_at`,
  );
  return rows.map((row) => ({ id: String(row.folder_id), isAsked: row.is_asked === true }));
}

/** Gives back what could not be queued, so that it does not wait for its dispatch lease. */
async function undispatchSources(db: Database, folderIds: readonly string[]): Promise<void> {
  await execute(
    db,
    sql`
      update keyferry.sources set lease_until = null
      where folder_id = any(${textArray(folderIds)}::uuid[]) and lease_token is null`,
  );
}

/** Undefined when the source is not due, is gone, or is read by another worker. */
async function claimSource(
  db: Database,
  encryption: Encryption,
  { folderId, jobId }: PullJob,
): Promise<ClaimedSource | undefined> {
  const [row] = await execute(
    db,
    sql`
      with claimed as (
        update keyferry.sources s set
          lease_token = gen_random_uuid(),
          lease_until = now() + ${PULL_LEASE}
        where s.folder_id = ${folderId} and s.next_due_at <= now()
          and (s.lease_token is null or s.lease_until < now())
        returning s.*
      )
      select to_jsonb(claimed) as source, to_jsonb(f) as folder
      from claimed join keyferry.folders f on f.id = claimed.folder_id`,
  );
  if (row === undefined) return undefined;
  const source = fromRow(sources, row.source as Record<string, unknown>);
  return {
    ...{ source, jobId },
    folder: fromRow(folders, row.folder as Record<string, unknown>),
    leaseToken: source.leaseToken ?? '',
    settings: () => settingsOf(source, encryption),
  };
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
