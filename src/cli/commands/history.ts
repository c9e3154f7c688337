/** `keyferry runs|folders|audit list`: what was done, what there is, and who changed what. */
import { type Command, Option } from 'commander';

import { happenedIn } from '../../domain/happened.ts';
import { runKinds, runStatuses } from '../../domain/run.ts';
import type { ListedRun } from '../../client/types/run.ts';
import { done, leaf, runWithClient, text } from '../command.ts';
import { saidOf } from '../flags.ts';
import { limitOption } from '../options.ts';
import { table } from '../output.ts';

export function addRunsCommands(noun: Command): void {
  const command = leaf(noun, 'list [subject]', 'runs of the org, or of one connection, sync or rotation (name or id)')
    .addOption(new Option('--kind <kind>', 'only these').choices([...runKinds]))
    .addOption(new Option('--status <status>', 'only these').choices([...runStatuses]))
    .addOption(limitOption('how many, newest first'));
  runWithClient(command, async ({ args: [subject], client, options, output }) => {
    const filter = { subject, kind: text(options, 'kind'), status: text(options, 'status') };
    const runs = await client.history.runs({ ...filter, limit: Number(options.limit) });
    output.result(runs, () =>
      table(
        ['STARTED', 'KIND', 'SUBJECT', 'STATUS', 'BY', 'CHANGES', 'MESSAGE'],
        runs.map((run) => [
          run.startedAt,
          run.kind,
          run.subjectName ?? 'deleted',
          run.status,
          run.requestedBy ?? run.reason,
          changesOf(run),
          messageOf(run),
        ]),
      ),
    );
    return done;
  });
}

const nounOf = { validate: 'connection', rotate: 'rotation', pull: undefined } as const;

/** Its commands with the name of what the run was for; a pull is for a folder. */
function messageOf({ kind, subjectName: name, errorMessage }: ListedRun): string | null {
  const noun = kind in nounOf ? nounOf[kind as keyof typeof nounOf] : 'sync';
  return noun === undefined ? errorMessage : saidOf(noun, { name }, errorMessage);
}

function changesOf(run: ListedRun): string {
  const slices = run.slices.length === 0 ? '' : `(${String(run.slices.length)} slices)`;
  return [happenedIn(run), slices].filter((part) => part !== '').join(' ');
}

export function addFoldersCommands(noun: Command): void {
  const command = leaf(noun, 'list', 'folders of the org, with how many secrets and syncs each has').option(
    '--project <project>',
    'only this project',
  );
  runWithClient(command, async ({ client, options, output }) => {
    const folders = await client.history.folders(text(options, 'project'));
    output.result(folders, () =>
      table(
        ['PROJECT', 'ENVIRONMENT', 'PATH', 'SECRETS', 'SYNCS', 'REVISION', 'CHANGED'],
        folders.map((one) => [
          one.projectId,
          one.environment,
          one.secretPath,
          one.secrets,
          one.syncs,
          one.revision,
          one.updatedAt,
        ]),
      ),
    );
    return done;
  });
}

export function addAuditCommands(noun: Command): void {
  const command = leaf(noun, 'list', 'changes of the org, newest first').addOption(
    limitOption('how many, newest first'),
  );
  runWithClient(command, async ({ client, options, output }) => {
    const changes = await client.history.audit(Number(options.limit));
    output.result(changes, () =>
      table(
        ['AT', 'ACTOR', 'VIA', 'ACTION', 'SUBJECT', 'STATUS', 'REQUEST'],
        changes.map((one) => [one.at, one.actor, one.via, one.action, one.subject, one.statusCode, one.requestId]),
      ),
    );
    return done;
  });
}
