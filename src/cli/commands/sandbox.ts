/** `keyferry sandbox`: the AWS sandbox alone, for development and for tests in other languages. */
import { writeFile } from 'node:fs/promises';
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
  const { createAwsSandbox, startAwsSandboxServer } = await import('../../sandbox/aws/index.ts');
  const sandbox = createAwsSandbox({ quotas, timing, seed: Number(options.seed) });
  const server = await startAwsSandboxServer(sandbox, { port });
  sandbox.createAccount('111122223333');
  const user = { accountId: '111122223333', userName: 'keyferry-base' };
  sandbox.createUser({
    ...user,
    policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
  });
  const key = sandbox.createAccessKey(user);
  await writeKey(text(options, 'keyFolder'), key);
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

async function writeKey(
  folder: string | undefined,
  key: { accessKeyId: string; secretAccessKey: string },
): Promise<void> {
  if (folder === undefined) return;
  await writeFile(join(folder, 'access-key-id'), key.accessKeyId, { mode: 0o600 });
  await writeFile(join(folder, 'secret-access-key'), key.secretAccessKey, { mode: 0o600 });
}
