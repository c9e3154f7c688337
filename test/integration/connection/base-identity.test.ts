/**
 * While the worker's own identity is refused, no connection, sync or rotation changes, and all of
 * them resume within a minute of the repair.
 */
import { randomUUID } from 'node:crypto';

import type { Job } from 'bullmq';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import { createProbes } from '../../../src/aws/probes.ts';
import { createConnectionStatus } from '../../../src/db/connection-status.ts';
import { runs } from '../../../src/db/schema.ts';
import { createLog } from '../../../src/observe/log.ts';
import { createSandboxRequestHandler } from '../../../src/sandbox/aws/index.ts';
import { openStores, type OpenStores } from '../../../src/stores.ts';
import { createHotLoops } from '../../../src/workers/engine/hot-loops.ts';
import { runJob } from '../../../src/workers/engine/run-job.ts';
import { createValidateProcessor } from '../../../src/workers/validate/processor.ts';
import { createCallCounts } from '../../../src/workers/engine/call-counts.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { useStage } from '../../support/use-stage.ts';
import * as rotations from '../rotation/world.ts';
import * as syncs from '../sync/world.ts';
import { createWorld, ORG, REGION, ROLE_ARN } from './world.ts';

const database = useTestDatabase();
const MINUTE_MS = 60_000;
let stores: OpenStores;
const stage = useStage(database);
beforeAll(() => {
  stores = openStores({ databaseUrl: database().url, encryptionKeys: [{ id: 'test', key: Buffer.alloc(32, 7) }] });
});
afterAll(() => stores.close());

async function createConnection() {
  const { connection } = await stores.connections.create(ORG, {
    name: `c-${randomUUID().slice(0, 8)}`,
    region: REGION,
    createdVia: 'operator',
    requestedBy: 'test',
    credentials: { method: 'assume-role', roleArn: ROLE_ARN, externalId: ORG },
  });
  return connection.id;
}

/** The validation queue's pipeline on the clock of the sandbox. */
function createValidation(world: ReturnType<typeof createWorld>) {
  const { clock } = world.sandbox;
  const aws = createAwsAccess({
    baseCredentials: world.baseKey,
    region: REGION,
    requestHandler: createSandboxRequestHandler(world.sandbox),
    nowMs: () => clock.now().getTime(),
  });
  const processor = createValidateProcessor({
    aws,
    probes: createProbes(),
    connections: stores.connections,
    status: createConnectionStatus(stores.database.db),
    isShared: () => Promise.resolve(true),
    isForeignExternalId: () => Promise.resolve(false),
    revalidateEveryMs: 60 * MINUTE_MS,
  });
  const rest = { isStopping: () => false, now: () => clock.now(), random: () => 0.9, onRun: () => undefined };
  return async (connectionId: string) => {
    const log = createLog({ level: 'silent' });
    const deliver = (data: object) => {
      const job = { id: randomUUID(), name: 'validate', data, timestamp: Date.now(), attemptsMade: 0 };
      return runJob(
        {
          work: stores.work,
          hotLoops: createHotLoops(),
          callCounts: createCallCounts({ store: stores.work.storeCalls }),
          processor,
          log,
          ...rest,
        },
        job as unknown as Job,
      );
    };
    await deliver({ connectionId });
    await stores.work.dispatchDue('validate', 500);
    const result = await deliver({ connectionId, dispatched: true });
    const [run] = await stores.database.db
      .select()
      .from(runs)
      .where(eq(runs.id, 'runId' in result ? (result.runId ?? '') : ''));
    return { run, row: await stores.connections.byId(connectionId) };
  };
}

test('a validated connection stays valid, and is validated within a minute of the repair', async () => {
  const world = createWorld();
  const validate = createValidation(world);
  const id = await createConnection();
  const { row: before } = await validate(id);
  world.sandbox.setAccessKeyStatus({ accessKeyId: world.baseKey.accessKeyId, status: 'Inactive' });

  const { row, run } = await validate(id);

  expect(run).toMatchObject({ status: 'continued', errorCode: 'CONNECTION_BASE_REFUSED' });
  const { status, statusCode, checks, lastValidatedAt, consecutiveFailures, attempt } = before;
  expect(row).toMatchObject({ status, statusCode, checks, lastValidatedAt, consecutiveFailures, attempt });
  expect(status).toBe('valid');
  const waitMs = (row.nextDueAt?.getTime() ?? 0) - world.sandbox.clock.now().getTime();
  expect(waitMs).toBeGreaterThan(10_000);
  expect(waitMs).toBeLessThan(MINUTE_MS);

  world.sandbox.setAccessKeyStatus({ accessKeyId: world.baseKey.accessKeyId, status: 'Active' });
  world.sandbox.clock.advance(waitMs);
  expect((await validate(id)).run).toMatchObject({ status: 'succeeded' });
});

test('a connection that was never validated stays pending and says what it waits for', async () => {
  const world = createWorld();
  world.sandbox.deleteAccessKey({ accessKeyId: world.baseKey.accessKeyId });
  const { row } = await createValidation(world)(await createConnection());
  expect(row).toMatchObject({ status: 'pending', statusCode: 'CONNECTION_BASE_REFUSED', attempt: 0 });
});

test('a sync keeps its status and its connection, and writes after the repair', async () => {
  const world = await syncs.createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  const connection = await world.connections.byId(world.connection.id);
  await world.set({ A: '2' });
  const { accessKeyId } = world.base.pair;
  world.sandbox.setAccessKeyStatus({ accessKeyId, status: 'Inactive' });
  // The session of the first run has ended.
  world.clock.advance(120 * MINUTE_MS);

  const { outcome } = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'continued', waitsFor: { code: 'CONNECTION_BASE_REFUSED' } });
  expect(await world.row(id)).toMatchObject({ syncStatus: 'succeeded', statusCode: null });
  expect(await world.connections.byId(world.connection.id)).toEqual(connection);

  world.sandbox.setAccessKeyStatus({ accessKeyId, status: 'Active' });
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
});

test('a rotation keeps its status and goes on after the repair', async () => {
  const world = await rotations.createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const before = await world.row(id);
  const base = { accountId: rotations.BASE_ACCOUNT, userName: 'keyferry' };
  const [key] = world.sandbox.inspect.accessKeys(base);
  const accessKeyId = key?.accessKeyId ?? '';
  world.sandbox.setAccessKeyStatus({ accessKeyId, status: 'Inactive' });
  world.clock.advance(40 * rotations.DAY);

  const outcome = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'continued', waitsFor: { code: 'CONNECTION_BASE_REFUSED' } });
  const { rotationStatus, statusCode, activeAccessKeyId } = before;
  expect(await world.row(id)).toMatchObject({ rotationStatus, statusCode, activeAccessKeyId });

  world.sandbox.setAccessKeyStatus({ accessKeyId, status: 'Active' });
  await world.runUntilDone(id);
  expect((await world.row(id)).activeAccessKeyId).not.toBe(activeAccessKeyId);
});
