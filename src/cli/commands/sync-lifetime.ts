/** `keyferry sync pause|resume|cancel|delete`: what stops a sync, for a while or for good. */
import { type Command, Option } from 'commander';

import { done, leaf, runWithClient, type Options } from '../command.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { exitCodes } from '../exit.ts';
import { describeDeletion, describeRun } from '../reports.ts';
import { describeSync } from '../sync-report.ts';
import { untilEnded, waitForRun, withTimeout, type Hints } from '../waiting.ts';

export const hintsOf = (name: string): Hints => ({
  follow: `keyferry sync show ${name}`,
  cancel: `keyferry sync cancel ${name}`,
});

export function addLifetime(noun: Command): void {
  for (const verb of ['pause', 'resume'] as const) {
    runWithClient(
      leaf(noun, `${verb} <name>`, `${verb} scheduled and automatic runs`),
      async ({ args: [name = ''], client, output }) => {
        const sync = await client.syncs[verb](name);
        output.result(sync, () => describeSync(sync));
        return done;
      },
    );
  }
  addCancel(noun);
  const remove = leaf(noun, 'delete <name>', 'delete a sync that owns nothing at AWS')
    .addOption(new Option('--remove-secrets', 'first delete at AWS what this sync wrote').conflicts('abandon'))
    .option('--abandon', 'leave at AWS what this sync wrote, and list it');
  runWithClient(withConfirmation(withTimeout(remove)), async (invocation) => {
    const {
      args: [name = ''],
      client,
      options,
      output,
    } = invocation;
    await confirm(invocation, deletionOf(name, options));
    if (options.removeSecrets !== true) {
      const leftBehind = await client.syncs.delete(name, { abandon: options.abandon === true });
      output.result({ deleted: name, run: null, leftBehind }, () => describeDeletion(name, leftBehind));
      return done;
    }
    const requestId = await client.syncs.request('remove', name, { deleteAfterRemove: true });
    const run = await waitForRun(invocation, requestId, hintsOf(name));
    if (run.status !== 'succeeded') {
      output.result(run, () => `${describeRun(run)}\nThe sync was kept, because its objects could not all be removed.`);
      return exitCodes.failed;
    }
    output.result({ deleted: name, run }, () => `${describeRun(run)}\nDeleted ${name}.`);
    return done;
  });
}

function deletionOf(name: string, { removeSecrets, abandon }: Options): string {
  if (removeSecrets === true) return `Everything that ${name} wrote is deleted at AWS, then the sync.`;
  return abandon === true
    ? `The sync ${name} is deleted; what it wrote stays at AWS without an owner.`
    : `The sync ${name} is deleted.`;
}

function addCancel(noun: Command): void {
  const command = withTimeout(
    leaf(
      noun,
      'cancel <name>',
      'stop a run before its next write and withdraw what was asked for; pauses an automatic sync',
    ),
  );
  runWithClient(command, async (invocation) => {
    const {
      args: [name = ''],
      client,
      output,
    } = invocation;
    const { runId } = await client.syncs.cancel(name);
    const run = runId === null ? null : await untilEnded(invocation, runId);
    const sync = await client.syncs.get(name);
    output.result({ sync, run }, () => {
      const next = sync.pausedAt === null ? `keyferry sync run ${name}` : `keyferry sync resume ${name}`;
      return `${run === null ? '' : `${describeRun(run)}\n\n`}${describeSync(sync)}\n\nStart it again with \`${next}\`.`;
    });
    return done;
  });
}
