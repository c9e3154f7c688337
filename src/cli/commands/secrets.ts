/** `keyferry secrets …`: values go in from stdin or a file; only names come out. */
import type { Command } from 'commander';

import { counted } from '../../domain/counted.ts';
import { done, leaf, runWithClient, text, type ClientInvocation, type Options } from '../command.ts';
import { JobError } from '../../errors.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { readBytes } from '../input.ts';
import { table } from '../output.ts';
import { decodeSecretText, parseSecrets } from '../../domain/secret-text.ts';

export function placeOf(options: Options) {
  return {
    projectId: text(options, 'project') ?? '',
    environment: text(options, 'env') ?? '',
    secretPath: text(options, 'path') ?? '',
  };
}

export function withPlace(command: Command): Command {
  return command
    .requiredOption('--project <project>', 'the project')
    .requiredOption('--env <environment>', 'the environment, as prod')
    .requiredOption('--path <path>', 'the folder, as /api');
}

export function addSecretsCommands(noun: Command): void {
  const set = withPlace(leaf(noun, 'set', 'set secrets from dotenv or JSON on stdin or in a file'))
    .option('--file <file>', 'read from a file instead of stdin')
    .option('--replace', 'remove keys that are not given')
    .option('--allow-empty', 'with --replace: an empty input empties the folder');
  runWithClient(withConfirmation(set), async (invocation) => {
    const { client, options, output } = invocation;
    const values = parseSecrets(decodeSecretText(await readBytes(text(options, 'file'))));
    if (options.replace === true) {
      if (options.allowEmpty !== true) refuseEmpty(values);
      await confirmRemoval(invocation, values);
    }
    const change = await client.secrets.set(placeOf(options), {
      values,
      mode: options.replace === true ? 'replace' : 'merge',
    });
    output.result(change, () => describeChange(change));
    return done;
  });
  runWithClient(
    withPlace(leaf(noun, 'list', 'names and revisions, never values')),
    async ({ client, options, output }) => {
      const names = await client.secrets.list(placeOf(options));
      output.result(names, () =>
        table(
          ['KEY', 'REVISION', 'UPDATED', 'MANAGED BY'],
          names.map((one) => [
            one.key,
            one.revision,
            one.updatedAt,
            one.managedBy === null ? null : `rotation ${one.managedBy}`,
          ]),
        ),
      );
      return done;
    },
  );
  addUnset(noun);
}

function addUnset(noun: Command): void {
  runWithClient(withConfirmation(withPlace(leaf(noun, 'unset <keys...>', 'remove secrets'))), async (invocation) => {
    const { client, options, args, output } = invocation;
    await confirm(invocation, removalOf(args));
    const change = await client.secrets.unset(placeOf(options), args);
    output.result(change, () => describeChange(change));
    return done;
  });
}

/** Asks only where something goes. */
async function confirmRemoval(invocation: ClientInvocation, values: Record<string, string>): Promise<void> {
  const { client, options } = invocation;
  const present = await client.secrets.list(placeOf(options)).catch(none);
  const removed = present.filter(({ key, managedBy }) => managedBy === null && !Object.hasOwn(values, key));
  if (removed.length > 0) await confirm(invocation, removalOf(removed.map(({ key }) => key)));
}

/** Of a folder that does not exist. */
function none(error: unknown): readonly never[] {
  if (error instanceof JobError && error.code === 'SECRET_FOLDER_NOT_FOUND') return [];
  throw error;
}

const NAMED = 10;

function removalOf(keys: readonly string[]): string {
  const more = keys.length > NAMED ? ` and ${counted(keys.length - NAMED, 'other')}` : '';
  const named = `${keys.slice(0, NAMED).join(', ')}${more}`;
  return keys.length === 1
    ? `${named} is removed from the folder, and its syncs delete it at AWS.`
    : `${named} are removed from the folder, and its syncs delete them at AWS.`;
}

/** An empty file or a pipe whose command failed must not empty the folder. */
function refuseEmpty(values: Record<string, string>): void {
  if (Object.keys(values).length > 0) return;
  throw new JobError('PAYLOAD_INVALID', {
    message:
      'The input holds no secrets, and --replace would remove all of the folder. If you mean it, add --allow-empty.',
  });
}

function describeChange(change: { revision: number; set: number; removed: number; dueSyncs: number }): string {
  const due = change.dueSyncs === 0 ? '' : `; ${counted(change.dueSyncs, 'sync is', 'syncs are')} due`;
  if (change.set + change.removed === 0) return `Nothing changed (revision ${String(change.revision)}).`;
  return `${String(change.set)} set, ${String(change.removed)} removed: revision ${String(change.revision)}${due}.`;
}
