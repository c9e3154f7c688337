/**
 * The page "Moving over without a gap" as it stands in docs/infisical.md: its own commands, in its
 * order, against an AWS that holds what Infisical leaves there. Between them happens what the page
 * asks of a person.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CreateAccessKeyCommand, IAMClient } from '@aws-sdk/client-iam';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { trustPolicy } from '../../src/domain/policy/policies.ts';
import { startCommandHost, type CommandHost } from '../support/command-host.ts';
import { runKeyferry } from '../support/processes.ts';
import { ACCOUNT, startInstallation, type Installation } from './support/installation.ts';

const INFISICAL = { accountId: '381492033652', organization: 'INFISICAL-ORGANIZATION-ID' } as const;
const ROLE = { accountId: ACCOUNT, roleName: 'infisical' } as const;
const USER = { accountId: ACCOUNT, userName: 'shop-deployer' } as const;
const REGION = { accountId: ACCOUNT, region: 'eu-west-1' } as const;

/** As Infisical’s documentation of its AWS connections has them. */
const ACTIONS = [
  ...['PutParameter', 'GetParameters', 'GetParametersByPath', 'DescribeParameters', 'DeleteParameters'],
  ...['ListTagsForResource', 'AddTagsToResource', 'RemoveTagsFromResource'],
].map((action) => `ssm:${action}`);
const SECRETS = [
  ...['ListSecrets', 'GetSecretValue', 'BatchGetSecretValue', 'CreateSecret', 'UpdateSecret', 'DeleteSecret'],
  ...['DescribeSecret', 'TagResource', 'UntagResource', 'PutSecretValue'],
].map((action) => `secretsmanager:${action}`);
const KEYS = ['ListAccessKeys', 'CreateAccessKey', 'UpdateAccessKey', 'DeleteAccessKey'].map(
  (action) => `iam:${action}`,
);
const KMS = ['kms:ListAliases', 'kms:ListKeys', 'kms:Encrypt', 'kms:Decrypt', 'kms:DescribeKey'];

interface Step {
  readonly title: string;
  readonly commands: readonly string[];
}

/** One step per block of commands, with the words before it. */
async function stepsOfPage(): Promise<readonly Step[]> {
  const page = await readFile(new URL('../../docs/infisical.md', import.meta.url), 'utf8');
  const [, section = ''] = page.split('## Moving over without a gap\n');
  return [...section.matchAll(/([\s\S]*?)```sh\n([\s\S]*?)```/g)].map(([, before = '', block = '']) => ({
    title: /\*\*([^*]+)\*\*[^*]*$/.exec(before)?.[1] ?? before.trim().split('\n').at(-1) ?? '',
    commands: block
      .replaceAll(/\\\n\s*/g, '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
  }));
}

describe('moving over from Infisical, by the commands of the page', () => {
  let installation: Installation;
  let directory: string;
  let environment: Readonly<Record<string, string>>;
  let host: CommandHost;
  let steps: readonly Step[];
  let pair: { accessKeyId: string; secretAccessKey: string };
  let before: ReturnType<typeof seen>;

  beforeAll(async () => {
    installation = await startInstallation({ queue: 'postgres' });
    environment = { ...installation.environment, KEYFERRY_ORG: 'acme' };
    host = startCommandHost(environment);
    directory = await mkdtemp(join(tmpdir(), 'keyferry-moving-'));
    steps = await stepsOfPage();
    const { sandbox } = installation;
    sandbox.createAccount(INFISICAL.accountId);
    const worker = { accountId: INFISICAL.accountId, userName: 'infisical' };
    const mayAssume = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' } as const;
    sandbox.createUser({ ...worker, policy: { Version: '2012-10-17', Statement: [mayAssume] } });
    sandbox.createRole({
      ...ROLE,
      trustPolicy: trustPolicy({
        partition: 'aws',
        baseAccountId: INFISICAL.accountId,
        externalId: INFISICAL.organization,
      }),
      policy: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: [...ACTIONS, ...SECRETS, ...KEYS, ...KMS], Resource: '*' }],
      },
    });
    sandbox.createUser(USER);
    pair = sandbox.createAccessKey(USER);
    for (const [name, value] of [
      ['/shop/prod/DB_URL', 'postgres://db'],
      ['/shop/prod/DB_PASSWORD', 'word'],
      ['/shop/prod/OF_ANOTHER_TEAM', 'theirs'],
      ['/shop/deploy/AWS_ACCESS_KEY_ID', pair.accessKeyId],
      ['/shop/deploy/AWS_SECRET_ACCESS_KEY', pair.secretAccessKey],
    ] as const)
      sandbox.foreign.putParameter({ ...REGION, name, value });
    const json = JSON.stringify({ DB_URL: 'postgres://db', DB_PASSWORD: 'word', OF_ANOTHER_TEAM: 'theirs' });
    sandbox.foreign.putSecret({ ...REGION, name: 'shop/prod', value: json });
    before = seen();
    await writeFile(join(directory, 'api.env'), 'DB_URL=postgres://db\nDB_PASSWORD=word\n');
    const deploy = `AWS_ACCESS_KEY_ID=${pair.accessKeyId}\nAWS_SECRET_ACCESS_KEY=${pair.secretAccessKey}\n`;
    await writeFile(join(directory, 'deploy.env'), deploy);
    await writeFile(join(directory, 'secret-access-key'), pair.secretAccessKey);
  }, 120_000);
  afterAll(async () => {
    await host.stop();
    await installation.stop();
    await rm(directory, { recursive: true });
  }, 60_000);

  /** All that consumers can see, and by which version. */
  function seen() {
    const { inspect } = installation.sandbox;
    return {
      parameters: inspect
        .parameters({ ...REGION, prefix: '/shop/' })
        .map(({ name, value, version, type, keyId }) => ({ name, value, version, type, keyId })),
      secrets: inspect.secrets(REGION).map(({ name, value, currentVersionId }) => ({ name, value, currentVersionId })),
      keys: inspect.accessKeys(USER).map(({ accessKeyId, status }) => ({ accessKeyId, status })),
    };
  }

  type Seen = ReturnType<typeof seen>;
  const valuesOf = ({ parameters, secrets, keys }: Seen) => ({
    parameters: parameters.map(({ name, value, type }) => ({ name, value, type })),
    secrets: secrets.map(({ name, value }) => ({ name, value: JSON.parse(value ?? '{}') as unknown })),
    keys,
  });
  const values = () => valuesOf(seen());
  /** With their versions: nobody may write them. */
  const othersOf = ({ parameters }: Seen) => parameters.filter(({ name }) => name.endsWith('OF_ANOTHER_TEAM'));
  const others = () => othersOf(seen());

  /**
   * Only what stands in capitals is filled in. A command whose secret comes from a file has it on
   * stdin, in a process of its own; the others share one.
   */
  async function shell(line: string): Promise<string> {
    const command = line.replace('ACCESS-KEY-ID', pair.accessKeyId);
    const [, ...args] = command.replace(/ < \S+$/, '').split(' ');
    const [, file] = / < (\S+)$/.exec(command) ?? [];
    const { code, stdout, stderr } =
      file === undefined
        ? await host.run({ args: args.map(inDirectory), environment })
        : await runKeyferry(args, { environment, input: await readFile(join(directory, file), 'utf8') }, 90_000);
    expect([line, code, code === 0 ? '' : stdout + stderr]).toEqual([line, 0, '']);
    return stdout;
  }

  const inDirectory = (argument: string) => (/\.env$/.test(argument) ? join(directory, argument) : argument);

  /** The next block of the page, which must begin so. */
  async function run(title: RegExp, commands: number): Promise<readonly string[]> {
    const [step, ...rest] = steps;
    steps = rest;
    expect(step?.title).toMatch(title);
    expect(step?.commands).toHaveLength(commands);
    const printed: string[] = [];
    for (const command of step?.commands ?? []) printed.push(await shell(command));
    return printed;
  }

  async function asInfisical() {
    const { sandbox } = installation;
    const client = { endpoint: environment['AWS_ENDPOINT_URL'] ?? '', region: 'eu-west-1' };
    const credentials = sandbox.createAccessKey({ accountId: INFISICAL.accountId, userName: 'infisical' });
    const { Credentials: session } = await new STSClient({ ...client, credentials }).send(
      new AssumeRoleCommand({
        RoleArn: `arn:aws:iam::${ACCOUNT}:role/${ROLE.roleName}`,
        RoleSessionName: 'infisical',
        ExternalId: INFISICAL.organization,
      }),
    );
    sandbox.deleteAccessKey(credentials);
    const assumed = {
      accessKeyId: session?.AccessKeyId ?? '',
      secretAccessKey: session?.SecretAccessKey ?? '',
      sessionToken: session?.SessionToken ?? '',
    };
    return {
      ssm: new SSMClient({ ...client, credentials: assumed }),
      iam: new IAMClient({ ...client, region: 'us-east-1', credentials: assumed }),
    };
  }

  it('lets the role trust both, and Infisical keep its access', async () => {
    const [policy = ''] = await run(/Roles/, 1);
    installation.sandbox.setRoleTrust({ ...ROLE, trustPolicy: JSON.parse(policy) as never });
    await asInfisical();
  }, 60_000);

  it('makes a valid connection, with the secrets beside it', async () => {
    await run(/Connections/, 1);
    await run(/Secrets/, 2);
    expect(seen()).toEqual(before);
  }, 120_000);

  it('takes over the syncs: their names alone are written, with the values that they have', async () => {
    const printed = await run(/Syncs/, 6);
    for (const plan of printed.slice(3)) {
      expect(plan.match(/^adopt /gm)).toHaveLength(2);
      expect(plan).toMatch(/^2 changes, 0 unchanged/m);
    }
    expect(seen()).toEqual(before);
    await run(/Delete the syncs/, 3);
    for (const name of ['shop-parameters', 'shop-json', 'shop-deploy'])
      await expect
        .poll(async () => (await installation.keyferry.syncs.get(name)).syncStatus, { timeout: 30_000 })
        .toBe('succeeded');
    expect(values()).toEqual(valuesOf(before));
    expect(others()).toEqual(othersOf(before));
  }, 180_000);

  it('takes over the key that consumers hold', async () => {
    await run(/Rotations/, 1);
    const rotation = await installation.keyferry.rotations.get('shop-deployer');
    expect(rotation).toMatchObject({ activeAccessKeyId: pair.accessKeyId, phase: 'idle', statusCode: null });
    expect(values()).toEqual(valuesOf(before));
  }, 60_000);

  it('writes what changes from then on, and nothing of others', async () => {
    const { keyferry } = installation;
    const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
    await keyferry.secrets.set(place, { values: { DB_PASSWORD: 'changed' } });
    const valueOf = (name: string) => seen().parameters.find((one) => one.name === name)?.value;
    await expect.poll(() => valueOf('/shop/prod/DB_PASSWORD'), { timeout: 30_000 }).toBe('changed');
    await expect.poll(() => seen().secrets[0]?.value, { timeout: 30_000 }).toContain('changed');
    expect(JSON.parse(seen().secrets[0]?.value ?? '{}')).toEqual({
      DB_URL: 'postgres://db',
      DB_PASSWORD: 'changed',
      OF_ANOTHER_TEAM: 'theirs',
    });
    expect(others()).toEqual(othersOf(before));
  }, 90_000);

  it('goes the way back: all stays as it is, and Infisical writes again', async () => {
    const statusOf = async (name: string) => (await installation.keyferry.syncs.get(name)).syncStatus;
    await expect.poll(() => statusOf('shop-json'), { timeout: 30_000 }).toBe('succeeded');
    const present = seen();
    await run(/way back/, 5);
    expect(steps).toEqual([]);
    expect(seen()).toEqual(present);
    expect(seen().keys).toEqual(before.keys);
    const { ssm, iam } = await asInfisical();
    const overwrite = {
      Name: '/shop/prod/DB_PASSWORD',
      Value: 'by Infisical',
      Type: 'SecureString',
      Overwrite: true,
    } as const;
    await ssm.send(new PutParameterCommand(overwrite));
    await iam.send(new CreateAccessKeyCommand({ UserName: USER.userName }));
    expect(seen().parameters.find((one) => one.name === overwrite.Name)?.value).toBe('by Infisical');
    const lists = [installation.keyferry.syncs, installation.keyferry.rotations, installation.keyferry.connections];
    expect(await Promise.all(lists.map((one) => one.list()))).toEqual([[], [], []]);
  }, 90_000);
});
