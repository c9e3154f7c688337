/** `keyferry up`: everything for development, in this folder's `.keyferry/`, until stopped. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createHash, randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';

import type { Command } from 'commander';

import { processEnvironment } from '../../config/environment.ts';
import { generateEncryptionKey } from '../../config/encryption-key.ts';
import { defined } from '../../domain/defined.ts';
import { JobError } from '../../errors.ts';
import { done, run, text, type Invocation } from '../command.ts';
import { startEmbedded, type Embedded } from '../embedded.ts';
import { isRunning, ownSettings, UP_FOLDER, upFile, type UpState } from '../environment.ts';
import type { ExitCode } from '../exit.ts';
import { portNumber } from '../options.ts';
import { fields } from '../output.ts';
import { untilStopped } from '../signals.ts';
import { describeWorld, type UpWorld } from '../up-world.ts';

const SANDBOX_KEY_FILE = 'sandbox-secret-access-key';

export function addUp(command: Command): void {
  run(
    command
      .option('--sandbox', 'with the AWS sandbox instead of AWS')
      .option('--port <port>', 'of the server (default: KEYFERRY_HTTP_PORT, else 3010)', portNumber),
    runUp,
  );
}

async function runUp({ options, output }: Invocation): Promise<ExitCode> {
  await refuseSecond();
  const folder = resolve(UP_FOLDER);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const secrets = await loadOrMakeSecrets(folder);
  const isSandbox = options.sandbox === true;
  const given = processEnvironment();
  const own = ownSettings(given);
  const embedded = await startEmbedded({
    directory: join(folder, isSandbox ? 'sandbox-postgres' : 'postgres'),
    // The sandbox forgets everything when it stops, so the rows about it go too.
    isPersistent: !isSandbox,
    withSandbox: isSandbox,
    withServer: true,
    logLevel: own.KEYFERRY_LOG_LEVEL ?? 'info',
    ownSettings: own,
    settings: {
      KEYFERRY_ENCRYPTION_KEYS: secrets.encryptionKeys,
      ...defined({
        KEYFERRY_ORG: own.KEYFERRY_ORG,
        // Checked where a webhook or a source is set, which commands of this folder do as well.
        KEYFERRY_WEBHOOK_HOSTS: given.KEYFERRY_WEBHOOK_HOSTS,
        KEYFERRY_SOURCE_HOSTS: given.KEYFERRY_SOURCE_HOSTS,
      }),
      KEYFERRY_API_TOKENS: `${own.KEYFERRY_ORG ?? 'default'}:up:${createHash('sha256').update(secrets.apiToken).digest('hex')}:admin`,
      KEYFERRY_HTTP_PORT: text(options, 'port') ?? own.KEYFERRY_HTTP_PORT ?? '3010',
      // In the sandbox nothing real is in reach, so the page may act unless a setting says
      // otherwise.
      ...(isSandbox ? { KEYFERRY_BOARD_WRITABLE: own.KEYFERRY_BOARD_WRITABLE ?? 'true' } : {}),
    },
  });
  try {
    const world = await furnish(embedded, folder);
    await announce(embedded, { isSandbox });
    const serverUrl = embedded.server?.url ?? '';
    const aws = await describeAws(embedded);
    output.result(
      { serverUrl, board: `${serverUrl}/board`, folder, isSandbox, apiTokenFile: join(folder, 'api-token'), ...world },
      () =>
        [
          fields([
            ['status page', serverUrl],
            ['board', `${serverUrl}/board`],
            ['API token', `in ./${UP_FOLDER}/api-token`],
            ['AWS', aws],
            ['stop', 'Ctrl-C'],
          ]),
          ...(world ? ['', describeWorld(world)] : []),
        ].join('\n'),
    );
    await untilStopped();
  } finally {
    await rm(upFile(), { force: true });
    await rm(join(folder, SANDBOX_KEY_FILE), { force: true });
    await embedded.stop();
  }
  return done;
}

async function describeAws({ program, sandbox }: Embedded): Promise<string> {
  if (sandbox) return 'the sandbox; nothing real is in reach';
  const overrides = await program.endpointOverrides();
  if (overrides.length === 0) return 'real';
  return overrides.map(({ source, url }) => `${url} (${source})`).join(', ');
}

/**
 * In the sandbox: an account with a role for this org, an IAM user to rotate, and an access key.
 */
async function furnish({ program, sandbox }: Embedded, folder: string): Promise<UpWorld | undefined> {
  if (!sandbox) return undefined;
  const { ACCOUNT, createWorld, REGION, ROTATED_USER, widePolicies } = await import('../sandbox-world.ts');
  const { orgId } = program.client({ name: 'up' });
  const { roleArn, accessKey } = createWorld(sandbox, orgId, widePolicies);
  const secretFile = join(folder, SANDBOX_KEY_FILE);
  await writeFile(secretFile, `${accessKey.secretAccessKey}\n`, { mode: 0o600 });
  return {
    accountId: ACCOUNT,
    region: REGION,
    roleArn,
    iamUser: ROTATED_USER,
    accessKeyId: accessKey.accessKeyId,
    secretAccessKeyFile: secretFile,
  };
}

async function refuseSecond(): Promise<void> {
  try {
    const { pid } = JSON.parse(await readFile(upFile(), 'utf8')) as UpState;
    if (isRunning(pid))
      throw new JobError('CONFIG_INVALID', {
        message: `keyferry up already runs in this folder (process ${String(pid)}), and other commands here use it. Stop it with Ctrl-C, or run another one in another folder.`,
      });
  } catch (error) {
    // No file, or one of a crash: nothing runs.
    if (error instanceof JobError) throw error;
  }
}

interface Secrets {
  readonly encryptionKeys: string;
  readonly apiToken: string;
}

async function loadOrMakeSecrets(folder: string): Promise<Secrets> {
  return {
    encryptionKeys: await loadOrMake(join(folder, 'encryption-keys'), () => generateEncryptionKey()),
    apiToken: await loadOrMake(join(folder, 'api-token'), () => `kf_${randomBytes(24).toString('base64url')}`),
  };
}

async function loadOrMake(file: string, make: () => string): Promise<string> {
  try {
    // `wx`: the first one stays, also when two start at once.
    await writeFile(file, make(), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return (await readFile(file, 'utf8')).trim();
}

/** Lets other commands of this folder find it. */
async function announce(embedded: Embedded, { isSandbox }: { readonly isSandbox: boolean }): Promise<void> {
  const state: UpState = {
    pid: process.pid,
    serverUrl: embedded.server?.url ?? '',
    environment: embedded.environment,
    isSandbox,
  };
  await writeFile(upFile(), JSON.stringify(state), { mode: 0o600 });
}
