/**
 * A validation through the whole pipeline: PostgreSQL, run-job, the SDK and the sandbox; and what
 * it releases.
 */
import { randomUUID } from 'node:crypto';

import type { Job } from 'bullmq';
import { desc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import { createCallBudget } from '../../../src/aws/call-budget.ts';
import { createProbes } from '../../../src/aws/probes.ts';
import { createBudgetLedger } from '../../../src/db/call-budget.ts';
import type { ConnectionChanges } from '../../../src/db/connections.ts';
import type { SignInCredentials } from '../../../src/domain/connection/credentials.ts';
import { createConnectionStatus } from '../../../src/db/connection-status.ts';
import { connections, folders, rotations, runs, syncs } from '../../../src/db/schema.ts';
import type { ConnectionRow, SyncRow } from '../../../src/db/engine/subjects.ts';
import { policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';
import { syncOptions } from '../../../src/domain/sync/config.ts';
import { createLog } from '../../../src/observe/log.ts';
import { createSandboxRequestHandler } from '../../../src/sandbox/aws/index.ts';
import { openStores, type OpenStores } from '../../../src/stores.ts';
import { createHotLoops } from '../../../src/workers/engine/hot-loops.ts';
import { runJob } from '../../../src/workers/engine/run-job.ts';
import { createValidateProcessor } from '../../../src/workers/validate/processor.ts';
import { createCallCounts } from '../../../src/workers/engine/call-counts.ts';
import { databaseClock, type DatabaseClock } from '../../support/database-clock.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { createWorld, CUSTOMER, ORG, parameters, place, REGION, ROLE_ARN, trust, type World } from './world.ts';

const database = useTestDatabase();
let stores: OpenStores;
let clock: DatabaseClock;
beforeAll(async () => {
  clock = await databaseClock(database().url);
  stores = openStores({ databaseUrl: database().url, encryptionKeys: [{ id: 'test', key: Buffer.alloc(32, 7) }] });
});
beforeEach(() => clock.reset());
afterAll(() => stores.close());

function createPipeline(world: World, during: () => Promise<unknown> = () => Promise.resolve()) {
  const { db } = stores.database;
  const aws = createAwsAccess({
    baseCredentials: world.baseKey,
    region: REGION,
    requestHandler: createSandboxRequestHandler(world.sandbox),
    budget: createCallBudget(createBudgetLedger(db)),
    nowMs: () => world.sandbox.clock.now().getTime(),
  });
  const status = createConnectionStatus(db);
  const processor = createValidateProcessor({
    aws,
    probes: createProbes(),
    connections: stores.connections,
    status: {
      ...status,
      usesOf: async (id) => {
        await during();
        return status.usesOf(id);
      },
    },
    isShared: () => Promise.resolve(true),
    isForeignExternalId: stores.orgs.isForeignExternalId,
    revalidateEveryMs: 3_600_000,
  });
  return async (row: ConnectionRow) => {
    await clock.settled();
    const deliver = (data: object) =>
      runJob(
        {
          work: stores.work,
          hotLoops: createHotLoops(),
          callCounts: createCallCounts({ store: stores.work.storeCalls }),
          processor,
          log: createLog({ level: 'silent' }),
          isStopping: () => false,
          random: () => 0.5,
          onRun: () => undefined,
        },
        { id: randomUUID(), name: 'validate', data, timestamp: Date.now(), attemptsMade: 0 } as unknown as Job,
      );
    await deliver({ connectionId: row.id });
    await stores.work.dispatchDue('validate', 500);
    await deliver({ connectionId: row.id, dispatched: true }).catch(() => undefined);
    // Sorted by PostgreSQL: on the test's slow clock, runs that follow one another share a
    // millisecond.
    const [run] = await db.select().from(runs).where(eq(runs.subjectId, row.id)).orderBy(desc(runs.startedAt)).limit(1);
    return { row: await stores.connections.byId(row.id), run };
  };
}

const createRoleConnection = async () => {
  const { connection } = await stores.connections.create(ORG, {
    name: `c-${randomUUID().slice(0, 8)}`,
    region: REGION,
    createdVia: 'api',
    requestedBy: 'test',
    credentials: { method: 'assume-role', roleArn: ROLE_ARN, externalId: ORG },
  });
  return connection;
};

async function createBlockedSync(row: ConnectionRow, changes: Partial<SyncRow> = {}): Promise<SyncRow> {
  const { db } = stores.database;
  const [folder] = await db
    .insert(folders)
    .values({ orgId: ORG, projectId: 'p', environment: 'prod', secretPath: `/${randomUUID()}` })
    .returning();
  const [sync] = await db
    .insert(syncs)
    .values({
      orgId: ORG,
      name: `s-${randomUUID().slice(0, 8)}`,
      connectionId: row.id,
      folderId: folder?.id ?? '',
      destination: 'aws-parameter-store',
      destinationConfig: { region: REGION, path: '/app/prod/' },
      syncOptions: syncOptions.parse({}),
      syncStatus: 'blocked',
      statusCode: 'CONNECTION_INVALID',
      nextDueAt: null,
      ...changes,
    })
    .returning();
  if (!sync) throw new Error('no sync');
  return sync;
}

const readSync = async (sync: SyncRow) =>
  (await stores.database.db.select().from(syncs).where(eq(syncs.id, sync.id)))[0];

const replacedBy = (by: SignInCredentials): ConnectionChanges => ({
  description: {},
  credentials: { are: 'replaced', by },
  via: 'api',
  requestedBy: 'test',
});

const identified = {
  credentialsRevision: 1,
  accountId: CUSTOMER,
  principalArn: `arn:aws:sts::${CUSTOMER}:assumed-role/app/keyferry`,
};

describe('a validation', () => {
  it('records identity, checks and the next moment', async () => {
    const validate = createPipeline(createWorld({ clock }));
    const { row, run } = await validate(await createRoleConnection());
    expect(row).toMatchObject({
      status: 'valid',
      accountId: '111122223333',
      statusCode: null,
      consecutiveFailures: 0,
      attempt: 0,
    });
    expect(row.checks.map((check) => [check.name, check.verdict])).toEqual([
      ['identity', 'pass'],
      ['account', 'pass'],
      ['external-id', 'pass'],
    ]);
    expect(row.nextDueAt?.getTime()).toBeGreaterThan(Date.now());
    expect(run).toMatchObject({ status: 'succeeded', kind: 'validate', result: { status: 'valid', checks: [] } });
    expect(run?.awsCalls).toMatchObject({ 'sts.AssumeRole': 3 });
  });

  it('tells the refusal of a new role at once, looks again in 15 seconds, and is valid once the role works', async () => {
    const world = createWorld({ clock, timing: { policyMs: [20_000, 20_000] } });
    world.setTrust(trustPolicy({ ...trust, externalId: 'other' }));
    world.sandbox.clock.advance(21_000);
    const created = await createRoleConnection();
    const validate = createPipeline(world);
    const first = await validate(created);
    expect(first.row).toMatchObject({ status: 'invalid', statusCode: 'CONNECTION_ACCESS_DENIED' });
    expect(first.run?.status).toBe('failed');
    world.setTrust(trustPolicy(trust));
    world.sandbox.clock.advance(30_000);
    expect((await validate(created)).row.status).toBe('valid');
  });

  it('is invalid once a new role has been refused for a minute, and is looked at again in minutes', async () => {
    const world = createWorld({ clock });
    world.setTrust(trustPolicy({ ...trust, externalId: 'other' }));
    const created = await createRoleConnection();
    const validate = createPipeline(world);
    world.sandbox.clock.advance(61_000);
    const { row, run } = await validate(created);
    expect(row).toMatchObject({ status: 'invalid', statusCode: 'CONNECTION_ACCESS_DENIED', consecutiveFailures: 1 });
    expect(run?.status).toBe('failed');
    const waitMs = (row.nextDueAt?.getTime() ?? 0) - world.sandbox.clock.now().getTime();
    expect(waitMs).toBeLessThanOrEqual(300_000);
    expect(waitMs).toBeGreaterThan(180_000);
  });

  it('degrades when AWS cannot be reached, and tries again soon', async () => {
    const world = createWorld({ clock });
    const validate = createPipeline(world);
    const created = await createRoleConnection();
    world.sandbox.faults.add({ service: 'sts', action: 'drop-before' });
    const { row } = await validate(created);
    expect(row).toMatchObject({ status: 'degraded', statusCode: 'AWS_UNREACHABLE', attempt: 1 });
    expect((row.nextDueAt?.getTime() ?? 0) - Date.now()).toBeLessThan(10_000);
  });

  it('keeps the account that was verified first when it changes', async () => {
    const world = createWorld({ clock });
    const validate = createPipeline(world);
    const created = await createRoleConnection();
    await stores.database.db
      .update(connections)
      .set({ accountId: '444455556666' })
      .where(eq(connections.id, created.id));
    for (const round of [1, 2]) {
      const { row } = await validate(created);
      expect(row, String(round)).toMatchObject({
        status: 'invalid',
        statusCode: 'CONNECTION_ACCOUNT_CHANGED',
        accountId: '444455556666',
      });
    }
  });

  it('probes the external ID once a week, and at once after a change', async () => {
    const world = createWorld({ clock });
    const validate = createPipeline(world);
    const created = await createRoleConnection();
    await validate(created);
    const second = await validate(created);
    expect(second.run?.awsCalls).toEqual({ 'sts.AssumeRole': 1 });
    expect(second.row.checks.map((check) => check.name)).toContain('external-id');
    await stores.connections.update(
      second.row,
      replacedBy({ method: 'assume-role', roleArn: ROLE_ARN, externalId: ORG }),
    );
    expect((await validate(created)).run?.awsCalls).toEqual({ 'sts.AssumeRole': 3 });
    world.sandbox.clock.advance(8 * 24 * 3_600_000);
    expect((await validate(created)).run?.awsCalls).toEqual({ 'sts.AssumeRole': 3 });
  });
});

describe('an older access key that was put back past keyferry', () => {
  it('is not used, and new credentials come after all that were on record', async () => {
    const { sandbox, userKey, ...world } = createWorld({ clock });
    const other = sandbox.createAccessKey({ accountId: CUSTOMER, userName: 'deployer' });
    const { database, connections: store } = stores;
    const validate = createPipeline({ ...world, sandbox, userKey });
    const { connection } = await store.create(ORG, {
      name: `c-${randomUUID().slice(0, 8)}`,
      createdVia: 'operator',
      requestedBy: 'test',
      credentials: { method: 'access-key', ...userKey },
    });
    const first = (await validate(connection)).row;
    expect(first).toMatchObject({ status: 'valid', credentialsRevision: 1 });
    for (const key of [other, other]) {
      await store.update(await store.byId(connection.id), replacedBy({ method: 'access-key', ...key }));
      expect((await validate(connection)).row.status).toBe('valid');
    }

    const { accessKeyId, secretAccessKey, credentialsRevision } = first;
    await database.db
      .update(connections)
      .set({ accessKeyId, secretAccessKey, credentialsRevision })
      .where(eq(connections.id, connection.id));
    expect(await store.credentialsOf(await store.byId(connection.id))).toMatchObject(userKey);
    const { row, run } = await validate(connection);
    expect([row.status, row.statusCode, row.statusMessage, run?.awsCalls]).toEqual([
      'invalid',
      'SECRET_UNDECRYPTABLE',
      expect.stringMatching(/is of revision 1, but revision 3 was in use/),
      {},
    ]);

    await store.update(row, {
      ...replacedBy({ method: 'access-key', ...other }),
      credentials: { are: 'offered', by: { method: 'access-key', ...other } },
    });
    await validate(connection);
    expect((await validate(connection)).row).toMatchObject({ status: 'valid', credentialsRevision: 4 });
  });
});

describe('a validation of credentials that are replaced meanwhile', () => {
  it('neither marks the new ones valid nor releases what waits for them', async () => {
    const world = createWorld();
    const created = await createRoleConnection();
    const blocked = await createBlockedSync(created);
    const other = { method: 'assume-role', roleArn: `${ROLE_ARN}-other`, externalId: ORG } as const;
    const replace = async () => stores.connections.update(await stores.connections.byId(created.id), replacedBy(other));
    const { row, run } = await createPipeline(world, replace)(created);
    expect(run?.status).toBe('succeeded');
    expect(row).toMatchObject({ status: 'pending', accountId: null, checks: [], roleArn: other.roleArn });
    expect(row.nextDueAt?.getTime()).toBeLessThanOrEqual(Date.now());
    expect((await readSync(blocked))?.nextDueAt).toBeNull();
  });
});

describe('a connection that is valid again', () => {
  it('makes what it blocked due, and nothing else', async () => {
    const world = createWorld({ clock });
    world.setTrust(trustPolicy({ ...trust, externalId: 'other' }));
    const validate = createPipeline(world);
    const created = await createRoleConnection();
    world.sandbox.clock.advance(61_000);
    await validate(created);
    const blocked = await createBlockedSync(created);
    const paused = await createBlockedSync(created, { pausedAt: new Date() });
    const braked = await createBlockedSync(created, { statusCode: 'SYNC_DELETIONS_UNCONFIRMED' });
    await validate(created);
    expect((await readSync(blocked))?.nextDueAt).toBeNull();
    world.setTrust(trustPolicy(trust));
    expect((await validate(created)).row.status).toBe('valid');
    expect(await readSync(blocked)).toMatchObject({ dueReason: 'recovered' });
    expect((await readSync(blocked))?.nextDueAt).not.toBeNull();
    expect((await readSync(paused))?.nextDueAt).toBeNull();
    expect((await readSync(braked))?.nextDueAt).toBeNull();
  });

  it('lets a denied sync try again when every probed permission is there', async () => {
    const world = createWorld({ clock });
    const validate = createPipeline(world);
    const created = await createRoleConnection();
    const denied = await createBlockedSync(created, {
      statusCode: 'AWS_ACCESS_DENIED',
      statusMessage: 'AWS denied ssm:GetParameters.',
    });
    world.setPolicy();
    await validate(created);
    expect((await readSync(denied))?.nextDueAt).toBeNull();
    world.setPolicy(policyFor(parameters, place));
    await validate(created);
    expect((await readSync(denied))?.nextDueAt).not.toBeNull();
  });

  it('does so in one statement, bound to the run’s lease', async () => {
    const created = await createRoleConnection();
    const sync = await createBlockedSync(created);
    const store = createConnectionStatus(stores.database.db);
    const release = {
      connectionId: created.id,
      runId: randomUUID(),
      status: 'valid',
      isPermitted: true,
      ...identified,
    } as const;
    expect(await store.release(release)).toBe(0);
    expect((await readSync(sync))?.nextDueAt).toBeNull();
    await stores.database.db.update(connections).set({ runToken: release.runId }).where(eq(connections.id, created.id));
    expect(await store.release(release)).toBe(1);
    expect((await stores.connections.byId(created.id)).status).toBe('valid');
    expect(await store.release(release)).toBe(0);
  });

  it('does not forget a sync that read the connection just before, and settles as blocked just after', async () => {
    const { db } = stores.database;
    const created = await createRoleConnection();
    const sync = await createBlockedSync(created, { nextDueAt: new Date() });
    await db
      .update(syncs)
      .set({ dispatchLeaseUntil: new Date(Date.now() + 60_000) })
      .where(eq(syncs.id, sync.id));
    const claim = await stores.work.claim('sync', { subjectId: sync.id, runId: randomUUID(), jobId: undefined });
    const runId = randomUUID();
    await db.update(connections).set({ runToken: runId }).where(eq(connections.id, created.id));
    const release = { connectionId: created.id, runId, status: 'valid', isPermitted: true, ...identified } as const;
    expect(await createConnectionStatus(db).release(release)).toBe(1);
    await stores.work.settle({
      kind: 'sync',
      subjectId: sync.id,
      runId: claim?.runId ?? '',
      outcome: { status: 'blocked', code: 'CONNECTION_PENDING', message: 'not validated yet' },
      changes: { syncStatus: 'blocked', statusCode: 'CONNECTION_PENDING' },
      servedRevision: claim?.subject.wantedRevision ?? 0,
      attempt: 0,
      nextDueAt: null,
      requestIds: [],
      awsCalls: {},
    });
    expect((await readSync(sync))?.nextDueAt).not.toBeNull();
    expect((await stores.connections.byId(created.id)).accountId).toBe(identified.accountId);
  });

  it('releases rotations, too', async () => {
    const created = await createRoleConnection();
    const sync = await createBlockedSync(created, { nextDueAt: clock.now() });
    const { db } = stores.database;
    const [rotation] = await db
      .insert(rotations)
      .values({
        orgId: ORG,
        name: `r-${randomUUID().slice(0, 8)}`,
        connectionId: created.id,
        folderId: sync.folderId,
        userName: 'deployer',
        secretsMapping: { accessKeyId: 'ID', secretAccessKey: 'SECRET' },
        rotationIntervalDays: 30,
        rotateAtUtc: { hours: 0, minutes: 0 },
        grace: '24 hours',
        quietSeconds: 0,
        holdSeconds: 0,
        rotationStatus: 'blocked',
        statusCode: 'CONNECTION_INVALID',
      })
      .returning();
    const runId = randomUUID();
    await db.update(connections).set({ runToken: runId }).where(eq(connections.id, created.id));
    expect(
      await createConnectionStatus(db).release({
        connectionId: created.id,
        runId,
        status: 'valid',
        isPermitted: false,
        ...identified,
      }),
    ).toBe(1);
    const [after] = await db
      .select()
      .from(rotations)
      .where(eq(rotations.id, rotation?.id ?? ''));
    expect(after?.nextDueAt).not.toBeNull();
  });
});
