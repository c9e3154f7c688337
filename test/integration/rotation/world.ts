/**
 * A world for rotations: the sandbox on a clock that tests move, a database, the real processor
 * between the real engine's claim and settlement, and consumers that hold what the folder and its
 * syncs give them. Time passes only where a test or a wait says so.
 */
import { sql } from 'drizzle-orm';

import { createAccessKeys } from '../../../src/aws/access-keys.ts';
import { createAwsAccess } from '../../../src/aws/access.ts';
import type { DatabaseHandle } from '../../../src/db/client.ts';
import { createConnections, type Connections } from '../../../src/db/connections.ts';
import { createInstallation, type Installation } from '../../../src/db/installation.ts';
import { createFolders, type Folders } from '../../../src/db/folders.ts';
import { createRotations, type Rotations } from '../../../src/db/rotation/rotations.ts';
import { syncs } from '../../../src/db/schema.ts';
import type { RotationRow } from '../../../src/db/engine/subjects.ts';
import { createWork, type WorkStore } from '../../../src/db/engine/work.ts';
import { createCallLog } from '../../../src/domain/call-log.ts';
import type { NewRotation } from '../../../src/domain/rotation/input.ts';
import type { Outcome } from '../../../src/domain/run.ts';
import { syncOptions } from '../../../src/domain/sync/config.ts';
import { snoozed } from '../../../src/domain/snooze.ts';
import { JobError } from '../../../src/errors.ts';
import { createLog, type Log } from '../../../src/observe/log.ts';
import { createRotateProcessor } from '../../../src/workers/rotate/processor.ts';
import type { RotateDependencies } from '../../../src/workers/rotate/context.ts';
import { databaseClock, type DatabaseClock } from '../../support/database-clock.ts';
import type { Stage } from '../../support/stage.ts';
import {
  createAwsSandbox,
  createSandboxRequestHandler,
  type AwsSandbox,
  type PolicyDocument,
  type TimingOption,
} from '../../../src/sandbox/aws/index.ts';

export const ACCOUNT = '222233334444';
export const BASE_ACCOUNT = '111122223333';
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export interface Pair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What a rotation needs of IAM, as Infisical documents it, and the two that keyferry adds. */
export const DOCUMENTED_ACTIONS = [
  'iam:ListAccessKeys',
  'iam:CreateAccessKey',
  'iam:UpdateAccessKey',
  'iam:DeleteAccessKey',
];
const ALL_ACTIONS = [...DOCUMENTED_ACTIONS, 'iam:GetAccessKeyLastUsed', 'iam:GetUser'];

export function allow(actions: readonly string[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: [...actions], Resource: '*' }] };
}

export interface WorldOptions {
  /** Default: `late-last-use`, which single figures complete. */
  readonly timing?: TimingOption;
  /**
   * The same draws as another world of this seed; only one of them may have rows at a time, since
   * their key ids are the same, too.
   */
  readonly seed?: number;
  readonly actions?: readonly string[];
  /** The connection is an access key of the very user that rotates. */
  readonly isSelf?: boolean;
  /** Wraps what the processor is given: where crashes are injected. */
  readonly wrap?: (deps: RotateDependencies, clock: DatabaseClock) => RotateDependencies;
  /** Wraps the engine's own writes. */
  readonly wrapWork?: (work: WorkStore) => WorkStore;
  readonly log?: Log;
  /** Called while the processor waits. */
  readonly onWait?: () => Promise<void>;
}

export interface World {
  readonly sandbox: AwsSandbox;
  readonly clock: DatabaseClock;
  readonly orgId: string;
  readonly userName: string;
  readonly connectionId: string;
  readonly folderId: string;
  readonly rotations: Rotations;
  readonly folders: Folders;
  readonly connections: Connections;
  readonly handle: DatabaseHandle;
  /** The pair that the connection signs with, in a world of self-rotation. */
  readonly ownPair: Pair | undefined;
  /** Keys that really exist, id → status. */
  keys(): Readonly<Record<string, string>>;
  createRotation(input?: Partial<NewRotation>): Promise<RotationRow>;
  row(id: string): Promise<RotationRow>;
  /** One tick, one claim, one run, one settlement. Throws when the rotation is not due. */
  runOnce(id: string): Promise<Outcome>;
  /** The same for a job that is delivered although the rotation is not due. */
  runEarly(id: string): Promise<Outcome>;
  /** Lets the time pass until the rotation is due. */
  untilDue(id: string): Promise<void>;
  /**
   * Runs whenever it is due, or `lateMs` later, and lets the time pass in between, until the
   * outcome is final.
   */
  runUntilDone(id: string, options?: { maxRuns?: number; lateMs?: number }): Promise<Outcome>;
  /** What the folder gives whoever reads it. */
  published(): Promise<Partial<Pair>>;
  /** A sync of the folder, with a consumer behind it. */
  addSync(name: string): Promise<string>;
  /** Runs the syncs that are due: their consumers then hold what the folder gave. */
  runSyncs(except?: readonly string[]): Promise<void>;
  /** The pair that each consumer behind a sync holds, by the sync's name. */
  readonly held: ReadonlyMap<string, Pair>;
  /** Whether AWS accepts the pair, as it really is. */
  works(pair: Partial<Pair>): boolean;
  /** A consumer, or a person, signs a call with the pair: AWS notes the use. */
  use(pair: Pair): Promise<void>;
  /** The same rotations in a copy of this database, whose workers talk to the same AWS. */
  elsewhere(stage: Stage, clock: DatabaseClock): World;
}

let worlds = 0;

export async function createWorld(stage: Stage, options: WorldOptions = {}): Promise<World> {
  // Of the worlds of one database, the newest begins at the real time.
  const clock = await databaseClock(stage.databaseUrl);
  await clock.reset();
  worlds += 1;
  // Key ids come from the seed, and keyferry takes note when two rotations hold the same key.
  const sandbox = createAwsSandbox({ clock, seed: options.seed ?? worlds, timing: withLateLastUse(options.timing) });
  return furnish(stage, options, { clock, sandbox, suffix: `${String(worlds)}-${crypto.randomUUID().slice(0, 8)}` });
}

/**
 * A key's last use shows late at AWS; only a test that names another figure or preset sees it
 * earlier.
 */
function withLateLastUse(timing: TimingOption = 'late-last-use'): TimingOption {
  return typeof timing === 'string' ? timing : { preset: 'late-last-use', ...timing };
}

interface Site {
  readonly clock: DatabaseClock;
  readonly sandbox: AwsSandbox;
  readonly suffix: string;
  /** An org that exists already. */
  readonly orgId?: string;
}

export async function furnish(stage: Stage, options: WorldOptions, site: Site): Promise<World> {
  const { handle, encryption } = stage;
  const orgId = site.orgId ?? `org-${site.suffix}`;
  const userName = `robot-${site.suffix}`;
  const access = createAccounts(options, site, { orgId, userName });
  const connections = createConnections(handle.db, encryption);
  const { connection } = await connections.create(orgId, {
    name: site.orgId === undefined ? 'aws' : 'aws-rotation',
    createdVia: 'operator',
    requestedBy: null,
    region: 'eu-west-1',
    credentials: access.credentials,
  });
  // Its validation is not what these tests are about.
  await handle.db.execute(
    sql`update keyferry.connections
      set status = 'valid', next_due_at = null, account_id = ${ACCOUNT} where id = ${connection.id}`,
  );
  const folder = await createFolders(handle.db, encryption).ensure(orgId, {
    projectId: 'app',
    environment: 'prod',
    secretPath: '/ci',
  });
  const ids = { orgId, userName, connectionId: connection.id, folderId: folder.id };
  const open = (opened: Stage, clock: DatabaseClock): World => ({
    ...openWorld(opened, options, { site: { ...site, clock }, ids, access }),
    elsewhere: open,
  });
  return open(stage, site.clock);
}

interface Opening {
  readonly site: Site;
  readonly ids: Pick<World, 'orgId' | 'userName' | 'connectionId' | 'folderId'>;
  readonly access: Accounts;
}

function openWorld({ handle, encryption }: Stage, options: WorldOptions, { site, ids, access }: Opening) {
  const connections = createConnections(handle.db, encryption);
  const folders = createFolders(handle.db, encryption);
  const rotations = createRotations(handle.db, encryption);
  const deps = createDependencies(site, {
    access: access.base,
    connections,
    rotations,
    installation: createInstallation(handle.db),
    onWait: options.onWait,
  });
  const processor = createRotateProcessor(options.wrap?.(deps, site.clock) ?? deps);
  const work = createWork(handle.db);
  const base = { ...site, ...ids, rotations, folders, connections, handle, ownPair: access.ownPair };
  const log = options.log ?? createLog({ level: 'silent' });
  const engine = { processor, log, work: options.wrapWork?.(work) ?? work };
  return { ...base, ...actions(base, engine), ...consumers(base) };
}

interface Accounts {
  readonly base: Pair;
  readonly ownPair: Pair | undefined;
  readonly credentials: Parameters<Connections['create']>[1]['credentials'];
}

function createAccounts(
  options: WorldOptions,
  { sandbox, orgId: givenOrgId }: Site,
  names: { orgId: string; userName: string },
): Accounts {
  const { orgId, userName } = names;
  const policy = allow(options.actions ?? ALL_ACTIONS);
  const baseUser = givenOrgId === undefined ? 'keyferry' : 'keyferry-rotation';
  sandbox.createUser({ accountId: BASE_ACCOUNT, userName: baseUser, policy: allow(['sts:AssumeRole']) });
  const base = sandbox.createAccessKey({ accountId: BASE_ACCOUNT, userName: baseUser });
  sandbox.createUser({ accountId: ACCOUNT, userName, policy: options.isSelf ? policy : [] });
  if (options.isSelf) {
    const ownPair = sandbox.createAccessKey({ accountId: ACCOUNT, userName });
    return { base, ownPair, credentials: { method: 'access-key', ...ownPair } };
  }
  const trustPolicy: PolicyDocument = {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${BASE_ACCOUNT}:root` },
        Action: 'sts:AssumeRole',
        Condition: { StringEquals: { 'sts:ExternalId': orgId } },
      },
    ],
  };
  const { arn } = sandbox.createRole({ accountId: ACCOUNT, roleName: 'rotator', trustPolicy, policy });
  return { base, ownPair: undefined, credentials: { method: 'assume-role', roleArn: arn, externalId: orgId } };
}

function createDependencies(
  { clock, sandbox }: Site,
  parts: {
    access: Pair;
    connections: Connections;
    rotations: Rotations;
    installation: Installation;
    onWait: (() => Promise<void>) | undefined;
  },
): RotateDependencies {
  const aws = createAwsAccess({
    baseCredentials: parts.access,
    requestHandler: createSandboxRequestHandler(sandbox),
    nowMs: () => clock.now().getTime(),
  });
  return {
    aws,
    openAccessKeys: (session, userName) => {
      const keys = createAccessKeys(session, userName);
      // The sandbox dates its answers by the real clock, and its keys by the movable one.
      return { ...keys, list: async (now) => ({ ...(await keys.list(now)), clock: { aheadMs: 0, errorMs: 2_000 } }) };
    },
    connections: parts.connections,
    rotations: parts.rotations,
    installation: parts.installation,
    wait: async (ms) => {
      clock.advance(ms);
      await clock.settled();
      await parts.onWait?.();
    },
  };
}

type Base = Pick<
  World,
  | 'sandbox'
  | 'clock'
  | 'orgId'
  | 'userName'
  | 'connectionId'
  | 'folderId'
  | 'rotations'
  | 'folders'
  | 'connections'
  | 'handle'
  | 'ownPair'
>;

interface Engine {
  readonly processor: ReturnType<typeof createRotateProcessor>;
  readonly work: WorkStore;
  readonly log: Log;
}

function actions(base: Base, engine: Engine) {
  const { sandbox, clock, rotations, handle } = base;
  const runOnce = async (id: string) => {
    await dispatch(base, engine.work, id);
    return performRun(base, engine, id);
  };
  return {
    keys: () =>
      Object.fromEntries(
        sandbox.inspect
          .accessKeys({ accountId: ACCOUNT, userName: base.userName })
          .map((key) => [key.accessKeyId, key.status]),
      ),
    createRotation: async (input: Partial<NewRotation> = {}) => {
      await clock.settled();
      return rotations.create(base.orgId, { ...defaults(base), ...input });
    },
    row: (id: string) => rotations.byId(id),
    runOnce,
    runEarly: async (id: string) => {
      await clock.settled();
      await handle.db.execute(
        sql`update keyferry.rotations set dispatch_lease_until = now() + interval '1 minute'
          where id = ${id}`,
      );
      return performRun(base, engine, id);
    },
    untilDue: (id: string) => letPass(base, id),
    runUntilDone: async (id: string, { maxRuns = 60, lateMs = 0 } = {}) => {
      for (let runs = 0; runs < maxRuns; runs += 1) {
        await letPass(base, id);
        clock.advance(lateMs);
        const outcome = await runOnce(id);
        if (outcome.status !== 'continued' && outcome.status !== 'retry') return outcome;
      }
      throw new Error(`No end within ${String(maxRuns)} runs.`);
    },
    published: () => readPair(base),
  };
}

async function readPair(base: Pick<Base, 'folders' | 'folderId'>): Promise<Partial<Pair>> {
  const { secrets } = await base.folders.read(base.folderId);
  const value = (key: string) =>
    secrets.flatMap((secret) => (secret.key === key && 'value' in secret ? [secret.value] : []))[0];
  const [accessKeyId, secretAccessKey] = [value('KEY_ID'), value('SECRET_KEY')];
  return {
    ...(accessKeyId === undefined ? {} : { accessKeyId }),
    ...(secretAccessKey === undefined ? {} : { secretAccessKey }),
  };
}

/** Syncs as a rotation sees them: due by the publication, done by entries at its revision. */
function consumers(base: Base) {
  const { handle, sandbox } = base;
  const held = new Map<string, Pair>();
  return {
    held,
    works: (pair: Partial<Pair>) => {
      const keys = sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName: base.userName });
      const key = keys.find((one) => one.accessKeyId === pair.accessKeyId);
      return key?.status === 'Active' && key.secretAccessKey === pair.secretAccessKey;
    },
    use: async (pair: Pair) => {
      const aws = createAwsAccess({ baseCredentials: pair, requestHandler: createSandboxRequestHandler(sandbox) });
      await aws.keySession({ ...pair, region: 'eu-west-1', scope: idleScope(base.orgId) }).identity();
    },
    addSync: async (name: string) => {
      const [row] = await handle.db
        .insert(syncs)
        .values({
          orgId: base.orgId,
          name,
          connectionId: base.connectionId,
          folderId: base.folderId,
          destination: 'aws-parameter-store',
          destinationConfig: { region: 'eu-west-1', path: `/${name}/` },
          syncOptions: syncOptions.parse({}),
        })
        .returning();
      return row?.id ?? '';
    },
    runSyncs: async (except: readonly string[] = []) => {
      const due = await handle.db.execute<{ id: string; name: string }>(
        sql`update keyferry.syncs set done_revision = wanted_revision
          where folder_id = ${base.folderId} and wanted_revision > done_revision
          and not (name = any(${`{${except.join(',')}}`}::text[])) returning id, name`,
      );
      const { revision } = await base.folders.get(base.folderId);
      const pair = await readPair(base);
      for (const sync of due) {
        if (pair.accessKeyId === undefined || pair.secretAccessKey === undefined) continue;
        held.set(sync.name, { accessKeyId: pair.accessKeyId, secretAccessKey: pair.secretAccessKey });
        await recordEntries(base, { sync, revision });
      }
    },
  };
}

function idleScope(subjectId: string) {
  return {
    signal: new AbortController().signal,
    calls: createCallLog(),
    beforeMutation: () => Promise.resolve(),
    subjectId,
  };
}

async function recordEntries(
  base: Base,
  { sync, revision }: { sync: { id: string; name: string }; revision: number },
): Promise<void> {
  for (const key of ['KEY_ID', 'SECRET_KEY']) {
    await base.handle.db.execute(sql`
      insert into keyferry.sync_entries (sync_id, remote_name, key, connection_id, partition,
        account_id, region, service, status, synced_revision)
      values (${sync.id}, ${`/${base.orgId}/${sync.name}/${key}`}, ${key}, ${base.connectionId},
        'aws', ${ACCOUNT}, 'eu-west-1', 'ssm', 'synced', ${revision})
      on conflict (sync_id, region, account_id, remote_name, key) do update
      set synced_revision = excluded.synced_revision`);
  }
}

function defaults(base: Pick<World, 'connectionId' | 'folderId' | 'userName'>): NewRotation {
  return {
    name: 'ci-user',
    description: null,
    connectionId: base.connectionId,
    folderId: base.folderId,
    userName: base.userName,
    secretsMapping: { accessKeyId: 'KEY_ID', secretAccessKey: 'SECRET_KEY' },
    rotationIntervalDays: 30,
    rotateAtUtc: { hours: 3, minutes: 15 },
    graceSeconds: DAY / SECOND,
    quietSeconds: DAY / SECOND,
    holdSeconds: (7 * DAY) / SECOND,
    isAutoRotationEnabled: true,
    onExisting: 'fail',
    requestedBy: null,
  };
}

type Processor = Engine['processor'];

/** What is thrown to be retried becomes an outcome, as in the pipeline. */
async function performLikePipeline(
  processor: Processor,
  run: Parameters<Processor['perform']>[0],
): ReturnType<Processor['perform']> {
  try {
    return await processor.perform(run);
  } catch (error) {
    if (error instanceof JobError && error.disposition === 'snooze')
      return processor.conclude(snoozed(error, run), run);
    if (error instanceof JobError && error.disposition === 'retry' && error.code !== 'LEASE_LOST')
      return processor.conclude({ status: 'retry', error }, run);
    throw error;
  }
}

/** Until the rotation is due. */
async function letPass({ clock, rotations }: Base, id: string): Promise<void> {
  const { nextDueAt } = await rotations.byId(id);
  clock.advance(Math.max(0, (nextDueAt?.getTime() ?? 0) - clock.now().getTime()));
  await clock.settled();
}

/** What a tick dispatched for other rotations than the one that ticked; the queue of the worlds. */
const queued = new Set<string>();

/** The tick. A run that died holds its lease, which must run out first. */
async function dispatch({ clock, rotations }: Base, work: WorkStore, id: string): Promise<void> {
  await clock.settled();
  for (let ticks = 0; ticks < 2; ticks += 1) {
    const { subjects } = await work.dispatchDue('rotate', 500);
    subjects.forEach((subject) => queued.add(subject.id));
    if (queued.delete(id)) return;
    const { runLeaseUntil, dispatchLeaseUntil } = await rotations.byId(id);
    const leaseUntil = Math.max(runLeaseUntil?.getTime() ?? 0, dispatchLeaseUntil?.getTime() ?? 0);
    if (leaseUntil <= clock.now().getTime()) break;
    clock.advance(leaseUntil - clock.now().getTime() + 1);
    await clock.settled();
  }
  throw new Error('The rotation is not due.');
}

/** The pipeline's claim, perform, settle; without BullMQ, and with the clock of the world. */
async function performRun(base: Base, { processor, work, log }: Engine, id: string): Promise<Outcome> {
  const { clock } = base;
  const runId = crypto.randomUUID();
  const claim = await work.claim('rotate', { subjectId: id, runId, jobId: undefined });
  if (!claim) throw new Error('The rotation could not be claimed.');
  // As the pipeline does: the database's clock, plus the time since.
  const claimedAtMs = clock.now().getTime();
  const now = () => new Date(claim.claimedAt.getTime() + clock.now().getTime() - claimedAtMs);
  const run = {
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
    scope: idleScope(id),
    log,
    now,
    random: () => 0.5,
    isCancelled: () => false,
    isAwaited: () => false,
    noteProgress: () => undefined,
    noteResult: () => undefined,
  };
  const { outcome, changes, dueAt } = await performLikePipeline(processor, run);
  const nextDueAt =
    outcome.status === 'continued'
      ? outcome.at
      : outcome.status === 'retry'
        ? new Date(now().getTime() + (outcome.error.retryAfterMs ?? 30 * SECOND))
        : dueAt;
  const isSettled = await work.settle({
    kind: 'rotate',
    subjectId: id,
    runId,
    outcome,
    changes,
    servedRevision: claim.subject.wantedRevision,
    attempt: 0,
    nextDueAt,
    requestIds: claim.requestIds,
    awsCalls: run.scope.calls.counts,
  });
  if (!isSettled) throw new Error('The run was not settled.');
  return outcome;
}
