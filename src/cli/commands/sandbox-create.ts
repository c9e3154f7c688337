/**
 * `keyferry sandbox create …`: accounts, roles, users and access keys in a running sandbox, as a
 * person makes them in AWS's console.
 */
import { readFile, writeFile } from 'node:fs/promises';

import type { Command } from 'commander';

import { isLoopback } from '../../domain/servers/loopback.ts';
import { trustPolicy } from '../../domain/policy/policies.ts';
import { nearest } from '../../domain/nearest.ts';
import { JobError } from '../../errors.ts';
import type { PolicyDocument, RemoteAwsSandbox } from '../../sandbox/aws/index.ts';
import { done, leaf, run, text, type Invocation, type Options } from '../command.ts';
import { findEnvironment } from '../environment.ts';
import type { ExitCode } from '../exit.ts';
import { accountId, orgOption } from '../options.ts';
import { fields } from '../output.ts';

const makers: Readonly<Record<string, (invocation: Invocation) => Promise<ExitCode>>> = {
  account: createAccount,
  role: createRole,
  user: createUser,
  'access-key': createAccessKey,
  key: createAccessKey,
};

export function addSandboxCreate(sandbox: Command): void {
  const command = leaf(
    sandbox,
    'create <kind> [name]',
    'make an account, role, user or access-key in the running sandbox',
  )
    .option('--account <id>', 'the AWS account (default: that of `up --sandbox`)', accountId)
    .option('--external-id <id>', 'role: what its trust policy asks for (default: the org)')
    .option('--user <name>', 'access-key: of this IAM user')
    .option('--secret-file <file>', 'access-key: write the secret access key there instead of printing it')
    .option('--policy <file>', 'role, user: the permissions, as a policy document')
    .option('--no-permissions', 'role, user: may do nothing (default: all of SSM, Secrets Manager, IAM and KMS)')
    .option('--url <url>', 'of the sandbox (default: AWS_ENDPOINT_URL, or the `up --sandbox` of this folder)')
    .addOption(orgOption());
  run(command, async (invocation) => {
    const [kind = '', name] = invocation.args;
    const make = makers[kind];
    if (make === undefined)
      throw new JobError('PAYLOAD_INVALID', {
        message: `It makes account, role, user or access-key, ${otherKind(kind)}`,
      });
    if ((kind === 'role' || kind === 'user') && name === undefined)
      throw new JobError('PAYLOAD_INVALID', { message: `The name is missing: keyferry sandbox create ${kind} NAME.` });
    return make(invocation);
  });
}

function otherKind(kind: string): string {
  const meant = nearest(kind, Object.keys(makers));
  return meant === undefined ? `not ${kind}.` : `not ${kind}; did you mean ${meant}?`;
}

interface Site {
  readonly remote: RemoteAwsSandbox;
  readonly org: string;
  readonly account: string;
}

async function findSite({ options, output }: Invocation): Promise<Site> {
  const environment = await findEnvironment(output);
  const url = text(options, 'url') ?? environment.AWS_ENDPOINT_URL;
  if (url === undefined || !URL.canParse(url) || !isLoopback(new URL(url).hostname)) {
    const message =
      'No sandbox was found. Start one with `keyferry up --sandbox` in this folder, or name it with --url.';
    throw new JobError('PAYLOAD_INVALID', { message });
  }
  const { connectAwsSandbox } = await import('../../sandbox/aws/index.ts');
  const { ACCOUNT } = await import('../sandbox-world.ts');
  return {
    remote: connectAwsSandbox(url),
    org: text(options, 'org') ?? environment.KEYFERRY_ORG ?? 'default',
    account: text(options, 'account') ?? ACCOUNT,
  };
}

/** What the sandbox refuses is the person's input. */
async function asked<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^AWS sandbox: /, '') : 'no answer';
    const words = reason.replace(
      /no account (\d{12}); .*$/,
      'no account $1; create it with `keyferry sandbox create account --account $1`',
    );
    throw new JobError('PAYLOAD_INVALID', { message: `The sandbox refused it: ${words}.`, cause });
  }
}

async function policyOf(options: Options): Promise<readonly PolicyDocument[]> {
  const file = text(options, 'policy');
  if (file !== undefined) {
    try {
      return [JSON.parse(await readFile(file, 'utf8')) as PolicyDocument];
    } catch (cause) {
      throw new JobError('PAYLOAD_INVALID', { message: `--policy ${file} is not a readable JSON file.`, cause });
    }
  }
  if (options.permissions === false) return [];
  return (await import('../sandbox-world.ts')).widePolicies;
}

async function createAccount(invocation: Invocation): Promise<ExitCode> {
  const { remote } = await findSite(invocation);
  const created = await asked(remote.createAccount(text(invocation.options, 'account')));
  invocation.output.result(created, () => `AWS account ${created.accountId}`);
  return done;
}

async function createRole(invocation: Invocation): Promise<ExitCode> {
  const { args, options, output } = invocation;
  const [, roleName = ''] = args;
  const { remote, org, account } = await findSite(invocation);
  const { SANDBOX_BASE_ACCOUNT } = await import('../embedded.ts');
  const externalId = text(options, 'externalId') ?? org;
  const trust = trustPolicy({ partition: 'aws', baseAccountId: SANDBOX_BASE_ACCOUNT, externalId });
  const policy = await policyOf(options);
  const { arn } = await asked(remote.createRole({ accountId: account, roleName, trustPolicy: trust, policy }));
  output.result({ roleArn: arn, externalId }, () =>
    withNext(
      [
        ['role', arn],
        ['external ID', externalId],
      ],
      `keyferry connection create --name ${roleName} --method assume-role --role-arn ${arn}`,
    ),
  );
  return done;
}

async function createUser(invocation: Invocation): Promise<ExitCode> {
  const { args, options, output } = invocation;
  const [, userName = ''] = args;
  const { remote, account } = await findSite(invocation);
  const policy = await policyOf(options);
  const { arn } = await asked(remote.createUser({ accountId: account, userName, policy }));
  output.result({ userName, arn, accountId: account }, () =>
    withNext([['IAM user', arn]], `keyferry sandbox create access-key --user ${userName} --account ${account}`),
  );
  return done;
}

async function createAccessKey(invocation: Invocation): Promise<ExitCode> {
  const { options, output } = invocation;
  const userName = text(options, 'user');
  if (userName === undefined)
    throw new JobError('PAYLOAD_INVALID', { message: '--user is missing: whose access key?' });
  const { remote, account } = await findSite(invocation);
  const { accessKeyId, secretAccessKey } = await asked(remote.createAccessKey({ accountId: account, userName }));
  const file = text(options, 'secretFile');
  if (file !== undefined) await writeFile(file, `${secretAccessKey}\n`, { mode: 0o600 });
  const secret = file === undefined ? { secretAccessKey } : { secretFile: file };
  const input = file === undefined ? '' : ` < ${file}`;
  output.result({ accessKeyId, ...secret }, () =>
    withNext(
      [
        ['access key', accessKeyId],
        ['secret', file ?? `${secretAccessKey}   (of the sandbox only)`],
      ],
      `keyferry connection create --name ${userName} --method access-key --access-key-id ${accessKeyId}${input}`,
    ),
  );
  return done;
}

function withNext(entries: readonly (readonly [string, string])[], command: string): string {
  return `${fields(entries)}\n\nNext:\n\n  npx ${command}`;
}
