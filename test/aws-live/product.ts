/**
 * A short story of the product itself: connection, sync, change, drift, removal, rotation; queues
 * and state in a PostgreSQL of its own.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ListAccessKeysCommand } from '@aws-sdk/client-iam';
import { GetParametersByPathCommand, PutParameterCommand } from '@aws-sdk/client-ssm';

import { startEmbeddedPostgres } from '../../src/sandbox/postgres.ts';
import { allow, trust } from '../contract/target.ts';
import { openInstallation, type Installation } from '../witness/installation.ts';
import { expectEqual } from '../witness/story.ts';
import type { LiveTarget } from './live-target.ts';
import type { Place } from './place.ts';

export type Report = (name: string, problem: string | undefined) => void;

export async function tellProductStory(target: LiveTarget, place: Place, report: Report): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-live-'));
  const server = await startEmbeddedPostgres({ directory, persistent: false });
  let installation: Installation | undefined;
  try {
    const base = await target.createUser(allow(['sts:AssumeRole']));
    const baseIdentity = await target.createKey(base.userName);
    const roleName = target.uniqueName('role');
    installation = await openInstallation({
      serverUrl: server.url,
      redisUrl: undefined,
      awsUrl: place.productEndpoint,
      region: target.region,
      baseIdentity,
      environment: {
        KEYFERRY_OWN_ACCOUNT_ROLES: `arn:aws:iam::${target.accountId}:role${target.iamPath}${roleName}`,
      },
    });
    await installation.startWorker();
    await tell({ target, place, installation, roleName, baseArn: base.arn, report });
  } finally {
    installation?.killWorker();
    await installation?.close();
    await server.stop();
  }
}

interface Scene {
  readonly target: LiveTarget;
  readonly place: Place;
  readonly installation: Installation;
  readonly roleName: string;
  readonly baseArn: string;
  readonly report: Report;
}

async function tell(scene: Scene): Promise<void> {
  const { target, installation, report } = scene;
  const attempt = async (name: string, act: () => Promise<unknown>): Promise<void> => {
    try {
      await act();
      report(name, undefined);
    } catch (error) {
      report(name, error instanceof Error ? error.message : String(error));
    }
  };
  const robot = await target.createUser();
  const path = `/${target.uniqueName('app')}/`;
  await attempt('a role of this account is connected and valid', () => connect(scene, path, robot.userName));
  const set = (values: object) =>
    installation.must('secrets set --project live --env test --path /app', JSON.stringify(values));
  await attempt('a folder is synced to Parameter Store', async () => {
    await set({ A: 'one', B: 'two' });
    await installation.must(
      `sync create --name live --connection live --project live --env test --path /app --to parameter-store --region ${target.region} --prefix ${path}`,
    );
    await installation.rest();
    expectEqual(await values(target, path), { A: 'one', B: 'two' });
  });
  await attempt('a change is synced', async () => {
    await set({ B: 'changed' });
    await installation.rest();
    expectEqual(await values(target, path), { A: 'one', B: 'changed' });
  });
  await attempt('an edit by somebody else is reported', async () => {
    await target.admin.ssm.send(new PutParameterCommand({ Name: `${path}A`, Value: 'edited', Overwrite: true }));
    await installation.run('sync check live');
    const [row] = await installation.rows("select drift from keyferry.syncs where name = 'live'");
    expectEqual(row?.['drift'], 'drifted');
  });
  await attempt('the key of a user is rotated', () => rotate(scene, path, robot.userName));
  await attempt('removal leaves nothing', async () => {
    await installation.run('rotation delete live --revoke-keys --remove-secrets');
    await installation.run('sync run live');
    await installation.must('sync remove live');
    await installation.rest();
    expectEqual(await values(target, path), {});
    const { AccessKeyMetadata = [] } = await target.admin.iam.send(
      new ListAccessKeysCommand({ UserName: robot.userName }),
    );
    expectEqual(AccessKeyMetadata.length, 0);
  });
}

async function connect(scene: Scene, path: string, userName: string): Promise<void> {
  const { target, place, installation, roleName, baseArn } = scene;
  const policies = await Promise.all(
    [`policy parameter-store --path ${path}`, `policy access-key-rotation --user ${userName}`].map((command) =>
      installation.must(command),
    ),
  );
  const role = await target.people.createRole({
    name: roleName,
    trust: trust(baseArn, 'acme'),
    policies: policies.map(({ json }) => json),
  });
  await sleep(place.settleMs);
  await installation.must(
    `connection create --name live --method assume-role --role-arn ${role.arn} --region ${target.region}`,
  );
}

async function rotate({ target, installation }: Scene, path: string, userName: string): Promise<void> {
  await installation.must(
    `rotation create --name live --connection live --user ${userName} --project live --env test --path /app --access-key-id-as KEY_ID --secret-access-key-as SECRET_KEY --every 30d --grace 0s --quiet 0s --hold 0s`,
  );
  await installation.rest();
  const { AccessKeyMetadata = [] } = await target.admin.iam.send(new ListAccessKeysCommand({ UserName: userName }));
  expectEqual((await values(target, path))['KEY_ID'], AccessKeyMetadata[0]?.AccessKeyId);
}

async function values({ admin: { ssm } }: LiveTarget, Path: string): Promise<Readonly<Record<string, string>>> {
  const { Parameters = [] } = await ssm.send(
    new GetParametersByPathCommand({ Path, Recursive: true, WithDecryption: true }),
  );
  return Object.fromEntries(Parameters.map(({ Name = '', Value = '' }) => [Name.slice(Path.length), Value]));
}
