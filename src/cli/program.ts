/** The command line: all commands, and what happens to a usage error. */
import { Command, CommanderError } from 'commander';

import { VERSION } from '../version.ts';
import { leaf } from './command.ts';
import { addExamples } from './examples.ts';
import { exitCodes } from './exit.ts';
import { createOutput } from './output.ts';
import { words } from './words.ts';

/**
 * `args`: only what they ask for is whole, other words have a description only. Without them
 * everything is.
 */
export async function createProgram(args?: readonly string[]): Promise<Command> {
  const program = new Command('keyferry')
    .description('Keeps AWS connections valid, AWS secrets equal to their source, and IAM access keys rotated.')
    .version(VERSION)
    // For `sandbox create --json`: the option belongs to the command that it follows.
    .enablePositionalOptions()
    .configureHelp({ sortSubcommands: false })
    .showHelpAfterError('(--help shows the options)');
  const asked = args && wordOf(args);
  for (const { name, alias, description, isCommand, load } of words) {
    const command = isCommand ? leaf(program, name, description) : program.command(name).description(description);
    if (alias !== undefined) command.alias(alias);
    if (args === undefined || asked === name || asked === alias) (await load())(command);
  }
  addExamples(program);
  overrideExit(program);
  return program;
}

/** The first word, or the second after `help`. No option before it takes a value. */
function wordOf(args: readonly string[]): string {
  const [first = '', second = ''] = args.filter((arg) => !arg.startsWith('-'));
  return first === 'help' ? second : first;
}

/** Commander ends with 1 on bad usage; the contract says 2. */
function overrideExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(overrideExit);
}

export async function runCommandLine(args: readonly string[]): Promise<void> {
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: 'user' });
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
