/** `keyferry sandbox`: the AWS sandbox alone, for development and for tests in other languages. */
import { access, constants, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Command } from 'commander';

import { JobError } from '../../errors.ts';
import { done, run, text, type Invocation } from '../command.ts';
import type { ExitCode } from '../exit.ts';
import { portNumber } from '../options.ts';
import { fields } from '../output.ts';
import { untilStopped } from '../signals.ts';
import { addSandboxCreate } from './sandbox-create.ts';

const quotaPresets = ['off', 'documented', 'support-2023', 'high-throughput', 'hostile'] as const;

export function addSandbox(command: Command): void {
  const sandbox = run(
    command
      .option('--port <port>', 'default: a free one', portNumber)
      .option('--quotas <preset>', quotaPresets.join(', '), 'off')
      .option('--timing <timing>', 'immediate or realistic', 'immediate')
      .option('--seed <number>', 'of everything random', '1')
      .option('--key-folder <folder>', 'write the base identity there, for INF_APP_CONNECTION_AWS_…_FILE of a worker'),
    runSandbox,
  );
  // Options after `create` are those of `create`.
  addSandboxCreate(sandbox.enablePositionalOptions());
}

async function runSandbox({ options, output }: Invocation): Promise<ExitCode> {
  const quotas = quotaPresets.find((preset) => preset === options.quotas);
  const timing = (['immediate', 'realistic'] as const).find((one) => one === options.timing);
  const port = Number(text(options, 'port') ?? 0);
  if (!quotas || !timing) {
    throw new JobError('PAYLOAD_INVALID', {
      message: '--quotas or --timing is not one of the values that --help lists.',
    });
  }
  const keyFolder = text(options, 'keyFolder');
  await requireFolder(keyFolder);
  const { createAwsSandbox, startAwsSandboxServer } = await import('../../sandbox/aws/index.ts');
  const { toListenError } = await import('../../server/listen.ts');
  const sandbox = createAwsSandbox({ quotas, timing, seed: Number(options.seed) });
  const server = await startAwsSandboxServer(sandbox, { port }).catch((error: unknown) => {
    throw toListenError(error as NodeJS.ErrnoException, { host: '127.0.0.1', port, portSetting: '--port' });
  });
  sandbox.createAccount('111122223333');
  const user = { accountId: '111122223333', userName: 'keyferry-base' };
  sandbox.createUser({
    ...user,
    policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
  });
  const key = sandbox.createAccessKey(user);
  await writeKey(keyFolder, key);
  output.result({ url: server.url, ...key }, () =>
    fields([
      ['AWS_ENDPOINT_URL', server.url],
      ['INF_APP_CONNECTION_AWS_ACCESS_KEY_ID', key.accessKeyId],
      ['INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY', `${key.secretAccessKey}   (of the sandbox only)`],
    ]),
  );
  await untilStopped();
  await server.close();
  return done;
}

async function requireFolder(folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  try {
    // With the dot, a file is no folder.
    await access(join(folder, '.'), constants.W_OK);
  } catch (cause) {
    const message = `--key-folder ${folder} is no folder to write in. Make it with \`mkdir -p\`, or name another one.`;
    throw new JobError('PAYLOAD_INVALID', { message, cause });
  }
}

async function writeKey(
  folder: string | undefined,
  key: { accessKeyId: string; secretAccessKey: string },
): Promise<void> {
  if (folder === undefined) return;
  await writeFile(join(folder, 'access-key-id'), key.accessKeyId, { mode: 0o600 });
  await writeFile(join(folder, 'secret-access-key'), key.secretAccessKey, { mode: 0o600 });
}
