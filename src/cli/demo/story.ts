/**
 * The demo's story: the main job from an empty database to a rotated key, each step really done by
 * the worker against the sandbox. Every number that it prints is read back from PostgreSQL or from
 * the sandbox's own record of calls.
 */
import { describeCounts } from '../../domain/counted.ts';
import type { AwsSandbox } from '../../sandbox/aws/index.ts';
import { indent } from '../output.ts';
import { describeCheck, describePlan, type PlanDocument } from '../reports.ts';
import {
  createWorld,
  firstSecrets,
  PREFIX,
  REGION,
  ROTATED_USER,
  SECRET_NAME,
  SECRET_PREFIX,
} from '../sandbox-world.ts';
import type { Client } from '../../client/types/client.ts';
import type { RunRecord } from '../../client/types/run.ts';

export interface Story {
  readonly client: Client;
  readonly sandbox: AwsSandbox;
  /** Prints a line of progress. */
  say(text: string): void;
}

/** What the demo shows and, with `--json`, returns. */
export interface Chapter {
  readonly title: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
const rotationPlace = { ...place, secretPath: '/deploy' };

export async function tell(story: Story): Promise<readonly Chapter[]> {
  const world = createWorld(story.sandbox, story.client.orgId);
  return [await connections(story, world), await firstSync(story), await change(story), await rotate(story)];
}

async function connections({ client, say }: Story, world: ReturnType<typeof createWorld>): Promise<Chapter> {
  say('\n1. Connections: validated, not only recorded');
  const created = await Promise.all([
    client.connections.create({
      name: 'shop-role',
      region: REGION,
      credentials: { method: 'assume-role', roleArn: world.roleArn },
    }),
    client.connections.create({
      name: 'shop-key',
      region: REGION,
      credentials: { method: 'access-key', ...world.accessKey },
    }),
    client.connections.create({
      name: 'wrong-role',
      region: REGION,
      credentials: { method: 'assume-role', roleArn: world.roleOfAnotherOrg },
    }),
  ]);
  await Promise.all(created.map(({ requestId }) => client.runs.wait(requestId)));
  const rows = await client.connections.list();
  for (const row of rows) {
    say(
      `   ${row.status === 'valid' ? '✓' : '✗'} ${row.name.padEnd(10)} ${row.method.padEnd(11)} ${row.status}${row.principalArn ? `  ${row.principalArn}` : ''}`,
    );
    const failed = row.checks.filter((check) => check.verdict === 'fail');
    for (const check of failed) say(indent(describeCheck(check), '       '));
  }
  requireStatus(rows.find((row) => row.name === 'shop-role')?.status, 'valid');
  requireStatus(rows.find((row) => row.name === 'shop-key')?.status, 'valid');
  if (rows.find((row) => row.name === 'wrong-role')?.status === 'valid')
    throw new Error('a role with another org’s external ID was accepted');
  return {
    title: 'connections',
    facts: {
      connections: rows.map(({ name, method, status, accountId, statusCode }) => ({
        name,
        method,
        status,
        accountId,
        statusCode,
      })),
    },
  };
}

function requireStatus(status: string | undefined, wanted: string): void {
  if (status !== wanted) throw new Error(`expected ${wanted}, found ${status ?? 'nothing'}`);
}

const syncNames = ['to-parameters', 'to-secrets', 'to-one-secret'] as const;

async function firstSync(story: Story): Promise<Chapter> {
  const { client, say } = story;
  say('\n2. 25 secrets into a folder, and from there to AWS');
  const { revision } = await client.secrets.set(place, { values: firstSecrets() });
  const base = { source: place, isAutoSyncEnabled: false };
  await client.syncs.create({
    ...base,
    name: 'to-parameters',
    connection: 'shop-role',
    destination: 'aws-parameter-store',
    destinationConfig: { region: REGION, path: PREFIX },
  });
  await client.syncs.create({
    ...base,
    name: 'to-secrets',
    connection: 'shop-role',
    destination: 'aws-secrets-manager',
    destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: SECRET_PREFIX },
  });
  await client.syncs.create({
    ...base,
    name: 'to-one-secret',
    connection: 'shop-key',
    destination: 'aws-secrets-manager',
    destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: SECRET_NAME },
  });
  const plan = (await client.syncs.plan('to-parameters')).result as PlanDocument;
  const [preview] = [{ ...plan, changes: plan.changes.slice(0, 2) }];
  say(
    `   plan of to-parameters, which writes nothing and shows no value:\n${indent(
      describePlan(preview, { kind: 'sync', name: 'to-parameters' }),
      '     ',
    )
      .split('\n')
      .slice(0, -1)
      .join('\n')}\n     … ${String(plan.changes.length)} changes in all`,
  );
  const runs = await syncAll(story);
  return { title: 'first sync', facts: { revision, plannedChanges: plan.changes.length, runs } };
}

interface SyncFacts {
  readonly sync: string;
  readonly status: string;
  readonly counts: RunRecord['counts'];
  readonly awsCalls: RunRecord['awsCalls'];
}

async function syncAll(story: Story): Promise<readonly SyncFacts[]> {
  const runs = await Promise.all(syncNames.map(async (name) => ({ name, run: await story.client.syncs.run(name) })));
  return runs.map(({ name, run }) => {
    story.say(
      `   ${run.status === 'succeeded' ? '✓' : '✗'} ${name.padEnd(14)} ${describeCounts(run.counts).padEnd(36)}   calls: ${callsOf(run)}`,
    );
    if (run.errorMessage) story.say(`       ${run.errorMessage}`);
    requireStatus(run.status, 'succeeded');
    return { sync: name, status: run.status, counts: run.counts, awsCalls: run.awsCalls };
  });
}

function callsOf(run: RunRecord): string {
  const calls = Object.entries(run.awsCalls ?? {});
  return calls.length === 0 ? 'none' : calls.map(([operation, count]) => `${operation} ${String(count)}`).join(', ');
}

async function change(story: Story): Promise<Chapter> {
  const { client, say } = story;
  say('\n3. Two values change, one secret goes: only these are written');
  await client.secrets.set(place, {
    values: { SETTING_01: 'changed by the demo', SETTING_02: 'changed too', SETTING_25: null },
  });
  const changed = await syncAll(story);
  say('   and once more, with nothing to do:');
  const unchanged = await syncAll(story);
  return { title: 'change', facts: { changed, unchanged } };
}

async function rotate({ client, sandbox, say }: Story): Promise<Chapter> {
  say('\n4. An IAM access key is replaced, published, synced, and only then retired');
  await client.rotations.create({
    name: 'deployer-key',
    connection: 'shop-role',
    target: rotationPlace,
    userName: ROTATED_USER,
    secretsMapping: { accessKeyId: 'AWS_ACCESS_KEY_ID', secretAccessKey: 'AWS_SECRET_ACCESS_KEY' },
    rotationIntervalDays: 30,
    // The demo does not wait for days; production defaults are 24 h, 24 h and 7 days.
    graceSeconds: 0,
    quietSeconds: 0,
    holdSeconds: 0,
  });
  await client.syncs.create({
    name: 'deployer-key-to-parameters',
    connection: 'shop-role',
    source: rotationPlace,
    destination: 'aws-parameter-store',
    destinationConfig: { region: REGION, path: `${PREFIX}deploy/` },
  });
  const first = await rotateOnce(client);
  const second = await rotateOnce(client);
  say(`   first key ${first}, then ${second}`);
  const timeline = await settledTimeline(client);
  const keys = sandbox.inspect.accessKeys({ accountId: '444455556666', userName: ROTATED_USER });
  say(`   keys of ${ROTATED_USER} at AWS now: ${keys.map((key) => `${key.accessKeyId} ${key.status}`).join(', ')}`);
  const steps = timeline.map(({ at, phase, step, accessKeyId }) => ({ at, phase, step, accessKeyId }));
  return {
    title: 'rotation',
    facts: {
      firstKey: first,
      secondKey: second,
      keysAtAws: keys.map(({ accessKeyId, status }) => ({ accessKeyId, status })),
      steps,
    },
  };
}

async function rotateOnce(client: Client): Promise<string> {
  const run = await client.rotations.run('deployer-key');
  const { activeAccessKeyId } = await client.rotations.get('deployer-key');
  if (run.status === 'failed' || run.status === 'blocked' || activeAccessKeyId === null) {
    throw new Error(`the rotation ended ${run.status}: ${run.errorMessage ?? ''}`);
  }
  return activeAccessKeyId;
}

const PAUSE_MS = 100;
const SETTLE_LIMIT_MS = 15_000;

/** The old key is deactivated and deleted after the run was answered; the demo shows that too. */
async function settledTimeline(client: Client) {
  const deadline = Date.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const rotation = await client.rotations.get('deployer-key');
    if (rotation.phase === 'idle' || Date.now() > deadline) return client.rotations.timeline('deployer-key');
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
