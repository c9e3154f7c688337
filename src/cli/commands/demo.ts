/**
 * `keyferry demo`: the whole main job with everything embedded, in a temporary folder that goes at
 * the end.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Command } from 'commander';

import { done, run, type Invocation } from '../command.ts';
import { startEmbedded, type Embedded } from '../embedded.ts';
import type { ExitCode } from '../exit.ts';
import { fields } from '../output.ts';
import { untilStopped } from '../signals.ts';
import { describeStatus, readStatus } from '../status.ts';

const DEMO_ORG = 'demo-org';

export function addDemo(command: Command): void {
  run(command.option('--keep', 'leave everything running until Ctrl-C and print the board’s address'), runDemo);
}

async function runDemo(invocation: Invocation): Promise<ExitCode> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-demo-'));
  const stopOnSignal = untilStopped();
  let embedded: Embedded | undefined;
  try {
    const keep = invocation.options.keep === true;
    embedded = await startDemo(directory, { withServer: keep });
    const ended = await Promise.race([show(invocation, embedded), stopOnSignal]);
    if (ended !== undefined) return 1;
    if (keep) await stopOnSignal;
    return done;
  } finally {
    await embedded?.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

function startDemo(directory: string, { withServer }: { readonly withServer: boolean }): Promise<Embedded> {
  return startEmbedded({
    directory: join(directory, 'postgres'),
    isPersistent: false,
    withSandbox: true,
    withServer,
    logLevel: 'error',
    settings: { KEYFERRY_ORG: DEMO_ORG, KEYFERRY_HTTP_PORT: '0' },
  });
}

async function show({ output, options }: Invocation, { program, sandbox, server }: Embedded): Promise<undefined> {
  if (!sandbox) throw new Error('the demo runs with the sandbox');
  const startedAtMs = performance.now();
  const say = (text: string) => {
    if (!output.isJson) process.stdout.write(`${text}\n`);
  };
  say('keyferry demo: PostgreSQL, queue, worker and an AWS sandbox in one process. No real system is touched.');
  const client = program.client({ name: 'demo' });
  const { tell } = await import('../demo/story.ts');
  const chapters = await tell({ client, sandbox, say });
  const status = await readStatus(client, program);
  const awsCalls = sandbox.calls.byOperation();
  const seconds = Math.round((performance.now() - startedAtMs) / 100) / 10;
  const board = server ? `${server.url}/board` : undefined;
  output.result({ chapters, status, awsCalls, seconds, ...(board ? { board } : {}) }, () =>
    [
      '\n5. What PostgreSQL holds\n',
      describeStatus(status, new Date()),
      `AWS calls made, all to the sandbox\n${fields(Object.entries(awsCalls).sort(([one], [other]) => one.localeCompare(other)))}`,
      `\nDone in ${String(seconds)} s. Nothing is left behind${options.keep === true ? ' after Ctrl-C' : ''}.`,
      ...(board ? [`Board: ${board}   Status page: ${server?.url ?? ''}   (Ctrl-C ends it)`] : []),
    ].join('\n'),
  );
  return undefined;
}
