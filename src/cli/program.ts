/** The command line: all commands, and what happens to a usage error. */
import { Command, CommanderError } from 'commander';

import { VERSION } from '../version.ts';
import { addConnectionCommands } from './commands/connection.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addHistoryCommands } from './commands/history.ts';
import { addIdentityCommands } from './commands/identity.ts';
import { addKeysCommands } from './commands/keys.ts';
import { addPolicyCommands } from './commands/policy.ts';
import { addProcessCommands } from './commands/processes.ts';
import { addRestoreCommands } from './commands/restore.ts';
import { addRotationCommands } from './commands/rotation.ts';
import { addSandboxCommand } from './commands/sandbox.ts';
import { addSecretsCommands } from './commands/secrets.ts';
import { addSourceCommands } from './commands/source.ts';
import { addSyncCommands } from './commands/sync.ts';
import { addUpCommand } from './commands/up.ts';
import { addWebhookCommands } from './commands/webhook.ts';
import { addExamples } from './examples.ts';
import { exitCodes } from './exit.ts';
import { createOutput } from './output.ts';

export function createProgram(): Command {
  const program = new Command('keyferry')
    .description('Keeps AWS connections valid, AWS secrets equal to their source, and IAM access keys rotated.')
    .version(VERSION)
    // For `sandbox create --json`: the option belongs to the command that it follows.
    .enablePositionalOptions()
    .configureHelp({ sortSubcommands: false })
    .showHelpAfterError('(--help shows the options)');
  addDemoCommand(program);
  addUpCommand(program);
  addProcessCommands(program);
  addConnectionCommands(program);
  addPolicyCommands(program);
  addSecretsCommands(program);
  addSourceCommands(program);
  addSyncCommands(program);
  addRotationCommands(program);
  addIdentityCommands(program);
  addWebhookCommands(program);
  addHistoryCommands(program);
  addKeysCommands(program);
  addRestoreCommands(program);
  addSandboxCommand(program);
  addExamples(program);
  overrideExit(program);
  return program;
}

/** Commander ends with 1 on bad usage; the contract says 2. */
function overrideExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(overrideExit);
}

export async function runCommandLine(args: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const isHelp = error.code === 'commander.helpDisplayed' || error.code === 'commander.version';
    // A noun without a verb shows its help on stderr: that is bad usage.
    process.exitCode = isHelp ? exitCodes.done : exitCodes.usage;
    if (!isHelp && args.includes('--json')) {
      createOutput({ isJson: true }).result({ error: { code: 'PAYLOAD_INVALID', message: error.message } }, () => '');
    }
  }
}
