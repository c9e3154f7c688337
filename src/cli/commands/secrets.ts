/** `keyferry secrets …`: values go in from stdin or a file; only names come out. */
import type { Command } from 'commander';

import { done, leaf, runWithClient, text, type Options } from '../command.ts';
import { parseSecrets, readText } from '../input.ts';
import { table } from '../output.ts';

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

export function addSecretsCommands(parent: Command): void {
  const noun = parent.command('secrets').description('folders of secrets, the source of syncs');
  const set = withPlace(leaf(noun, 'set', 'set secrets from dotenv or JSON on stdin or in a file'))
    .option('--file <file>', 'read from a file instead of stdin')
    .option('--replace', 'remove keys that are not given');
  runWithClient(set, async ({ client, options, output }) => {
    const values = parseSecrets(await readText(text(options, 'file')));
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
  runWithClient(
    withPlace(leaf(noun, 'unset <keys...>', 'remove secrets')),
    async ({ client, options, args, output }) => {
      const change = await client.secrets.unset(placeOf(options), args);
      output.result(change, () => describeChange(change));
      return done;
    },
  );
}

function describeChange(change: { revision: number; set: number; removed: number; dueSyncs: number }): string {
  const due = change.dueSyncs === 0 ? '' : `; ${String(change.dueSyncs)} syncs are due`;
  if (change.set + change.removed === 0) return `Nothing changed (revision ${String(change.revision)}).`;
  return `${String(change.set)} set, ${String(change.removed)} removed: revision ${String(change.revision)}${due}.`;
}
