/**
 * An installation to be hurt: PostgreSQL and Redis of its own, `keyferry worker` processes as they
 * are deployed, an AWS sandbox over HTTP, and subjects whose every effect can be counted there.
 * What happened is judged by PostgreSQL and the sandbox alone.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sql, type SQL } from 'drizzle-orm';

import { openDatabase, type DatabaseHandle } from '../../src/db/client.ts';
import { policyFor, trustPolicy } from '../../src/domain/policy/policies.ts';
import { connect, generateEncryptionKey, type Keyferry } from '../../src/index.ts';
import { createQueueBackend, type QueueBackend } from '../../src/queues/backend.ts';
import { createAwsSandbox, startAwsSandboxServer, type AwsSandbox } from '../../src/sandbox/aws/index.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/sandbox/postgres.ts';
import { cleanEnvironment } from '../support/environment.ts';
import { runKeyferry, startUnboundKeyferry, type TestProcess } from '../support/processes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { BASE_ACCOUNT, createBaseIdentity } from './base-identity.ts';

const REGION = 'eu-west-1';
const PAUSE_MS = 200;

export interface Size {
  readonly accounts: number;
  readonly syncs: number;
  readonly rotations: number;
}

export interface WorldOptions extends Size {
  readonly engine: 'redis' | 'postgres';
  /** Another Redis than one server of this world's own: a cluster, sentinels. */
  readonly redisUrl?: string;
}

/** One secret each, to Parameter Store or to Secrets Manager in turn. */
interface SyncSubject {
  readonly id: string;
  readonly accountId: string;
  readonly index: number;
  /** Number of the value that was set last. */
  value: number;
  /**
   * Versions at the last judgement, and values set since: a value that another one replaced before
   * it was written makes none.
   */
  versions: number;
  changes: number;
}

export interface Tally {
  jobs: number;
  lost: number;
  duplicated: number;
  /**
   * Versions of parameters beyond one per value: AWS has no token for parameters, so a crash may
   * cost one.
   */
  repeatedParameters: number;
}

export class World {
  readonly sandbox: AwsSandbox;
  readonly keyferry: Keyferry;
  readonly backend: QueueBackend;
  readonly tally: Tally = { jobs: 0, lost: 0, duplicated: 0, repeatedParameters: 0 };
  readonly connectionIds: string[] = [];
  readonly rotationNames: string[] = [];
  readonly #parts: Parts;
  readonly #syncs: SyncSubject[] = [];
  readonly #workers = new Set<TestProcess>();
  #outsideJobs = 0;
  /**
   * Subjects that outside jobs asked for: all jobs for one of them may be answered by one request.
   */
  readonly #outsideSubjects = new Set<string>();
  #database: DatabaseHandle;
  #postgres: EmbeddedPostgres;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#postgres = parts.postgres;
    this.sandbox = parts.sandbox;
    this.keyferry = parts.keyferry;
    this.backend = parts.backend;
    this.#database = openDatabase(parts.postgres.url, { poolSize: 4 });
  }

  static async open(options: WorldOptions): Promise<World> {
    const world = new World(await startParts(options));
    await world.#createSubjects(options);
    // Every first sync done: from here on versions are counted.
    const worker = await world.startWorker();
    await world.rest(240_000);
    await world.stopWorker(worker);
    return world;
  }

  get redis(): TestRedis {
    if (!this.#parts.redis) throw new Error('This world has no Redis of its own.');
    return this.#parts.redis;
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#parts.environment;
  }

  async rows(statement: SQL): Promise<Record<string, unknown>[]> {
    return this.#database.db.execute(statement);
  }

  async count(statement: SQL): Promise<number> {
    return Number((await this.rows(statement))[0]?.['n']);
  }

  async startWorker(environment: Readonly<Record<string, string>> = {}): Promise<TestProcess> {
    const worker = startUnboundKeyferry(['worker'], { environment: { ...this.#parts.environment, ...environment } });
    this.#workers.add(worker);
    void worker.waitForExit(2 ** 30).then(() => this.#workers.delete(worker));
    await worker.waitForLine(/worker started/, 90_000);
    return worker;
  }

  /**
   * SIGTERM; a process that needs longer than its deadline, or ends otherwise than with 0, is a
   * defect.
   */
  async stopWorker(worker: TestProcess): Promise<void> {
    worker.signal('SIGTERM');
    const exit = await worker.waitForExit(35_000);
    if (exit.code !== 0)
      throw new Error(`The worker ended with ${String(exit.code ?? exit.signal)}: ${exit.stderr.slice(-2_000)}`);
  }

  /** A new value into every folder: as many jobs, found by the tick. */
  async changeSecrets(share = 1): Promise<void> {
    const changed = this.#syncs.slice(0, Math.ceil(this.#syncs.length * share));
    await inParallel(changed, 8, async (sync) => {
      await this.keyferry.secrets.set(folderOf(sync.index), {
        values: { SECRET: valueOf(sync.index, sync.value + 1) },
      });
      sync.value += 1;
      sync.changes += 1;
    });
    this.tally.jobs += changed.length;
  }

  /** Asks through the library: a request row each. */
  async requestValidations(times: number): Promise<void> {
    const targets = Array.from(
      { length: times },
      (_, index) => this.connectionIds[index % this.connectionIds.length] ?? '',
    );
    await inParallel(targets, 8, async (id) => {
      await this.keyferry.connections.requestValidation(id);
    });
    this.tally.jobs += times;
  }

  /**
   * What ended in failure, or waits for a later attempt, is asked for again, as an operator would
   * once the trouble is over.
   */
  async retryFailed(): Promise<void> {
    const connections = await this.rows(
      sql`select id from keyferry.connections where status <> 'valid' or attempt > 0`,
    );
    for (const { id } of connections) await this.keyferry.connections.requestValidation(String(id));
    await this.rest(60_000);
    const syncs = await this.rows(sql`select id from keyferry.syncs
      where sync_status <> 'succeeded' or attempt > 0`);
    for (const { id } of syncs) await this.keyferry.syncs.request('sync', String(id));
    this.tally.jobs += connections.length + syncs.length;
  }

  async requestRotations(): Promise<void> {
    for (const name of this.rotationNames) await this.keyferry.rotations.request(name);
    this.tally.jobs += this.rotationNames.length;
  }

  /** As a program in another code base does: plain jobs, spread over validations and syncs. */
  async addOutsideJobs(times: number): Promise<void> {
    const validate = this.backend.queue('validate');
    const sync = this.backend.queue('sync');
    await inParallel(
      Array.from({ length: times }, (_, index) => index),
      16,
      async (index) => {
        const syncId = this.#syncs[index % this.#syncs.length]?.id ?? '';
        const connectionId = this.connectionIds[index % this.connectionIds.length] ?? '';
        if (index % 3 === 0) await sync.add('sync', { syncId, requestedBy: 'upstream' });
        else await validate.add('validate', { connectionId, requestedBy: 'upstream' });
        this.#outsideSubjects.add(index % 3 === 0 ? syncId : connectionId);
      },
    );
    this.#outsideJobs += times;
    this.tally.jobs += times;
  }

  /**
   * Waits until nothing is wanted any more. What does not come to rest in time is lost, and counted
   * by `judge`.
   */
  async rest(limitMs: number): Promise<void> {
    const deadline = Date.now() + limitMs;
    while (Date.now() < deadline && (await this.unrest().catch(() => 1)) > 0) await pause(PAUSE_MS);
  }

  /** Wishes that are not answered yet, of every kind, and runs that have not ended. */
  async unrest(): Promise<number> {
    return this.count(sql`
      select ((select count(*) from keyferry.requests where done_at is null)
        + (select count(*) from keyferry.connections where wanted_revision > done_revision)
        + (select count(*) from keyferry.syncs
          where wanted_revision > done_revision or sync_status = 'running')
        + (select count(*) from keyferry.rotations where wanted_revision > done_revision)
        + (select count(*) from keyferry.runs where status = 'running')
        + (select greatest(0, ${this.#outsideSubjects.size} - count(distinct subject_id))
          from keyferry.requests where source_job_id is not null)
        + ${await this.#jobsInQueues()})::int as n`);
  }

  /** Jobs that no worker has ended yet. */
  async #jobsInQueues(): Promise<number> {
    const counts = await Promise.all(
      (['validate', 'sync', 'rotate'] as const).map((kind) =>
        this.backend.queue(kind).getJobCountByTypes('waiting', 'prioritized', 'active', 'delayed'),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Compares what was asked with what is; call it at rest. Returns what is wrong, a line each. */
  async judge(allowed: { repeatsPerParameter: number }): Promise<string[]> {
    const wrong: string[] = [];
    const unrest = await this.unrest();
    if (unrest > 0) {
      wrong.push(`${String(unrest)} wishes unanswered or runs not ended: ${await this.#describeUnrest()}`);
      this.tally.lost += unrest;
    }
    const outside = await this.count(
      sql`select count(*)::int as n from keyferry.requests where source_job_id is not null`,
    );
    if (outside > this.#outsideJobs) {
      wrong.push(`${String(outside)} wishes recorded of ${String(this.#outsideJobs)} outside jobs`);
      this.tally.duplicated += outside - this.#outsideJobs;
    }
    for (const sync of this.#syncs) this.#judgeSync(sync, allowed.repeatsPerParameter, wrong);
    for (const name of this.rotationNames) await this.#judgeRotation(name, wrong);
    return wrong;
  }

  async #describeUnrest(): Promise<string> {
    const found = await this.rows(sql`
      select 'sync' as what, id::text, sync_status as status, status_code, next_due_at::text,
        attempt, dispatch_lease_until::text, run_lease_until::text
        from keyferry.syncs where wanted_revision > done_revision or sync_status = 'running'
      union all select 'connection', id::text, status, status_code, next_due_at::text, attempt,
        dispatch_lease_until::text, run_lease_until::text
        from keyferry.connections where wanted_revision > done_revision
      union all select 'rotation', id::text, phase, status_code, next_due_at::text, attempt,
        dispatch_lease_until::text, run_lease_until::text
        from keyferry.rotations where wanted_revision > done_revision
      union all select 'request', subject_id::text, kind, source_job_id, created_at::text, 0, null,
        null
        from keyferry.requests where done_at is null
      union all select 'run', subject_id::text, kind, job_id, started_at::text, attempt, null, null
        from keyferry.runs where status = 'running' limit 5`);
    return JSON.stringify(found);
  }

  #judgeSync(sync: SyncSubject, repeatsAllowed: number, wrong: string[]): void {
    const at = { accountId: sync.accountId, region: REGION };
    const expected = valueOf(sync.index, sync.value);
    const isParameter = sync.index % 2 === 0;
    const found = isParameter
      ? this.sandbox.inspect.parameter({ ...at, name: `/s${String(sync.index)}/SECRET` })
      : this.sandbox.inspect.secret({ ...at, name: `s${String(sync.index)}/SECRET` });
    const versions = !found ? 0 : 'versions' in found ? found.versions.length : found.version;
    if (found?.value !== expected) {
      wrong.push(`sync ${String(sync.index)}: not the value that was set last`);
      this.tally.lost += 1;
    }
    const repeats = Math.max(0, versions - sync.versions - sync.changes);
    if (isParameter) this.tally.repeatedParameters += repeats;
    if (repeats > (isParameter ? repeatsAllowed : 0)) {
      wrong.push(
        `sync ${String(sync.index)}: ${String(versions - sync.versions)} new versions of ${String(sync.changes)} values`,
      );
      this.tally.duplicated += repeats;
    }
    Object.assign(sync, { versions, changes: 0 });
  }

  async #judgeRotation(name: string, wrong: string[]): Promise<void> {
    const rotation = await this.keyferry.rotations.get(name);
    const [row] = await this.rows(sql`select phase_state from keyferry.rotations
      where id = ${rotation.id}`);
    const accountId = this.#accountOfRotation(name);
    const keys = this.sandbox.inspect.accessKeys({ accountId, userName: name });
    const active = keys.filter((key) => key.status === 'Active');
    const strange = keys.filter(
      (key) => key.accessKeyId !== rotation.activeAccessKeyId && !JSON.stringify(row).includes(key.accessKeyId),
    );
    if (
      rotation.phase !== 'idle' ||
      active.length !== 1 ||
      active[0]?.accessKeyId !== rotation.activeAccessKeyId ||
      strange.length > 0
    ) {
      wrong.push(
        `rotation ${name}: ${rotation.phase} ${rotation.statusMessage ?? ''}, ${String(active.length)} active keys, ${String(strange.length)} unknown`,
      );
      this.tally.lost += 1;
    }
  }

  #accountOfRotation(name: string): string {
    return accountId(this.rotationNames.indexOf(name) % this.#parts.size.accounts);
  }

  /** What a minute would do once the processes that held them are gone: for who has no minute. */
  async expireLeases(): Promise<void> {
    for (const table of ['connections', 'syncs', 'rotations'])
      await this.rows(sql`
        update ${sql.raw(`keyferry.${table}`)} set
          run_lease_until = case when run_lease_until is not null
            then now() - interval '1 second' end,
          dispatch_lease_until = case when dispatch_lease_until is not null
            then now() - interval '1 second' end`);
  }

  /** Ends all backends at once and starts again, `downMs` later. */
  async restartPostgres(downMs: number): Promise<void> {
    const { port, password } = new URL(this.#postgres.url);
    await this.#postgres.stop();
    await pause(downMs);
    this.#postgres = await startEmbeddedPostgres({
      directory: this.#parts.directory,
      persistent: true,
      port: Number(port),
      password,
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.kill()));
    const { backend, keyferry, redis, aws } = this.#parts;
    await Promise.allSettled([backend.close(), keyferry.close(), this.#database.close(), aws.close()]);
    await redis?.stop();
    await this.#postgres.stop();
  }

  async #createSubjects(size: Size): Promise<void> {
    for (let index = 0; index < size.accounts; index += 1) {
      createAccount(this.sandbox, index, size);
      const { connection } = await this.keyferry.connections.create({
        name: `c${String(index)}`,
        region: REGION,
        credentials: { method: 'assume-role', roleArn: `arn:aws:iam::${accountId(index)}:role/keyferry` },
      });
      this.connectionIds.push(connection.id);
    }
    await inParallel(
      Array.from({ length: size.syncs }, (_, index) => index),
      8,
      async (index) => {
        this.#syncs[index] = await this.#createSync(index, size);
      },
    );
    for (let index = 0; index < size.rotations; index += 1) await this.#createRotation(index, size);
    this.tally.jobs += size.accounts + size.syncs;
  }

  async #createSync(index: number, size: Size): Promise<SyncSubject> {
    const account = index % size.accounts;
    await this.keyferry.secrets.set(folderOf(index), { values: { SECRET: valueOf(index, 1) } });
    const { id } = await this.keyferry.syncs.create({
      name: `s${String(index)}`,
      connection: `c${String(account)}`,
      source: folderOf(index),
      ...(index % 2 === 0
        ? { destination: 'aws-parameter-store', destinationConfig: { region: REGION, path: `/s${String(index)}/` } }
        : {
            destination: 'aws-secrets-manager',
            destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: `s${String(index)}/` },
          }),
    });
    return { id, index, accountId: accountId(account), value: 1, versions: 0, changes: 1 };
  }

  async #createRotation(index: number, size: Size): Promise<void> {
    const userName = `robot-${String(index)}`;
    const user = { accountId: accountId(index % size.accounts), userName };
    const adoptKey = this.sandbox.createAccessKey(user);
    await this.keyferry.rotations.create({
      name: userName,
      connection: `c${String(index % size.accounts)}`,
      target: { projectId: 'chaos', environment: 'prod', secretPath: `/${userName}` },
      userName,
      secretsMapping: { accessKeyId: 'KEY_ID', secretAccessKey: 'SECRET_KEY' },
      rotationIntervalDays: 30,
      graceSeconds: 0,
      quietSeconds: 0,
      holdSeconds: 0,
      adoptKey,
    });
    this.rotationNames.push(userName);
  }
}

interface Parts {
  readonly size: Size;
  readonly directory: string;
  readonly postgres: EmbeddedPostgres;
  readonly redis: TestRedis | undefined;
  readonly sandbox: AwsSandbox;
  readonly aws: { close(): Promise<void> };
  readonly keyferry: Keyferry;
  readonly backend: QueueBackend;
  readonly environment: Record<string, string>;
}

async function startParts(options: WorldOptions): Promise<Parts> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-chaos-'));
  const postgres = await startEmbeddedPostgres({
    directory,
    persistent: true,
    password: randomBytes(12).toString('hex'),
  });
  const ownsRedis = options.engine === 'redis' && options.redisUrl === undefined;
  const redis = ownsRedis ? await startRedis({ appendOnly: false }) : undefined;
  const redisUrl = options.redisUrl ?? redis?.url;
  const sandbox = createAwsSandbox();
  const aws = await startAwsSandboxServer(sandbox);
  const encryptionKeys = generateEncryptionKey();
  const environment = cleanEnvironment({
    DATABASE_URL: postgres.url,
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    KEYFERRY_ENCRYPTION_KEYS: encryptionKeys,
    // Only what is asked for runs, so that effects can be counted.
    KEYFERRY_REVALIDATE_EVERY: '30d',
    KEYFERRY_RECONCILE_EVERY: '30d',
    AWS_ENDPOINT_URL: aws.url,
    AWS_REGION: REGION,
    ...createBaseIdentity(sandbox),
  });
  const migrated = await runKeyferry(['migrate'], { environment }, 90_000);
  if (migrated.code !== 0) throw new Error(migrated.stderr);
  const keyferry = await connect({ databaseUrl: postgres.url, encryptionKeys, org: 'acme', actor: 'chaos' });
  const backend = await createQueueBackend({ databaseUrl: postgres.url, redisUrl });
  return { size: options, directory, postgres, redis, sandbox, aws, keyferry, backend, environment };
}

function createAccount(sandbox: AwsSandbox, index: number, size: Size): void {
  const place = { partition: 'aws', accountId: accountId(index) };
  sandbox.createAccount(place.accountId);
  const users = Array.from({ length: size.rotations }, (_, n) => n)
    .filter((n) => n % size.accounts === index)
    .map((n) => `robot-${String(n)}`);
  users.forEach((userName) => sandbox.createUser({ accountId: place.accountId, userName }));
  sandbox.createRole({
    accountId: place.accountId,
    roleName: 'keyferry',
    trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: BASE_ACCOUNT, externalId: 'acme' }),
    policy: [
      policyFor({ use: 'parameter-store', region: REGION, path: '/' }, place),
      policyFor({ use: 'secrets-manager', region: REGION, prefix: '' }, place),
      ...users.map((userName) => policyFor({ use: 'access-key-rotation', userName }, place)),
    ],
  });
}

const accountId = (index: number) => String(100_000_000_000 + index);
const folderOf = (index: number) => ({ projectId: 'chaos', environment: 'prod', secretPath: `/s${String(index)}` });
const valueOf = (index: number, generation: number) => `value ${String(generation)} of ${String(index)}`;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function inParallel<T>(items: readonly T[], width: number, act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: width }, lane));
}
