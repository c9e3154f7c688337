/** The command line: all commands, and what happens to a usage error. */
import { Command, CommanderError, Option } from 'commander';

import { VERSION } from '../version.ts';
import { leaf } from './command.ts';
import { addExamples } from './examples.ts';
import { exitCodes, reportError } from './exit.ts';
import { createOutput } from './output.ts';
import { toUsageError, withHelpAsked } from './usage.ts';
import { words } from './words.ts';

/**
 * `args`: only what they ask for is whole, other words have a description only. Without them
 * everything is.
 */
export async function createProgram(args?: readonly string[]): Promise<Command> {
  const program = new Command('keyferry')
    .description('Keeps AWS connections valid, AWS secrets equal to their source, and IAM access keys rotated.')
    .version(VERSION)
    .addOption(
      new Option('--completion <shell>', 'print the completion script of the shell').choices(['bash', 'zsh', 'fish']),
    )
    // For `sandbox create --json`: the option belongs to the command that it follows.
    .enablePositionalOptions()
    .configureHelp({ sortSubcommands: false })
    // What the parser refuses is reported as every other error is.
    .configureOutput({ outputError: () => undefined });
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

/** Throws a CommanderError where help was asked for, else PAYLOAD_INVALID. */
function overrideExit(command: Command): void {
  command.exitOverride((error) => {
    throw isHelp(error) ? error : toUsageError(command, error);
  });
  command.commands.forEach(overrideExit);
}

const isHelp = ({ code }: CommanderError): boolean =>
  ['commander.helpDisplayed', 'commander.version', 'commander.help'].includes(code);

async function printCompletion(args: readonly string[]): Promise<void> {
  const [{ completionOf }, program] = await Promise.all([import('./completion.ts'), createProgram()]);
  process.stdout.write(completionOf(program, args));
}

export async function runCommandLine(args: readonly string[]): Promise<void> {
  try {
    if (args[0]?.startsWith('--completion') === true) {
      await printCompletion(args);
      return;
    }
    const program = await createProgram(args);
    await program.parseAsync(withHelpAsked(program, args), { from: 'user' });
  } catch (error) {
    const output = createOutput({ isJson: args.includes('--json') });
    if (!(error instanceof CommanderError)) process.exitCode = reportError(output, error);
    // A noun without a verb shows its help on stderr: that is bad usage.
    else if (error.code === 'commander.help') {
      process.exitCode = exitCodes.usage;
      const message = `\`keyferry ${args.filter((arg) => !arg.startsWith('-')).join(' ')}\` needs a verb.`;
      if (output.isJson) output.result({ error: { code: 'PAYLOAD_INVALID', message } }, () => '');
    } else process.exitCode = exitCodes.done;
  }
}
