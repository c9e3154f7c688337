/**
 * `keyferry source …`: where the secrets of a folder come from. Credentials come from stdin or a
 * file and are never shown.
 */
import { Option, type Command } from 'commander';

import type { ListedRun } from '../../client/types/run.ts';
import { parseDuration } from '../../config/values.ts';
import { defined } from '../../domain/defined.ts';
import { describeCounts } from '../../domain/counted.ts';
import { sourceKinds } from '../../domain/sources.ts';
import { JobError } from '../../errors.ts';
import { done, leaf, runWithClient, text, type Options } from '../command.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { exitCodes } from '../exit.ts';
import { readBytes, readSecret } from '../input.ts';
import { fields, table, upcoming } from '../output.ts';
import { toTimeout } from '../waiting.ts';
import { placeOf, withPlace } from './secrets.ts';
import type { SetSource, FolderSource } from '../../client/types/source.ts';

export function addSourceCommands(noun: Command): void {
  addSet(noun);
  addRun(noun);
  runWithClient(withPlace(leaf(noun, 'show', 'the source and its state')), async ({ client, options, output }) => {
    const source = await client.sources.show(placeOf(options));
    const pulls = await client.sources.pulls(placeOf(options));
    output.result({ ...source, pulls }, () => `${describeSource(source)}${describePulls(pulls)}`);
    return done;
  });
  runWithClient(
    withConfirmation(withPlace(leaf(noun, 'unset', 'end the source; the folder keeps its secrets'))),
    async (invocation) => {
      const { client, options, output } = invocation;
      await confirm(invocation, 'The source and its stored credentials are deleted; the folder keeps its secrets.');
      const source = await client.sources.unset(placeOf(options));
      output.result(source, () => 'The folder has no source any more. It keeps its secrets.');
      return done;
    },
  );
}

function addSet(noun: Command): void {
  const command = withPlace(leaf(noun, 'set', 'set the source of a folder, or its new settings'))
    .addOption(new Option('--kind <kind>', 'what answers').choices([...sourceKinds]).makeOptionMandatory())
    .option('--url <url>', 'http: URL of the secrets; infisical: the site (default: https://app.infisical.com)')
    .option('--every <duration>', 'how often it is read, as 5m (default), 1m to 1d')
    .option('--secret-file <file>', 'bearer token or client secret from a file instead of stdin')
    .option('--no-auth', 'http: without a bearer token')
    .option('--cert-file <file>', 'http: client certificate for mutual TLS, as PEM')
    .option('--key-file <file>', 'http: its private key, as PEM without a passphrase')
    .option('--notify-secret-file <file>', 'take notifications that are signed with this secret')
    .option('--client-id <id>', 'infisical: client id of a machine identity')
    .option('--source-project <id>', 'infisical: id of the project')
    .option('--source-env <slug>', 'infisical: the environment')
    .option('--source-path <path>', 'infisical: the folder (default: /)')
    .option('--recursive', 'infisical: with the folders below');
  runWithClient(command, async ({ client, options, output }) => {
    const source = await client.sources.set(placeOf(options), await settingsOf(options));
    output.result(source, () => describeSource(source));
    if (source.config.isNotified === true)
      output.note(`Notifications go to /api/v1/sources/${source.folderId}/notify.`);
    output.note('A worker reads it now; `keyferry source run` waits for that.');
    return done;
  });
}

async function settingsOf(options: Options): Promise<SetSource> {
  const every = text(options, 'every');
  const schedule = every === undefined ? {} : { everySeconds: toSeconds(every) };
  const url = text(options, 'url');
  const notifySecret = await fileOf(options, 'notifySecretFile');
  if (options.kind === 'http') {
    const token = options.auth === false ? null : await credential(options, 'Bearer token');
    const [clientCertificate, clientKey] = [await fileOf(options, 'certFile'), await fileOf(options, 'keyFile')];
    const pair = { clientCertificate, clientKey };
    return { kind: 'http', url: url ?? required('--url'), token, ...pair, notifySecret, ...schedule };
  }
  const path = text(options, 'sourcePath');
  return {
    kind: 'infisical',
    ...defined({ url }),
    projectId: text(options, 'sourceProject') ?? required('--source-project'),
    environment: text(options, 'sourceEnv') ?? required('--source-env'),
    ...defined({ secretPath: path }),
    isRecursive: options.recursive === true,
    clientId: text(options, 'clientId') ?? required('--client-id'),
    clientSecret: await credential(options, 'Client secret'),
    notifySecret,
    ...schedule,
  };
}

async function credential(options: Options, what: string): Promise<string> {
  return (await fileOf(options, 'secretFile')) ?? readSecret(what);
}

/** Null without the option. */
async function fileOf(options: Options, option: string): Promise<string | null> {
  const file = text(options, option);
  if (file === undefined) return null;
  return Buffer.from(await readBytes(file))
    .toString('utf8')
    .trim();
}

function required(option: string): never {
  throw new JobError('PAYLOAD_INVALID', { message: `Give ${option} for a source of this kind.` });
}

function toSeconds(every: string): number {
  const ms = parseDuration(every);
  if (ms !== undefined) return Math.round(ms / 1_000);
  throw new JobError('PAYLOAD_INVALID', { message: '--every must be a duration such as 90s, 15m or 1h.' });
}

function addRun(noun: Command): void {
  const command = withPlace(leaf(noun, 'run', 'read the source now and wait for the result'))
    .option('--confirm-deletions <n>', 'let this pull remove exactly so many secrets')
    .option('--timeout <duration>', 'how long to wait, such as 90s or 10m; the work goes on', '2m');
  runWithClient(command, async ({ client, options, output }) => {
    const confirmed = text(options, 'confirmDeletions');
    const source = await client.sources.run(
      placeOf(options),
      confirmed === undefined ? {} : { confirmDeletions: Number(confirmed) },
      {
        timeoutMs: toTimeout(text(options, 'timeout')),
        onUntaken() {
          output.note('Waiting for a worker. Start one with `keyferry worker`.');
        },
      },
    );
    output.result(source, () => describeSource(source));
    return source.status === 'succeeded' ? done : exitCodes.failed;
  });
}

function describeSource(source: FolderSource): string {
  const stale = source.isStale ? ' (stale)' : '';
  const { statusMessage, statusCode } = source;
  const message = statusMessage === null ? '' : `: ${statusMessage} [${statusCode ?? ''}]`;
  return fields([
    ['source', source.kind],
    ...Object.entries(source.config).map(([name, value]) => [labels[name] ?? name, String(value)] as const),
    ['every', `${String(source.everySeconds)} s`],
    ['status', `${source.status}${stale}${message}`],
    ['since', source.statusSince],
    ['last read', source.lastPulledAt],
    ['next', upcoming(source.nextDueAt)],
    ['left to rotations', source.skippedKeys.join(', ')],
  ]);
}

function describePulls(pulls: readonly ListedRun[]): string {
  if (pulls.length === 0) return '';
  const rows = pulls.map((run) => [
    run.startedAt,
    run.status,
    run.reason,
    describeCounts(run.counts),
    run.errorMessage,
  ]);
  return `\n\n${table(['READ', 'STATUS', 'BECAUSE', 'CHANGES', 'MESSAGE'], rows)}`;
}

const labels: Readonly<Record<string, string>> = {
  origin: 'from',
  projectId: 'project there',
  environment: 'environment there',
  secretPath: 'path there',
  isRecursive: 'recursive',
  isNotified: 'takes notifications',
  certificateExpiresAt: 'certificate until',
};
