/**
 * `keyferry rotation delete`: forgets a rotation, and on request takes away its keys and secrets
 * first.
 */
import type { Command } from 'commander';

import { done, leaf, runWithClient, type Options } from '../command.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { exitCodes } from '../exit.ts';
import { describeRun } from '../reports.ts';
import { waitForRun, withTimeout, type Hints } from '../waiting.ts';

export function addDelete(noun: Command): void {
  const command = leaf(noun, 'delete <name>', 'forget a rotation; keys at AWS stay unless --revoke-keys')
    .option('--revoke-keys', 'first delete at AWS every key that it made')
    .option('--remove-secrets', 'remove the two secrets from the folder');
  runWithClient(withConfirmation(withTimeout(command)), async (invocation) => {
    const {
      args: [name = ''],
      client,
      options,
      output,
    } = invocation;
    await confirm(invocation, deletionOf(name, options));
    if (options.revokeKeys === true) {
      const run = await waitForRun(invocation, await client.rotations.revokeKeys(name), hintsOf(name));
      if (run.status === 'failed' || run.status === 'blocked') {
        output.result(
          run,
          () => `${describeRun(run)}\nThe rotation was kept, because its keys could not all be deleted.`,
        );
        return exitCodes.failed;
      }
    }
    await client.rotations.delete(name, options.removeSecrets === true ? 'remove' : 'keep');
    output.result({ deleted: name }, () => `Deleted ${name}.`);
    return done;
  });
}

function deletionOf(name: string, options: Options): string {
  const keys = options.revokeKeys === true ? 'its keys are deleted at AWS' : 'its keys at AWS stay';
  const secrets = options.removeSecrets === true ? 'its two secrets are removed from the folder' : 'its secrets stay';
  return `The rotation ${name} is deleted, ${keys}, and ${secrets}.`;
}

export const hintsOf = (name: string): Hints => ({
  follow: `keyferry rotation show ${name}`,
  cancel: `keyferry rotation cancel ${name}`,
});
