/**
 * Real processes: `keyferry worker` is ended by SIGKILL while one call of a rotation is on its way,
 * once before AWS has acted and once after, for each mutation and some reads. It is started again,
 * and at the end every rotation must have come to rest with exactly its published key.
 */
import { sql } from 'drizzle-orm';

import { openDatabase, type DatabaseHandle } from '../../src/db/client.ts';
import { policyFor, trustPolicy } from '../../src/domain/policy/policies.ts';
import { connect, generateEncryptionKey, type Keyferry } from '../../src/index.ts';
import { createQueueBackend } from '../../src/queues/backend.ts';
import { createAwsSandbox, startAwsSandboxServer, type AwsSandbox } from '../../src/sandbox/aws/index.ts';
import { cleanEnvironment } from '../support/environment.ts';
import { startUnboundKeyferry, type TestProcess } from '../support/processes.ts';
import { BASE_ACCOUNT, createBaseIdentity } from './base-identity.ts';

const ACCOUNT = '444455556666';
/** Longer than the process lives after the signal; far below a call's deadline. */
const HELD_BACK_MS = 1_500;
const PATIENCE_MS = 5 * 60_000;

interface KillPoint {
  readonly operation: string;
  /** Of the calls of this operation that the rotation's user sees. */
  readonly nth: number;
  readonly landed: boolean;
}

const points: readonly KillPoint[] = [
  { operation: 'ListAccessKeys', nth: 1, landed: false },
  ...[false, true].map((landed) => ({ operation: 'CreateAccessKey', nth: 1, landed })),
  // The first of each is the probe.
  ...[false, true].map((landed) => ({ operation: 'UpdateAccessKey', nth: 2, landed })),
  ...[false, true].map((landed) => ({ operation: 'DeleteAccessKey', nth: 2, landed })),
  { operation: 'GetAccessKeyLastUsed', nth: 2, landed: false },
];

interface Site {
  readonly sandbox: AwsSandbox;
  readonly keyferry: Keyferry;
  readonly database: DatabaseHandle;
  startWorker(): Promise<TestProcess>;
}

export async function runRotationKills(options: {
  databaseUrl: string;
  print: (line: string) => void;
}): Promise<{ tried: number; survived: number }> {
  const sandbox = createAwsSandbox({ timing: 'late-last-use' });
  createAccount(sandbox);
  const aws = await startAwsSandboxServer(sandbox);
  const encryptionKeys = generateEncryptionKey();
  const backend = await createQueueBackend({ databaseUrl: options.databaseUrl, redisUrl: undefined });
  await backend.prepare();
  await backend.close();
  const environment = cleanEnvironment({
    DATABASE_URL: options.databaseUrl,
    KEYFERRY_ENCRYPTION_KEYS: encryptionKeys,
    AWS_ENDPOINT_URL: aws.url,
    AWS_REGION: 'eu-west-1',
    ...createBaseIdentity(sandbox),
  });
  const keyferry = await connect({ databaseUrl: options.databaseUrl, encryptionKeys, org: 'acme', actor: 'chaos' });
  const database = openDatabase(options.databaseUrl, { poolSize: 2 });
  const site: Site = { sandbox, keyferry, database, startWorker: () => startWorker(environment) };
  try {
    return await killAtEachPoint(site, options.print);
  } finally {
    await Promise.all([keyferry.close(), database.close(), aws.close()]);
  }
}

async function startWorker(environment: Record<string, string>): Promise<TestProcess> {
  const worker = startUnboundKeyferry(['worker'], { environment });
  await worker.waitForLine(/worker started/, 60_000);
  return worker;
}

function createAccount(sandbox: AwsSandbox): void {
  sandbox.createAccount(ACCOUNT);
  const place = { partition: 'aws', accountId: ACCOUNT };
  sandbox.createRole({
    accountId: ACCOUNT,
    roleName: 'keyferry',
    trustPolicy: trustPolicy({ partition: 'aws', baseAccountId: BASE_ACCOUNT, externalId: 'acme' }),
    policy: points.map((_point, index) => policyFor({ use: 'access-key-rotation', userName: userOf(index) }, place)),
  });
}

function userOf(index: number): string {
  return `robot-${String(index)}`;
}

async function killAtEachPoint(
  site: Site,
  print: (line: string) => void,
): Promise<{ tried: number; survived: number }> {
  let worker = await site.startWorker();
  const { requestId } = await site.keyferry.connections.create({
    name: 'aws',
    region: 'eu-west-1',
    credentials: { method: 'assume-role', roleArn: `arn:aws:iam::${ACCOUNT}:role/keyferry` },
  });
  await site.keyferry.runs.wait(requestId);
  for (const [index, point] of points.entries()) {
    const isKilled = killOn(site, worker, { userName: userOf(index), point });
    await createRotation(site, index);
    await isKilled;
    print(`SIGKILL ${point.landed ? 'after' : 'before'} ${point.operation}: the worker is gone`);
    worker = await site.startWorker();
  }
  let survived = 0;
  for (const [index, point] of points.entries()) {
    const problem = await awaitRest(site, index);
    print(`SIGKILL ${point.landed ? 'after' : 'before'} ${point.operation}: ${problem ?? 'survived'}`);
    if (problem === undefined) survived += 1;
  }
  await worker.kill();
  return { tried: points.length, survived };
}

/** Resolves when the worker is dead. The call is held back on AWS's side meanwhile. */
function killOn(
  { sandbox, database }: Site,
  worker: TestProcess,
  at: { userName: string; point: KillPoint },
): Promise<void> {
  const { operation, nth, landed } = at.point;
  let seen = 0;
  return new Promise((resolve, reject) => {
    const remove = sandbox.faults.add({
      operation,
      match: (target) => {
        if (!isAbout(sandbox, target.parameters, at.userName)) return false;
        seen += 1;
        if (seen !== nth) return false;
        queueMicrotask(() => {
          remove();
          // After the effect: the answer is held back, so it was not heard.
          setTimeout(
            () =>
              void worker
                .kill()
                .then(() => expireLeases(database))
                .then(resolve, reject),
            landed ? 100 : 0,
          );
        });
        return true;
      },
      action: landed ? { delayAfterMs: HELD_BACK_MS } : { delayMs: HELD_BACK_MS },
    });
  });
}

function isAbout(sandbox: AwsSandbox, parameters: Readonly<Record<string, unknown>>, userName: string): boolean {
  if (parameters['UserName'] === userName) return true;
  const keys = sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName });
  return keys.some((key) => key.accessKeyId === parameters['AccessKeyId']);
}

/** What half a minute would do; the process that held them is gone. */
async function expireLeases(database: DatabaseHandle): Promise<void> {
  await database.db.execute(sql`
    update keyferry.rotations
    set run_lease_until = case when run_lease_until is not null
      then now() - interval '1 second' end,
      dispatch_lease_until = case when dispatch_lease_until is not null
        then now() - interval '1 second' end`);
}

async function createRotation({ sandbox, keyferry }: Site, index: number): Promise<void> {
  const user = { accountId: ACCOUNT, userName: userOf(index) };
  sandbox.createUser(user);
  const adoptKey = sandbox.createAccessKey(user);
  await keyferry.rotations.create({
    name: user.userName,
    connection: 'aws',
    target: { projectId: 'app', environment: 'prod', secretPath: `/${user.userName}` },
    userName: user.userName,
    secretsMapping: { accessKeyId: 'KEY_ID', secretAccessKey: 'SECRET_KEY' },
    rotationIntervalDays: 30,
    graceSeconds: 0,
    quietSeconds: 0,
    holdSeconds: 0,
    adoptKey,
  });
  await keyferry.rotations.request(user.userName);
}

/**
 * What a person does whose rotation waits with an unknown key: deletes it at AWS, as the status
 * advises. The key must be active until then. The hour after which the rotation looks again passes
 * at once.
 */
async function deleteCandidate({ sandbox, database }: Site, name: string): Promise<void> {
  const [row] = await database.db.execute<{ candidate: string | null }>(sql`
    update keyferry.rotations set
      phase_state = jsonb_set(phase_state, '{intent,candidate,lookAt}',
        to_jsonb(${new Date().toISOString()}::text)),
      next_due_at = now()
    where name = ${name} and phase_state #> '{intent,candidate}' is not null
      and (phase_state #>> '{intent,candidate,lookAt}')::timestamptz > now()
    returning phase_state #>> '{intent,candidate,accessKeyId}' as candidate`);
  if (typeof row?.candidate !== 'string') return;
  const accessKeyId = row.candidate;
  const keys = sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName: name });
  if (keys.find((key) => key.accessKeyId === accessKeyId)?.status !== 'Active')
    throw new Error(`The unknown key of ${name} is not active any more.`);
  sandbox.deleteAccessKey({ accessKeyId });
}

/** A problem, or undefined when the rotation ended with exactly the published key. */
async function awaitRest(site: Site, index: number): Promise<string | undefined> {
  const { sandbox, keyferry } = site;
  const name = userOf(index);
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    await deleteCandidate(site, name);
    const rotation = await keyferry.rotations.get(name);
    const keys = sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName: name });
    const isDone =
      rotation.phase === 'idle' && rotation.rotationStatus === 'succeeded' && rotation.lastRotatedAt !== null;
    if (
      isDone &&
      keys.length === 1 &&
      keys[0]?.status === 'Active' &&
      keys[0].accessKeyId === rotation.activeAccessKeyId
    )
      return undefined;
    if (Date.now() > deadline) {
      return `phase ${rotation.phase}, ${rotation.rotationStatus} ${rotation.statusMessage ?? ''}, keys ${keys.map((key) => key.status).join(', ')}`;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
