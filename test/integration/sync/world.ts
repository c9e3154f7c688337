/**
 * A world for syncs: the sandbox on a clock that tests move, a database, and the real processor
 * between the real engine's claim and settlement, without a queue. Also what the benchmark of syncs
 * runs on.
 */
import { eq, sql } from 'drizzle-orm';

import { createAwsAccess, type AwsAccessOptions } from '../../../src/aws/access.ts';
import { openParameterStore, type ParameterStore } from '../../../src/aws/parameter-store.ts';
import { createProbes } from '../../../src/aws/probes.ts';
import { openSecretsManager } from '../../../src/aws/secrets-manager.ts';
import { createConnections } from '../../../src/db/connections.ts';
import { createFingerprintKeys } from '../../../src/db/fingerprint-key.ts';
import { createFolders, type FolderRow } from '../../../src/db/folders.ts';
import { createInstallation } from '../../../src/db/installation.ts';
import { createRequests } from '../../../src/db/requests.ts';
import { folders as folderRows, runs, syncs } from '../../../src/db/schema.ts';
import type { SyncRow } from '../../../src/db/engine/subjects.ts';
import { createSyncEntries } from '../../../src/db/sync/entries.ts';
import { createSyncSource } from '../../../src/db/sync/source.ts';
import { createSyncs, type NewSync } from '../../../src/db/sync/syncs.ts';
import { createWork, type WorkStore } from '../../../src/db/engine/work.ts';
import { createTombstones } from '../../../src/db/sync/tombstones.ts';
import { createCallLog } from '../../../src/domain/call-log.ts';
import type { Outcome } from '../../../src/domain/run.ts';
import { syncOptions } from '../../../src/domain/sync/config.ts';
import { ownershipTag } from '../../../src/domain/ownership.ts';
import type { LedgerEntry } from '../../../src/domain/sync/ledger.ts';
import { snoozed } from '../../../src/domain/snooze.ts';
import { JobError } from '../../../src/errors.ts';
import { createLog } from '../../../src/observe/log.ts';
import {
  createAwsSandbox,
  createSandboxClock,
  createSandboxRequestHandler,
  type AwsSandbox,
  type AwsSandboxOptions,
  type BehaviourOption,
  type PolicyDocument,
} from '../../../src/sandbox/aws/index.ts';
import { afterThisTest } from '../../support/after-each.ts';
import { databaseClock, type DatabaseClock } from '../../support/database-clock.ts';
import type { Stage } from '../../support/stage.ts';
import type { Processor, Run } from '../../../src/workers/engine/processor.ts';
import { createSyncProcessor, type SyncDependencies } from '../../../src/workers/sync/processor.ts';
import { unaskedWritesOf } from '../../../src/workers/engine/unasked-writes.ts';
import { findUnfounded, findUntruths, type SourceSecret } from './truth.ts';

export const REGION = 'eu-west-1';
const BASE_ACCOUNT = '111122223333';
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The policies that Infisical documents, to the letter. */
export const DOCUMENTED_PARAMETER_ACTIONS = [
  'ssm:PutParameter',
  'ssm:GetParameters',
  'ssm:GetParametersByPath',
  'ssm:DescribeParameters',
  'ssm:DeleteParameters',
  'ssm:ListTagsForResource',
  'ssm:AddTagsToResource',
  'ssm:RemoveTagsFromResource',
  'kms:ListAliases',
  'kms:Encrypt',
  'kms:Decrypt',
  'kms:DescribeKey',
];
export const DOCUMENTED_SECRET_ACTIONS = [
  'secretsmanager:ListSecrets',
  'secretsmanager:GetSecretValue',
  'secretsmanager:BatchGetSecretValue',
  'secretsmanager:CreateSecret',
  'secretsmanager:UpdateSecret',
  'secretsmanager:DeleteSecret',
  'secretsmanager:DescribeSecret',
  'secretsmanager:TagResource',
  'secretsmanager:UntagResource',
  'kms:ListAliases',
  'kms:Encrypt',
  'kms:Decrypt',
  'kms:DescribeKey',
];
/** What keyferry can make use of beyond them. */
export const ALL_ACTIONS = [
  ...DOCUMENTED_PARAMETER_ACTIONS,
  ...DOCUMENTED_SECRET_ACTIONS,
  'secretsmanager:PutSecretValue',
  'secretsmanager:UpdateSecretVersionStage',
  'secretsmanager:RestoreSecret',
  'secretsmanager:ReplicateSecretToRegions',
  'secretsmanager:RemoveRegionsFromReplication',
  'kms:GenerateDataKey',
];

export function allow(actions: readonly string[], resource: string | readonly string[] = '*'): PolicyDocument {
  const Resource = typeof resource === 'string' ? resource : [...resource];
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: [...actions], Resource }] };
}

export interface WorldOptions {
  readonly sandbox?: AwsSandboxOptions;
  readonly policy?: PolicyDocument;
  readonly budget?: AwsAccessOptions['budget'];
  /** Stands between the engine and its dependencies, to crash it. */
  readonly wrap?: (deps: SyncDependencies) => SyncDependencies;
  /** Stands between the engine and its own statements. */
  readonly wrapWork?: (work: WorkStore) => WorkStore;
  /** Stands between the worker and AWS. */
  readonly wrapHandle?: (handle: AwsSandbox['handle']) => AwsSandbox['handle'];
  /** The real time, for measuring; default: the clock stands until it is moved. */
  readonly isRealTime?: boolean;
}

export type SyncInput = Partial<Omit<NewSync, 'syncOptions'>> & {
  readonly syncOptions?: Partial<NewSync['syncOptions']>;
};

export interface RunInput {
  readonly request?: 'sync' | 'plan' | 'check' | 'import' | 'remove';
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly isCancelled?: Run<'sync'>['isCancelled'];
  /** Default: somebody waits, so that long syncs run in slices. */
  readonly isAwaited?: Run<'sync'>['isAwaited'];
  readonly noteProgress?: Run<'sync'>['noteProgress'];
}

/** What a run came to, and what it called besides AssumeRole and permission probes. */
export interface Ran {
  readonly runId: string;
  readonly outcome: Outcome;
  readonly calls: Readonly<Record<string, number>>;
  /** Objects that were written again although the ledger had them as written. */
  readonly rewrites: number;
}

export type World = Awaited<ReturnType<typeof createWorld>>;

let worlds = 0;
let defaultBehaviour: BehaviourOption = {};

/**
 * What the sandboxes of this file's worlds do where AWS's own sources contradict each other, unless
 * a world says otherwise.
 */
export function setDefaultBehaviour(behaviour: BehaviourOption): void {
  defaultBehaviour = behaviour;
}

export async function createWorld(stage: Stage, options: WorldOptions = {}) {
  worlds += 1;
  const clock = await openClock(stage, options);
  const behaviour = { ...defaultBehaviour, ...options.sandbox?.behaviour };
  const sandbox = createAwsSandbox({ clock, seed: worlds, ...options.sandbox, behaviour });
  const orgId = `org-${String(worlds)}-${crypto.randomUUID().slice(0, 8)}`;
  // Remote names are claimed across all orgs of a database: each world has an account of its own.
  const accountId = String(222_200_000_000 + Math.floor(Math.random() * 99_000_000));
  const base = createBase(sandbox, { orgId, accountId }, options);
  const { handle, encryption } = stage;
  const connections = createConnections(handle.db, encryption);
  const connection = await connect(stage, connections, { orgId, accountId, name: 'aws', roleArn: base.roleArn });
  const folders = createFolders(handle.db, encryption);
  const folder = await folders.ensure(orgId, { projectId: 'app', environment: 'prod', secretPath: '/api' });
  const installation = await createInstallation(handle.db).get();
  const typeChange = behaviour.parameterTypeChange ?? 'refused';
  const site = {
    ...{ typeChange, stage, options, clock, sandbox, orgId, accountId, installationId: installation.id },
    ...{ base, connections, connection, folders, folder },
  };
  /** With nothing in between, and nothing in its memory. */
  const anotherWorker = (): Worker => actions({ ...site, options: withoutWraps(options) });
  /** A worker of a copy of this database, which talks to the same AWS. */
  const workerOf = (copy: Stage, ownClock: DatabaseClock): Worker =>
    actions({
      ...site,
      stage: copy,
      clock: ownClock,
      options: withoutWraps(options),
      connections: createConnections(copy.handle.db, copy.encryption),
      folders: createFolders(copy.handle.db, copy.encryption),
    });
  const truth = truths(site);
  afterThisTest(truth.require);
  return {
    ...{ ...site, ...subjects(site), ...actions(site), ...looks(site), anotherWorker, workerOf },
    /**
     * The status may be untrue from here on, and why: somebody changed AWS or the database after
     * the last look.
     */
    meddled: truth.meddled,
    /** What is not as the syncs' status says. */
    untruths: truth.find,
  };
}

/**
 * After each test: every sync of the world that says all is well must be right, unless the test
 * declared why not.
 */
function truths({ stage, sandbox, orgId, folders, installationId }: Site) {
  let meddledWhy: string | undefined;
  const partsOf = async ({ folderId, syncOptions: { recursive } }: SyncRow): Promise<readonly FolderRow[]> => {
    const own = await folders.get(folderId);
    if (recursive !== true) return [own];
    const rows = await stage.handle.db.select().from(folderRows).where(eq(folderRows.orgId, orgId));
    return rows.filter(({ id, secretPath }) => id === own.id || secretPath.startsWith(`${own.secretPath}/`));
  };
  const sourceOf = async (sync: SyncRow, parts: readonly FolderRow[]): Promise<ReadonlyMap<string, SourceSecret>> => {
    const { secretPath: root } = await folders.get(sync.folderId);
    const found = await Promise.all(
      parts.map(async ({ id, secretPath }) => {
        const path = secretPath.slice(root.length + 1);
        const { secrets } = await folders.read(id);
        return secrets.map((secret) => [path === '' ? secret.key : `${path}:${secret.key}`, secret] as const);
      }),
    );
    return new Map(
      found.flat().flatMap(([key, secret]) => ('value' in secret && isTaken(sync, key) ? [[key, secret]] : [])),
    );
  };
  const untruths = async (sync: SyncRow) => {
    const entries = await createSyncEntries(stage.handle.db).list(sync.id);
    const parts = await partsOf(sync);
    const grown = parts.reduce((sum, { revision }) => sum + revision - 1, 1);
    const folder = { ...(await folders.get(sync.folderId)), revision: grown };
    const ownerTags = [ownershipTag({ installationId, syncId: sync.id }), sync.id];
    const said = { sandbox, sync, ownerTags, entries, folder, secrets: await sourceOf(sync, parts) };
    return findUntruths(said).map((text) => `${sync.name}: ${text}`);
  };
  const find = async (): Promise<readonly string[]> => {
    const rows = await stage.handle.db.select().from(syncs).where(eq(syncs.orgId, orgId));
    return (await Promise.all(rows.map(untruths))).flat();
  };
  return {
    meddled: (why: string): void => {
      meddledWhy = why;
    },
    find,
    require: async (): Promise<void> => {
      const found = await find();
      if (meddledWhy !== undefined && found.length === 0)
        throw new Error(`The test declares that the status may be untrue (${meddledWhy}), but it is true.`);
      if (meddledWhy === undefined && found.length > 0)
        throw new Error(`The status says succeeded without drift, but ${found.join('; ')}.`);
    },
  };
}

/** The documented rule of patterns, for those without `**`. */
function isTaken({ syncOptions: { include, exclude } }: SyncRow, key: string): boolean {
  const fits = (pattern: string) => {
    const text = pattern.includes('/') ? key.replace(':', '/') : (key.split(':').at(-1) ?? '');
    return new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('?', '[^/]').replaceAll('*', '[^/]*')}$`).test(
      text,
    );
  };
  return (include?.some(fits) ?? true) && !(exclude?.some(fits) ?? false);
}

export type Worker = ReturnType<typeof actions>;

function withoutWraps({ wrap: _wrap, wrapWork: _work, wrapHandle: _handle, ...options }: WorldOptions): WorldOptions {
  return options;
}

/**
 * The database's and the sandbox's clock in one; of the worlds of one database, the newest begins
 * at the real time.
 */
async function openClock(stage: Stage, options: WorldOptions): Promise<DatabaseClock> {
  if (options.isRealTime === true)
    return { ...createSandboxClock(), settled: () => Promise.resolve(), reset: () => Promise.resolve() };
  const clock = await databaseClock(stage.databaseUrl);
  await clock.reset();
  return clock;
}

interface Site {
  readonly stage: Stage;
  readonly options: WorldOptions;
  readonly clock: DatabaseClock;
  readonly sandbox: AwsSandbox;
  readonly orgId: string;
  readonly accountId: string;
  readonly installationId: string;
  readonly base: Base;
  readonly connections: ReturnType<typeof createConnections>;
  readonly connection: { readonly id: string };
  readonly folders: ReturnType<typeof createFolders>;
  readonly folder: FolderRow;
}

interface Base {
  readonly pair: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly roleArn: string;
}

function createBase(sandbox: AwsSandbox, names: { orgId: string; accountId: string }, options: WorldOptions): Base {
  sandbox.createUser({ accountId: BASE_ACCOUNT, userName: 'keyferry', policy: allow(['sts:AssumeRole']) });
  const pair = sandbox.createAccessKey({ accountId: BASE_ACCOUNT, userName: 'keyferry' });
  return { pair, roleArn: createRole(sandbox, { ...names, policy: options.policy ?? allow(ALL_ACTIONS) }) };
}

export function createRole(
  sandbox: AwsSandbox,
  input: { orgId: string; accountId: string; policy: PolicyDocument; roleName?: string },
): string {
  const trustPolicy: PolicyDocument = {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${BASE_ACCOUNT}:root` },
        Action: 'sts:AssumeRole',
        Condition: { StringEquals: { 'sts:ExternalId': input.orgId } },
      },
    ],
  };
  return sandbox.createRole({
    accountId: input.accountId,
    roleName: input.roleName ?? 'sync',
    trustPolicy,
    policy: input.policy,
  }).arn;
}

export async function connect(
  stage: Stage,
  connections: ReturnType<typeof createConnections>,
  input: { orgId: string; name: string; roleArn: string; accountId: string },
) {
  const { connection } = await connections.create(input.orgId, {
    name: input.name,
    createdVia: 'operator',
    requestedBy: null,
    region: REGION,
    credentials: { method: 'assume-role', roleArn: input.roleArn, externalId: input.orgId },
  });
  // Its validation is not what these tests are about.
  await stage.handle.db.execute(
    sql`update keyferry.connections
      set status = 'valid', next_due_at = null, account_id = ${input.accountId}
      where id = ${connection.id}`,
  );
  return connection;
}

function subjects({ stage, orgId, connection, folders, folder }: Site) {
  const store = createSyncs(stage.handle.db);
  let made = 0;
  return {
    syncs: store,
    requests: createRequests(stage.handle.db),
    /** One new revision of the folder; null removes a key. */
    set: async (
      values: Readonly<Record<string, string | null>>,
      metadata: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
    ) =>
      folders.change(
        await folders.get(folder.id),
        Object.entries(values).map(([key, value]) => ({
          key,
          value,
          ...(metadata[key] ? { metadata: metadata[key] } : {}),
        })),
        'merge',
      ),
    /** The same in a folder below. */
    setBelow: async (path: string, values: Readonly<Record<string, string | null>>) =>
      folders.change(
        await folders.ensure(orgId, { projectId: 'app', environment: 'prod', secretPath: `/api/${path}` }),
        Object.entries(values).map(([key, value]) => ({ key, value })),
        'merge',
      ),
    createSync: async (input: SyncInput = {}): Promise<SyncRow> => {
      made += 1;
      const created: unknown = await store.create(orgId, {
        name: `sync-${String(made)}`,
        projectId: 'app',
        connectionId: connection.id,
        folderId: folder.id,
        destination: 'aws-parameter-store',
        destinationConfig: { region: REGION, path: '/app/prod/' },
        isAutoSyncEnabled: true,
        requestedBy: null,
        ...input,
        syncOptions: syncOptions.parse(input.syncOptions ?? {}),
      });
      return (created as { sync?: SyncRow }).sync ?? (created as SyncRow);
    },
  };
}

function actions(site: Site) {
  const { stage, options, clock, sandbox, base, connections, folders } = site;
  const { db } = stage.handle;
  const aws = createAwsAccess({
    baseCredentials: base.pair,
    requestHandler: createSandboxRequestHandler({ handle: options.wrapHandle?.(sandbox.handle) ?? sandbox.handle }),
    ...(options.budget ? { budget: options.budget } : {}),
    ...(options.isRealTime ? {} : { nowMs: () => clock.now().getTime() }),
  });
  const deps: SyncDependencies = {
    aws,
    openParameterStore: (session) => datedBy(clock, openParameterStore(session)),
    openSecretsManager,
    probes: createProbes(),
    connections,
    folders,
    source: createSyncSource(db, stage.encryption),
    entries: createSyncEntries(db),
    fingerprints: createFingerprintKeys(db, stage.encryption),
    installation: createInstallation(db),
    tombstones: createTombstones(db),
    reconcileEveryMs: HOUR,
  };
  const processor = createSyncProcessor(options.wrap?.(deps) ?? deps);
  const runOnce = (syncId: string, input: RunInput = {}) => performRun(site, processor, { syncId, ...input });
  return {
    runOnce,
    isDue: async (syncId: string): Promise<boolean> => {
      await clock.settled();
      const [row] = await db.execute(
        sql`select next_due_at <= now() as is_due from keyferry.syncs where id = ${syncId}`,
      );
      return row?.['is_due'] === true;
    },
    untilDue: (syncId: string) => letPass(site, syncId),
    /** Runs, letting the time pass that the runs ask for, until the outcome is final. */
    runUntilDone: async (syncId: string, input: RunInput = {}, { maxRuns = 400 } = {}): Promise<Ran> => {
      let ran = await runOnce(syncId, input);
      const calls = { ...ran.calls };
      for (let times = 1; ran.outcome.status === 'continued' || ran.outcome.status === 'retry'; times += 1) {
        if (times >= maxRuns) throw new Error(`No end within ${String(maxRuns)} runs.`);
        await letPass(site, syncId);
        ran = await runOnce(syncId, input.isAwaited ? { isAwaited: input.isAwaited } : {});
        for (const [name, count] of Object.entries(ran.calls)) calls[name] = (calls[name] ?? 0) + count;
      }
      return { ...ran, calls };
    },
    /** Lets the time pass until the sync is due by its schedule, and runs it. */
    runScheduled: async (syncId: string): Promise<Ran> => {
      await letPass(site, syncId);
      return runOnce(syncId);
    },
  };
}

/** Until the sync is due. */
async function letPass({ stage, clock }: Site, syncId: string): Promise<void> {
  const [row] = await stage.handle.db.select().from(syncs).where(eq(syncs.id, syncId));
  clock.advance(Math.max(0, (row?.nextDueAt?.getTime() ?? 0) - clock.now().getTime()));
  await clock.settled();
}

/**
 * The sandbox dates its objects by the movable clock, and its answers by the real one, as the SDK's
 * signatures need it.
 */
function datedBy(clock: DatabaseClock, store: ParameterStore): ParameterStore {
  const dated = <T>(answer: T) => ({ ...answer, answeredAt: clock.now() });
  return {
    ...store,
    create: async (write) => dated(await store.create(write)),
    overwrite: async (write) => dated(await store.overwrite(write)),
  };
}

async function openRequest(site: Site, input: RunInput & { readonly syncId: string }): Promise<void> {
  const { request: kind, parameters = {}, syncId: subjectId } = input;
  if (kind === undefined) return;
  const requests = createRequests(site.stage.handle.db);
  await requests.open({ orgId: site.orgId, kind, subjectId, parameters, actor: 'ann' });
}

/** What a tick dispatched for other runs than the one that ticked; the queue of the worlds. */
const queued = new Set<string>();

/** The tick. A run that died holds its lease, which must run out first. */
async function dispatch({ stage, clock }: Site, work: WorkStore, syncId: string): Promise<void> {
  for (let ticks = 0; ticks < 3; ticks += 1) {
    const { subjects } = await work.dispatchDue('sync', 500);
    subjects.forEach(({ id }) => queued.add(id));
    if (queued.delete(syncId)) return;
    const [row] = await stage.handle.db.select().from(syncs).where(eq(syncs.id, syncId));
    const leaseUntil = Math.max(row?.runLeaseUntil?.getTime() ?? 0, row?.dispatchLeaseUntil?.getTime() ?? 0);
    // A run that retries or continues is waited for, a schedule is not.
    const isUnderWay = row !== undefined && (row.syncStatus === 'running' || row.dueReason !== 'scheduled');
    const dueAt = isUnderWay ? (row.nextDueAt?.getTime() ?? 0) : 0;
    const waitMs = Math.max(leaseUntil, dueAt) - clock.now().getTime();
    if (waitMs <= 0) break;
    clock.advance(waitMs + 1);
    await clock.settled();
  }
  throw new Error('The sync is not due.');
}

/** The pipeline's claim, perform, settle; without BullMQ, and with the clock of the world. */
async function performRun(
  site: Site,
  processor: Processor<'sync'>,
  input: RunInput & { readonly syncId: string },
): Promise<Ran> {
  const { stage, clock } = site;
  const { db } = stage.handle;
  const plainWork = createWork(db);
  const work = site.options.wrapWork?.(plainWork) ?? plainWork;
  await clock.settled();
  await openRequest(site, input);
  await dispatch(site, work, input.syncId);
  const runId = crypto.randomUUID();
  const claim = await work.claim('sync', { subjectId: input.syncId, runId, jobId: undefined });
  if (!claim) throw new Error('The sync could not be claimed.');
  // As the pipeline does: the database's clock, plus the time since.
  const claimedAtMs = clock.now().getTime();
  const now = () => new Date(claim.claimedAt.getTime() + clock.now().getTime() - claimedAtMs);
  const calls = createCallLog();
  const run: Run<'sync'> = {
    id: runId,
    kind: claim.runKind,
    requestKind: claim.requestKind,
    isDirect: claim.isDirect,
    unchangedEntries: claim.unchangedEntries,
    subject: claim.subject,
    statusBefore: claim.statusBefore,
    attempt: claim.subject.attempt,
    reason: claim.reason,
    parameters: claim.parameters,
    scope: {
      signal: new AbortController().signal,
      calls,
      beforeMutation: () => Promise.resolve(),
      subjectId: input.syncId,
    },
    log: createLog({ level: 'silent' }),
    isCancelled: input.isCancelled ?? (() => false),
    isAwaited: input.isAwaited ?? (() => true),
    noteProgress: input.noteProgress ?? (() => undefined),
    noteResult: () => undefined,
    now,
    random: () => 0.5,
  };
  const before = site.sandbox.calls.count();
  const { outcome, changes, dueAt, hasSettledItself, leavesWish, isUnchanged } = await performLikePipeline(
    processor,
    run,
  ).finally(() => {
    requireWish(run);
  });
  const counted = countCalls(site.sandbox, before);
  if (hasSettledItself === true) return { runId, outcome, calls: counted, rewrites: calls.rewrites };
  const nextDueAt =
    outcome.status === 'continued'
      ? outcome.at
      : outcome.status === 'retry'
        ? new Date(now().getTime() + (outcome.error.retryAfterMs ?? 30_000))
        : dueAt;
  const settled = await work.settle({
    kind: 'sync',
    subjectId: input.syncId,
    runId,
    outcome,
    changes,
    servedRevision: leavesWish === true ? claim.subject.doneRevision : claim.subject.wantedRevision,
    attempt: 0,
    nextDueAt,
    requestIds: claim.requestIds,
    awsCalls: calls.counts,
    isUnchanged,
  });
  if (!settled) throw new Error('The run was not settled.');
  const unfounded = findUnfounded({ outcome, calls: total(counted) }, await createSyncEntries(db).list(input.syncId));
  if (unfounded.length > 0) throw new Error(`The run reports what it cannot know: ${unfounded.join('; ')}.`);
  return { runId, outcome, calls: counted, rewrites: calls.rewrites };
}

/** Whatever a test is about: a run that changed AWS without a wish on record fails it. */
function requireWish(run: Run<'sync'>): void {
  const count = unaskedWritesOf(run);
  if (count === 0) return;
  const { kind, requestKind, reason, scope } = run;
  const about = JSON.stringify({ kind, requestKind, reason, calls: scope.calls });
  throw new Error(`The run made ${String(count)} writes that nobody asked for: ${about}`);
}

/** What is thrown becomes an outcome, as in the pipeline. */
async function performLikePipeline(
  processor: Processor<'sync'>,
  run: Run<'sync'>,
): ReturnType<Processor<'sync'>['perform']> {
  try {
    return await processor.perform(run);
  } catch (error) {
    if (!(error instanceof JobError) || error.code === 'LEASE_LOST') throw error;
    if (error.disposition === 'retry') return processor.conclude({ status: 'retry', error }, run);
    if (error.disposition === 'snooze') return processor.conclude(snoozed(error, run, 1_000), run);
    return processor.conclude({ status: 'failed', code: error.code, message: error.publicMessage }, run);
  }
}

/** Of the record since then: AssumeRole and probes are counted apart. */
function countCalls(sandbox: AwsSandbox, before: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const call of sandbox.calls.list().slice(before)) {
    if (call.service === 'sts' || /keyferry-probe|"SecretId":"arn:/.test(JSON.stringify(call.parameters))) continue;
    const name = `${call.service}.${call.operation}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

export function total(calls: Readonly<Record<string, number>>): number {
  return Object.values(calls).reduce((sum, count) => sum + count, 0);
}

function looks({ stage, sandbox, accountId, installationId }: Site) {
  const { db } = stage.handle;
  const at = { accountId, region: REGION };
  return {
    at,
    /** The ownership tag that this sync's objects carry. */
    tagOf: (syncId: string) => ownershipTag({ installationId, syncId }),
    row: async (id: string): Promise<SyncRow> => {
      const [row] = await db.select().from(syncs).where(eq(syncs.id, id));
      if (!row) throw new Error(`no sync ${id}`);
      return row;
    },
    run: async (id: string) => (await db.select().from(runs).where(eq(runs.id, id)))[0],
    entries: (id: string): Promise<readonly LedgerEntry[]> => createSyncEntries(db).list(id),
    entry: async (id: string, key: string) => (await createSyncEntries(db).list(id)).find((entry) => entry.key === key),
    /** Name → value, as it really is. */
    parameters: (prefix = '/app/prod/') =>
      Object.fromEntries(sandbox.inspect.parameters({ ...at, prefix }).map(({ name, value }) => [name, value])),
    secrets: (prefix = '') =>
      Object.fromEntries(
        sandbox.inspect
          .secrets({ ...at, prefix })
          .flatMap(({ name, value, deletedAt }) => (deletedAt ? [] : [[name, value]])),
      ),
  };
}
