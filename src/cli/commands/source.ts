/**
 * `keyferry source …`: where the secrets of a folder come from. Credentials come from stdin or a
 * file and are never shown.
 */
import { Option, type Command } from 'commander';

import type { ListedRun } from '../../client/types/run.ts';
import { placeShape, problemsIn } from '../../client/input.ts';
import { defined } from '../../domain/defined.ts';
import { parseDuration } from '../../domain/duration.ts';
import { describeCounts } from '../../domain/counted.ts';
import { newSourceShape, type SourceKind, sourceKinds } from '../../domain/sources.ts';
import { done, leaf, runWithClient, text, type ClientInvocation, type Options } from '../command.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { exitCodes } from '../exit.ts';
import { readSecret, readSecretFile } from '../input.ts';
import { deletions, interval, timeout } from '../options.ts';
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
    .option('--every <duration>', 'how often it is read, as 5m (default), 1m to 1d', interval)
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
  const set = async ({ client, options, output }: ClientInvocation) => {
    const source = await client.sources.set(placeOf(options), await settingsOf(options));
    output.result(source, () => describeSource(source));
    if (source.config.isNotified === true)
      output.note(`Notifications go to /api/v1/sources/${source.folderId}/notify.`);
    output.note('A worker reads it now; `keyferry source run` waits for that.');
    return done;
  };
  runWithClient(command, set, (options) => [
    ...findIdleOptions(options),
    ...problemsIn(placeShape, placeOf(options)),
    ...problemsIn(newSourceShape, toSettings(options, unread)).map((problem) => `setSource.${problem}`),
  ]);
}

/** Options of the other kind. */
const optionsOf = {
  http: { auth: '--no-auth', certFile: '--cert-file', keyFile: '--key-file' },
  infisical: {
    clientId: '--client-id',
    sourceProject: '--source-project',
    sourceEnv: '--source-env',
    sourcePath: '--source-path',
    recursive: '--recursive',
  },
} as const satisfies Record<SourceKind, Readonly<Record<string, string>>>;

function findIdleOptions(options: Options): readonly string[] {
  const others = sourceKinds.filter((kind) => kind !== options.kind);
  if (others.length === sourceKinds.length) return [];
  const isGiven = (option: string) => (option === 'auth' ? options.auth === false : options[option] !== undefined);
  return others.flatMap((kind) =>
    Object.entries(optionsOf[kind])
      .filter(([option]) => isGiven(option))
      .map(([, flag]) => `${flag} has no effect: it is for --kind ${kind}`),
  );
}

/** What is read from files and stdin, once everything else is right. */
interface ReadInput {
  readonly credential: string | null;
  readonly clientCertificate: string | null;
  readonly clientKey: string | null;
  readonly notifySecret: string | null;
}

const unread: ReadInput = { credential: 'x'.repeat(40), clientCertificate: null, clientKey: null, notifySecret: null };

async function settingsOf(options: Options): Promise<SetSource> {
  const isHttp = options.kind === 'http';
  return toSettings(options, {
    notifySecret: await fileOf(options, 'notifySecretFile'),
    credential:
      isHttp && options.auth === false
        ? null
        : ((await fileOf(options, 'secretFile')) ?? (await readSecret(isHttp ? 'Bearer token' : 'Client secret'))),
    clientCertificate: await fileOf(options, 'certFile'),
    clientKey: await fileOf(options, 'keyFile'),
  });
}

/** What is missing is left out, for the client to name. */
function toSettings(options: Options, { credential, notifySecret, ...pair }: ReadInput): SetSource {
  const every = text(options, 'every');
  const shared = {
    ...defined({ url: text(options, 'url') }),
    notifySecret,
    ...(every === undefined ? {} : { everySeconds: toSeconds(every) }),
  };
  if (options.kind !== 'infisical')
    return { kind: options.kind, token: credential, ...pair, ...shared } as unknown as SetSource;
  return {
    kind: 'infisical',
    ...defined({
      projectId: text(options, 'sourceProject'),
      environment: text(options, 'sourceEnv'),
      secretPath: text(options, 'sourcePath'),
      clientId: text(options, 'clientId'),
    }),
    isRecursive: options.recursive === true,
    clientSecret: credential,
    ...shared,
  } as unknown as SetSource;
}

/** Null without the option. */
async function fileOf(options: Options, option: string): Promise<string | null> {
  const file = text(options, option);
  return file === undefined ? null : readSecretFile(file);
}

/** Checked as an option. */
const toSeconds = (every: string): number => Math.round((parseDuration(every) ?? Number.NaN) / 1_000);

function addRun(noun: Command): void {
  const command = withPlace(leaf(noun, 'run', 'read the source now and wait for the result'))
    .option('--confirm-deletions <n>', 'let this pull remove exactly this many secrets', deletions)
    .option('--timeout <duration>', 'how long to wait, such as 90s or 10m; the work continues', timeout, '2m');
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
