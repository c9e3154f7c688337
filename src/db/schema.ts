/**
 * Every table of the schema `keyferry`. Columns named in the public contract are stable for readers; the rest is ours.
 * Ciphertexts are text (`db/encryption.ts`) and never appear in the reporting views.
 */
import { sql, type SQL } from 'drizzle-orm';
import {
  type AnyPgColumn,
  bigint,
  boolean,
  doublePrecision,
  foreignKey,
  index,
  integer,
  interval,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

import type { StoredCandidate, ExternalIdException, Via } from '../domain/connection/candidate.ts';
import type { Check } from '../domain/connection/checks.ts';
import type { RunCounts, RunKind, RunProgress, RunStatus } from '../domain/run.ts';
import type { DestinationName, DestinationService } from '../domain/destinations/names.ts';
import type { DestinationConfig } from '../domain/destinations/registry.ts';
import type { SourceConfig, SourceKind } from '../domain/sources.ts';
import type { SyncOptions } from '../domain/sync/config.ts';
import type { DriftKind, EntrySettings, InFlight, ObservedObject } from '../domain/sync/ledger.ts';
import type { Pace } from '../domain/sync/pace.ts';
import type { SyncProgress } from '../domain/sync/progress.ts';
import { moment } from './moment.ts';

export const keyferry = pgSchema('keyferry');

const created = () =>
  moment('created_at')
    .notNull()
    .default(sql`now()`);
const updated = () =>
  moment('updated_at')
    .notNull()
    .default(sql`now()`);

/** What the tick and the lease need, the same on every subject. */
const work = () => ({
  /** Since when `datedStatus` holds; both are kept by the trigger `date_status`. */
  statusSince: moment('status_since')
    .notNull()
    .default(sql`now()`),
  /** The last status besides pending and running; of a sync also `drifted`. Null before the first. */
  datedStatus: text('dated_status'),
  description: text('description'),
  projectId: text('project_id'),
  version: integer('version').notNull().default(1),
  /** Earliest moment at which there is anything to do; null while blocked or paused. */
  nextDueAt: moment('next_due_at'),
  wantedRevision: bigint('wanted_revision', { mode: 'number' }).notNull().default(1),
  doneRevision: bigint('done_revision', { mode: 'number' }).notNull().default(0),
  /** Attempts spent on the present wish; 0 after a success. */
  attempt: integer('attempt').notNull().default(0),
  /** Runs ever claimed, those that died included. */
  claims: bigint('claims', { mode: 'number' }).notNull().default(0),
  /** Why the row is due: goes into the job and the run. */
  dueReason: text('due_reason').notNull().default('scheduled'),
  dueRequestedBy: text('due_requested_by'),
  /** The trace of who made it due, as W3C's traceparent; null when nobody traces. */
  dueTraceparent: text('due_traceparent'),
  /** `next_due_at` when the present run was claimed: a difference means that somebody made the row due since. */
  claimedDueAt: moment('claimed_due_at'),
  dispatchLeaseUntil: moment('dispatch_lease_until'),
  runLeaseUntil: moment('run_lease_until'),
  /** The id of the run that holds the lease; every write of a run is bound to it. */
  runToken: uuid('run_token'),
  // Indexed instead of the leases themselves: an update that leaves it as it is (a claim, a renewal) touches no index and leaves nothing to vacuum.
  isInFlight: boolean('is_in_flight').generatedAlwaysAs(
    sql`dispatch_lease_until is not null or run_lease_until is not null`,
  ),
});

/** Indexed instead of the status itself, for the same reason: a status comes and goes with every run. */
const troubled = (isTroubled: SQL) => boolean('is_troubled').generatedAlwaysAs(isTroubled);

export const orgs = keyferry.table('orgs', {
  id: text('id').primaryKey(),
  /** Key of the fingerprints in `sync_entries`, encrypted; the key itself never changes. */
  fingerprintKey: text('fingerprint_key').notNull(),
  createdAt: created(),
});

export const connections = keyferry.table(
  'connections',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    name: text('name').notNull(),
    method: text('method').$type<'assume-role' | 'access-key'>().notNull(),
    roleArn: text('role_arn'),
    externalId: text('external_id'),
    accessKeyId: text('access_key_id'),
    secretAccessKey: text('secret_access_key'),
    /** Grows with every change of role, key or secret: sessions and ciphertexts are bound to it. */
    credentialsRevision: integer('credentials_revision').notNull().default(1),
    /** Credentials that replace the present ones once a validation accepts them; kept with the reason when it refused them. */
    candidate: jsonb('candidate').$type<StoredCandidate>(),
    /** The candidate's secret access key, encrypted for the revision that it would become. */
    candidateSecret: text('candidate_secret'),
    /** An operator's word that this role may be used although it does not insist on an external ID. */
    externalIdException: jsonb('external_id_exception').$type<ExternalIdException>(),
    /** Whether syncs use the access key only through a federated session that their policy narrows. */
    narrowAccessKey: boolean('narrow_access_key').notNull().default(false),
    region: text('region'),
    /** Who set the credentials last. */
    createdVia: text('created_via').$type<Via>().notNull().default('operator'),
    status: text('status').$type<'pending' | 'valid' | 'degraded' | 'invalid'>().notNull().default('pending'),
    statusCode: text('status_code'),
    statusMessage: text('status_message'),
    accountId: text('account_id'),
    principalArn: text('principal_arn'),
    checks: jsonb('checks').$type<readonly Check[]>().notNull().default([]),
    lastValidatedAt: moment('last_validated_at'),
    nextValidationAt: moment('next_validation_at'),
    /** When the enforcement of the external ID was last probed. */
    externalIdProbedAt: moment('external_id_probed_at'),
    consecutiveFailures: integer('consecutive_failures').notNull().default(0),
    createdAt: created(),
    updatedAt: updated(),
    isTroubled: troubled(sql`status in ('invalid', 'degraded')`),
    ...work(),
  },
  (t) => [
    uniqueIndex('connections_org_name').on(t.orgId, t.name, sql`coalesce(${t.projectId}, '')`),
    unique('connections_org_id').on(t.orgId, t.id),
    // What needs a person: few rows, read by the status page and the webhook.
    index('connections_troubled')
      .on(t.statusSince)
      .where(sql`${t.isTroubled}`),
    ...workIndexes('connections', t),
  ],
);

function workIndexes(
  name: string,
  t: { nextDueAt: AnyPgColumn; dueReason: AnyPgColumn; isInFlight: AnyPgColumn; id: AnyPgColumn },
) {
  return [
    // Few rows: what somebody waits for is dispatched before what a schedule made due.
    index(`${name}_requested`)
      .on(t.nextDueAt)
      .where(sql`${t.dueReason} = 'requested' and ${t.nextDueAt} is not null`),
    index(`${name}_due`)
      .on(t.nextDueAt)
      .where(sql`${t.nextDueAt} is not null`),
    // Only rows in flight: what the window of an account counts, small however large the table is.
    index(`${name}_in_flight`)
      .on(t.id)
      .where(sql`${t.isInFlight}`),
  ];
}

export const folders = keyferry.table(
  'folders',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    projectId: text('project_id').notNull(),
    environment: text('environment').notNull(),
    secretPath: text('secret_path').notNull(),
    revision: bigint('revision', { mode: 'number' }).notNull().default(1),
    updatedAt: updated(),
  },
  (t) => [
    unique('folders_place').on(t.orgId, t.projectId, t.environment, t.secretPath),
    unique('folders_org_id').on(t.orgId, t.id),
  ],
);

export const secrets = keyferry.table(
  'secrets',
  {
    folderId: uuid('folder_id')
      .notNull()
      .references(() => folders.id, { onDelete: 'cascade' }),
    key: text('key').notNull(),
    /** Ciphertext, bound to org, folder, key and revision. */
    value: text('value').notNull(),
    /** The folder's revision at which this value was written. */
    revision: bigint('revision', { mode: 'number' }).notNull(),
    metadata: jsonb('metadata').$type<Readonly<Record<string, string>>>().notNull().default({}),
    /** The rotation that alone may write this secret. */
    managedBy: uuid('managed_by'),
    updatedAt: updated(),
  },
  (t) => [primaryKey({ columns: [t.folderId, t.key] })],
);

/** The source of a folder: who alone writes its secrets, besides rotations. */
export const sources = keyferry.table(
  'sources',
  {
    folderId: uuid('folder_id').primaryKey(),
    orgId: text('org_id').notNull(),
    kind: text('kind').$type<SourceKind>().notNull(),
    /** What may be shown. */
    config: jsonb('config').$type<SourceConfig>().notNull(),
    /** Encrypted JSON: all settings, with URL and credentials. */
    target: text('target').notNull(),
    /** Grows with every change of the settings: the ciphertext is bound to it. */
    targetRevision: integer('target_revision').notNull().default(1),
    everySeconds: integer('every_seconds').notNull(),
    status: text('status').$type<'pending' | 'succeeded' | 'blocked' | 'failed'>().notNull().default('pending'),
    statusCode: text('status_code'),
    statusMessage: text('status_message'),
    statusSince: moment('status_since')
      .notNull()
      .default(sql`now()`),
    /** Failed pulls in a row. */
    failures: integer('failures').notNull().default(0),
    etag: text('etag'),
    /** The folder's revision that the last pull left: with `etag` it decides that the same answer needs no look. Null: not read with these settings. */
    pulledRevision: bigint('pulled_revision', { mode: 'number' }),
    /** The last pull that left the folder equal to its source. */
    lastPulledAt: moment('last_pulled_at'),
    /** Keys of the source that a rotation manages. */
    skippedKeys: jsonb('skipped_keys').$type<readonly string[]>().notNull().default([]),
    nextDueAt: moment('next_due_at')
      .notNull()
      .default(sql`now()`),
    /** Pulls ever asked for, and how many of them are answered. */
    asked: bigint('asked', { mode: 'number' }).notNull().default(1),
    answered: bigint('answered', { mode: 'number' }).notNull().default(0),
    /** `--confirm-deletions N` of the open request. */
    confirmedDeletions: integer('confirmed_deletions'),
    /** Every write of a pull is bound to it. Null with a lease: the pull is in the queue. */
    leaseToken: uuid('lease_token'),
    leaseUntil: moment('lease_until'),
    /** Of the last notification that was accepted, in milliseconds of its sender's clock: no older one is. */
    notifiedAtMs: bigint('notified_at_ms', { mode: 'number' }),
    createdAt: created(),
    updatedAt: updated(),
  },
  (t) => [
    foreignKey({
      name: 'sources_folder',
      columns: [t.orgId, t.folderId],
      foreignColumns: [folders.orgId, folders.id],
    }).onDelete('cascade'),
    index('sources_due').on(t.nextDueAt),
  ],
);

export const syncs = keyferry.table(
  'syncs',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    name: text('name').notNull(),
    connectionId: uuid('connection_id').notNull(),
    folderId: uuid('folder_id').notNull(),
    destination: text('destination').$type<DestinationName>().notNull(),
    destinationConfig: jsonb('destination_config').$type<DestinationConfig>().notNull(),
    syncOptions: jsonb('sync_options').$type<SyncOptions>().notNull(),
    isAutoSyncEnabled: boolean('is_auto_sync_enabled').notNull().default(true),
    syncStatus: text('sync_status')
      .$type<'pending' | 'running' | 'succeeded' | 'partial' | 'failed' | 'blocked' | 'cancelled'>()
      .notNull()
      .default('pending'),
    statusCode: text('status_code'),
    statusMessage: text('status_message'),
    lastRunId: uuid('last_run_id'),
    lastSyncedAt: moment('last_synced_at'),
    /** When the first run imported what the destination held: that is never done again. */
    initialImportAt: moment('initial_import_at'),
    syncedRevision: bigint('synced_revision', { mode: 'number' }),
    /** The sync's own `version` at its last success: with `synced_revision` it decides without a call that nothing is to do. */
    syncedVersion: integer('synced_version'),
    /** Where a run that gave its place back goes on; null when nothing is begun. */
    progress: jsonb('progress').$type<SyncProgress>(),
    drift: text('drift').$type<'unknown' | 'none' | 'drifted'>().notNull().default('unknown'),
    lastCheckedAt: moment('last_checked_at'),
    nextReconcileAt: moment('next_reconcile_at'),
    pausedAt: moment('paused_at'),
    /** The run that a person told to stop; null again once no run goes on with its work. */
    cancelledRunId: uuid('cancelled_run_id'),
    /** When this subject last compared itself with AWS because of a new epoch of the installation. */
    comparedAt: moment('compared_at'),
    createdAt: created(),
    updatedAt: updated(),
    isTroubled: troubled(sql`sync_status in ('failed', 'blocked', 'partial') or drift = 'drifted'`),
    ...work(),
  },
  (t) => [
    uniqueIndex('syncs_org_name').on(t.orgId, t.name, sql`coalesce(${t.projectId}, '')`),
    // What needs a person: few rows, read by the status page and the webhook.
    index('syncs_troubled')
      .on(t.statusSince)
      .where(sql`${t.isTroubled}`),
    foreignKey({
      name: 'syncs_connection',
      columns: [t.orgId, t.connectionId],
      foreignColumns: [connections.orgId, connections.id],
    }),
    foreignKey({ name: 'syncs_folder', columns: [t.orgId, t.folderId], foreignColumns: [folders.orgId, folders.id] }),
    index('syncs_by_folder').on(t.folderId),
    index('syncs_by_connection').on(t.connectionId),
    ...workIndexes('syncs', t),
  ],
);

export const syncEntries = keyferry.table(
  'sync_entries',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    syncId: uuid('sync_id')
      .notNull()
      .references(() => syncs.id, { onDelete: 'cascade' }),
    remoteName: text('remote_name').notNull(),
    /** The secret's key in the folder; many-to-one has one entry per key under the same remote name. */
    key: text('key').notNull(),
    // Where the object lives: a sync that moves still deletes through the place it wrote to.
    connectionId: uuid('connection_id').notNull(),
    /** The folder that `synced_revision` belongs to. */
    folderId: uuid('folder_id'),
    partition: text('partition').notNull(),
    accountId: text('account_id').notNull(),
    region: text('region').notNull(),
    service: text('service').$type<DestinationService>().notNull(),
    /** True for the one entry per remote object that claims its name; false for further keys of a many-to-one secret. */
    isClaim: boolean('is_claim').notNull().default(true),
    remoteVersion: text('remote_version'),
    /** HMAC over value and settings under the org's key; never shown. */
    fingerprint: text('fingerprint'),
    /** The write in flight: operation, token, fingerprint to be, moment; null when its answer is recorded. */
    inFlight: jsonb('in_flight').$type<InFlight>(),
    status: text('status').$type<'synced' | 'failed' | 'conflict' | 'skipped'>().notNull(),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    /** What was asked of AWS besides the value: key, tier, tags. */
    settings: jsonb('settings').$type<EntrySettings>().notNull().default({ keyId: null, tags: {} }),
    /** What AWS told about the object, for drift checks. */
    observed: jsonb('observed').$type<ObservedObject>().notNull().default({}),
    /** What the last drift check found different; null when nothing. */
    drift: text('drift').$type<DriftKind>(),
    checkedAt: moment('checked_at'),
    tagsCheckedAt: moment('tags_checked_at'),
    /** How many more writes the object takes for now. */
    pace: jsonb('pace').$type<Pace>(),
    writtenAt: moment('written_at'),
    deletedAt: moment('deleted_at'),
    /** The folder's revision that this entry's value stems from. */
    syncedRevision: bigint('synced_revision', { mode: 'number' }),
    /** False: written or deleted since the last `sync.changed`. */
    isTold: boolean('is_told').notNull().default(true),
  },
  (t) => [
    unique('sync_entries_name').on(t.syncId, t.region, t.accountId, t.remoteName, t.key),
    index('sync_entries_untold')
      .on(t.syncId)
      .where(sql`not ${t.isTold}`),
    // The claim of a remote name: two syncs, of whatever orgs, never own the same object.
    uniqueIndex('sync_entries_claim')
      .on(t.partition, t.accountId, t.region, t.service, t.remoteName)
      .where(sql`${t.isClaim} and ${t.deletedAt} is null and ${t.status} in ('synced', 'failed')`),
  ],
);

export const rotations = keyferry.table(
  'rotations',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    name: text('name').notNull(),
    connectionId: uuid('connection_id').notNull(),
    folderId: uuid('folder_id').notNull(),
    userName: text('user_name').notNull(),
    userId: text('user_id'),
    accountId: text('account_id'),
    secretsMapping: jsonb('secrets_mapping').$type<{ accessKeyId: string; secretAccessKey: string }>().notNull(),
    rotationIntervalDays: integer('rotation_interval_days').notNull(),
    rotateAtUtc: jsonb('rotate_at_utc').$type<{ hours: number; minutes: number }>().notNull(),
    /** Kept for clients that send one and expect it back; IAM is global. */
    region: text('region'),
    /** Whether a key is taken over that a deleted rotation of another folder left. */
    onExisting: text('on_existing').$type<'fail' | 'adopt'>().notNull().default('fail'),
    grace: interval('grace').notNull(),
    /** Further times of the machine, in seconds: quiet window and hold. */
    /** How `grace` is read: the text of an interval depends on the session's IntervalStyle. */
    graceSeconds: integer('grace_seconds')
      .generatedAlwaysAs(sql`extract(epoch from grace)::integer`)
      .notNull(),
    quietSeconds: integer('quiet_seconds').notNull(),
    holdSeconds: integer('hold_seconds').notNull(),
    isAutoRotationEnabled: boolean('is_auto_rotation_enabled').notNull().default(true),
    phase: text('phase').notNull().default('idle'),
    /** What the present phase needs to remember: the intent with the keys seen, counters, deadlines. Never a secret. */
    phaseState: jsonb('phase_state').$type<Readonly<Record<string, unknown>>>().notNull().default({}),
    phaseEnteredAt: moment('phase_entered_at')
      .notNull()
      .default(sql`now()`),
    rotationStatus: text('rotation_status')
      .$type<'pending' | 'running' | 'succeeded' | 'failed' | 'blocked'>()
      .notNull()
      .default('pending'),
    statusCode: text('status_code'),
    statusMessage: text('status_message'),
    activeAccessKeyId: text('active_access_key_id'),
    lastRotatedAt: moment('last_rotated_at'),
    nextRotationAt: moment('next_rotation_at'),
    pausedAt: moment('paused_at'),
    /** When this subject last compared itself with AWS because of a new epoch of the installation. */
    comparedAt: moment('compared_at'),
    createdAt: created(),
    updatedAt: updated(),
    isTroubled: troubled(sql`rotation_status in ('failed', 'blocked')`),
    ...work(),
  },
  (t) => [
    uniqueIndex('rotations_org_name').on(t.orgId, t.name, sql`coalesce(${t.projectId}, '')`),
    // What needs a person: few rows, read by the status page and the webhook.
    index('rotations_troubled')
      .on(t.statusSince)
      .where(sql`${t.isTroubled}`),
    // One rotation per IAM user: two would delete each other's keys. IAM does not distinguish names by case.
    uniqueIndex('rotations_user').on(t.accountId, sql`lower(${t.userName})`),
    foreignKey({
      name: 'rotations_connection',
      columns: [t.orgId, t.connectionId],
      foreignColumns: [connections.orgId, connections.id],
    }),
    foreignKey({
      name: 'rotations_folder',
      columns: [t.orgId, t.folderId],
      foreignColumns: [folders.orgId, folders.id],
    }),
    index('rotations_by_connection').on(t.connectionId),
    ...workIndexes('rotations', t),
  ],
);

export const rotationKeys = keyferry.table(
  'rotation_keys',
  {
    rotationId: uuid('rotation_id')
      .notNull()
      .references(() => rotations.id, { onDelete: 'cascade' }),
    accessKeyId: text('access_key_id').notNull(),
    state: text('state').$type<'pending' | 'active' | 'retiring' | 'inactive' | 'deleted' | 'foreign'>().notNull(),
    secret: text('secret'),
    createdAt: created(),
    publishedAt: moment('published_at'),
    retireAfter: moment('retire_after'),
    lastUsedAt: moment('last_used_at'),
  },
  (t) => [primaryKey({ columns: [t.rotationId, t.accessKeyId] })],
);

/** The timeline of a rotation: one row per persisted step. */
export const rotationSteps = keyferry.table(
  'rotation_steps',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    rotationId: uuid('rotation_id')
      .notNull()
      .references(() => rotations.id, { onDelete: 'cascade' }),
    runId: uuid('run_id'),
    at: moment('at')
      .notNull()
      .default(sql`now()`),
    phase: text('phase').notNull(),
    step: text('step').notNull(),
    accessKeyId: text('access_key_id'),
    detail: text('detail'),
  },
  (t) => [index('rotation_steps_by_rotation').on(t.rotationId, t.id)],
);

export const requests = keyferry.table(
  'requests',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    kind: text('kind')
      .$type<'validate' | 'sync' | 'plan' | 'check' | 'import' | 'remove' | 'rotate' | 'pull'>()
      .notNull(),
    subjectId: uuid('subject_id').notNull(),
    parameters: jsonb('parameters').$type<Readonly<Record<string, unknown>>>().notNull().default({}),
    actor: text('actor'),
    reason: text('reason').notNull().default('requested'),
    // Of an outside job: a redelivery finds its own row and starts nothing twice.
    sourceQueue: text('source_queue'),
    sourceJobId: text('source_job_id'),
    sourceTimestamp: bigint('source_timestamp', { mode: 'number' }),
    createdAt: created(),
    doneAt: moment('done_at'),
    runId: uuid('run_id'),
    status: text('status')
      .$type<'open' | 'answered' | 'cancelled'>()
      .notNull()
      .generatedAlwaysAs(
        sql`case when done_at is null then 'open' when run_id is null then 'cancelled' else 'answered' end`,
      ),
  },
  (t) => [
    unique('requests_source').on(t.sourceQueue, t.sourceJobId, t.sourceTimestamp),
    index('requests_open')
      .on(t.subjectId, t.createdAt)
      .where(sql`${t.doneAt} is null`),
    index('requests_answered')
      .on(t.doneAt)
      .where(sql`${t.doneAt} is not null`),
  ],
);

export const runs = keyferry.table(
  'runs',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    kind: text('kind').$type<RunKind>().notNull(),
    subjectId: uuid('subject_id').notNull(),
    orgId: text('org_id').notNull(),
    jobId: text('job_id'),
    attempt: integer('attempt').notNull(),
    reason: text('reason').notNull(),
    requestedBy: text('requested_by'),
    status: text('status').$type<RunStatus>().notNull(),
    startedAt: moment('started_at')
      .notNull()
      .default(sql`now()`),
    finishedAt: moment('finished_at'),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    counts: jsonb('counts').$type<RunCounts>(),
    /** Stored while the run is under way; of a run that replaced others like it, the calls of all. */
    awsCalls: jsonb('aws_calls').$type<Readonly<Record<string, number>>>(),
    /** How far a long sync has come, stored while it writes. */
    progress: jsonb('progress').$type<RunProgress>(),
    /** What the run found out, for who asked: a plan, a list of what stays behind. Never a value. */
    result: jsonb('result').$type<unknown>(),
    /** Null: the run did or said something. Else it found everything as before, and stands for this many earlier runs that did, too. */
    repeats: integer('repeats'),
    /** When the first of the runs that it stands for began. */
    firstStartedAt: moment('first_started_at'),
  },
  (t) => [
    index('runs_by_subject').on(t.subjectId, t.startedAt),
    index('runs_running')
      .on(t.subjectId)
      .where(sql`${t.status} = 'running'`),
    index('runs_by_start').on(t.startedAt),
    // Few rows: the last import and removal of a sync are shown with it, however long its history is.
    index('runs_imports_and_removals')
      .on(t.subjectId, t.startedAt)
      .where(sql`${t.kind} in ('import', 'remove')`),
  ],
);

/** Token buckets shared by all workers: one row per account, region and operation group, with what was learned of AWS's rate. */
export const callBudgets = keyferry.table(
  'call_budgets',
  {
    accountId: text('account_id').notNull(),
    region: text('region').notNull(),
    quotaGroup: text('quota_group').notNull(),
    ratePerSecond: doublePrecision('rate_per_second').notNull(),
    /** The rate at which AWS was last seen to throttle; null while that is unknown. */
    ceilingRate: doublePrecision('ceiling_rate'),
    burst: doublePrecision('burst').notNull(),
    /** Below zero when calls are promised ahead of time. */
    tokens: doublePrecision('tokens').notNull(),
    refilledAt: moment('refilled_at')
      .notNull()
      .default(sql`now()`),
    throttledAt: moment('throttled_at'),
    // Since AWS's own bucket was last known to be full or empty: what was granted since then measures its rate.
    windowStartedAt: moment('window_started_at')
      .notNull()
      .default(sql`now()`),
    windowGranted: doublePrecision('window_granted').notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.region, t.quotaGroup] })],
);
