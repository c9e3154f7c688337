/**
 * The command line in one process for many commands, each with an environment of its own: what
 * `bin.ts` runs, without the second that a new process takes. Forked by `startCommandHost`; ends
 * with its parent.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Command {
  readonly args: readonly string[];
  /** The whole environment. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandHost {
  run(command: Command): Promise<CommandResult>;
  stop(): Promise<void>;
}

/** `environment`: what only counts at the start of a process, as NODE_EXTRA_CA_CERTS. */
export function startCommandHost(environment: Readonly<Record<string, string>>): CommandHost {
  const child = fork(fileURLToPath(import.meta.url), ['serve'], {
    execArgv: ['--import', 'tsx'],
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(command) {
      const answer = last.then(async () => {
        child.send(command);
        const [result] = (await once(child, 'message')) as [CommandResult];
        return result;
      });
      last = answer;
      return answer;
    },
    async stop() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

async function serve(): Promise<void> {
  const { runCommandLine } = await import('../../src/cli/program.ts');
  const { reportError } = await import('../../src/cli/exit.ts');
  const { createOutput } = await import('../../src/cli/output.ts');
  const exit = process.exit.bind(process);
  // A failed command sets itself a time limit to end in; this process continues.
  process.exit = (() => undefined) as never;
  process.on('disconnect', () => exit(0));
  const perform = async ({ args, environment }: Command): Promise<CommandResult> => {
    for (const name of Object.keys(process.env)) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, environment);
    const printed = capture();
    process.exitCode = undefined;
    try {
      await runCommandLine(args);
    } catch (error) {
      process.exitCode = reportError(createOutput({ isJson: args.includes('--json') }), error);
    }
    return { code: process.exitCode ?? 0, ...printed() };
  };
  process.on('message', (command: Command) => {
    void perform(command).then((result) => process.send?.(result));
  });
}

/** Returns how to end it, with what was printed. */
function capture(): () => { readonly stdout: string; readonly stderr: string } {
  const texts = { stdout: '', stderr: '' };
  const originals = (['stdout', 'stderr'] as const).map((name) => {
    const { write } = process[name];
    process[name].write = (chunk: string | Uint8Array) => {
      texts[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      return true;
    };
    return () => {
      process[name].write = write;
    };
  });
  return () => {
    originals.forEach((restore) => {
      restore();
    });
    return texts;
  };
}

if (process.argv[2] === 'serve' && process.send) await serve();
