/**
 * How a command is declared and run: common options, one place for errors and exit codes, the
 * program made and closed around it.
 */
import { Option, type Command } from 'commander';

import type { Config } from '../config/config.ts';
import type { Named } from '../domain/advice.ts';
import type { Program } from '../main.ts';
import { takeForm } from './form.ts';
import { type CommandInput, exitCodes, reportError, type ExitCode } from './exit.ts';
import { endInTime } from './signals.ts';
import { orgOption } from './options.ts';
import { createOutput, type Output } from './output.ts';
import { withNearMiss } from './near-miss.ts';
import { personName } from './person.ts';
import type { Client } from '../client/types/client.ts';

export type Options = Readonly<Record<string, unknown>>;

export interface Invocation {
  readonly options: Options;
  /** Positional arguments. */
  readonly args: readonly string[];
  readonly output: Output;
}

export interface ClientInvocation extends Invocation {
  readonly client: Client;
  readonly program: Program;
}

/** A command with `--json`. The handler's exit code becomes the process's. */
export function leaf(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .addOption(new Option('--json', 'print one JSON document on stdout'));
}

/** What the client would refuse of a command line, by its fields; nothing is asked or changed. */
type FindProblems = (options: Options, args: readonly string[]) => readonly string[];

export function run(
  command: Command,
  handler: (invocation: Invocation) => Promise<ExitCode>,
  findProblems: FindProblems = () => [],
): Command {
  const form = takeForm(command, flagsOf(command));
  return command.action(async (...received: unknown[]) => {
    const options = command.opts();
    const output = createOutput({ isJson: options.json === true });
    const args = received
      .slice(0, -2)
      .flat()
      .filter((argument) => typeof argument === 'string');
    try {
      form.require(findProblems(options, args));
      process.exitCode = await handler({ options, args, output });
    } catch (error) {
      process.exitCode = reportError(output, error, askedOf(command, args));
    }
  });
}

function flagsOf(command: Command): ReadonlySet<string> {
  const positional = command.registeredArguments.map((one) => `<${one.name()}>`);
  return new Set([...command.options.map((option) => option.long ?? ''), ...positional]);
}

function askedOf(command: Command, [name]: readonly string[]): CommandInput {
  const flags = flagsOf(command);
  const noun = command.parent?.name() ?? '';
  return { flags, of: name !== undefined && isNoun(noun) ? { kind: noun, name } : undefined };
}

const isNoun = (text: string): text is Named['kind'] => ['connection', 'sync', 'rotation'].includes(text);

/** A command that talks to the database as an org's client. */
export function runWithClient(
  command: Command,
  handler: (invocation: ClientInvocation) => Promise<ExitCode>,
  findProblems?: FindProblems,
): Command {
  command.addOption(orgOption());
  const withClient = async (invocation: Invocation) => {
    const config = await readConfig(invocation);
    // Commands report through their output; the code they use logs only real problems.
    return withProgram(config, 'error', async (program) => {
      const { requireCurrentSchema } = await import('../db/migrate.ts');
      await requireCurrentSchema(config.databaseUrl);
      const client = program.client({ name: personName() });
      return withNearMiss(handler({ ...invocation, program, client }), { client, invocation });
    });
  };
  return run(command, withClient, findProblems);
}

export async function readConfig({ options, output }: Invocation): Promise<Config> {
  const [{ findEnvironment }, { loadConfig }] = await Promise.all([
    import('./environment.ts'),
    import('../config/config.ts'),
  ]);
  const environment = await findEnvironment(output);
  return loadConfig(typeof options.org === 'string' ? { ...environment, KEYFERRY_ORG: options.org } : environment);
}

export async function withProgram(
  config: Config & { readonly sessionName?: string },
  logLevel: string,
  use: (program: Program) => Promise<ExitCode>,
): Promise<ExitCode> {
  // Before the engine is loaded: its stack traces name the lines of the sources, in a built package
  // too. Help needs none of it.
  process.setSourceMapsEnabled(true);
  const [{ compose }, { openLog }] = await Promise.all([import('../main.ts'), import('./terminal-log.ts')]);
  const program = compose(config, await openLog(logLevel));
  try {
    return await use(program);
  } catch (error) {
    endInTime();
    throw error;
  } finally {
    await program.close();
  }
}

/** Values of a repeatable option. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

export function text(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export const done = exitCodes.done;
