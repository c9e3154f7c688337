/**
 * Waiting for a run: how far it has come, what Ctrl-C and a time limit mean. The work continues
 * without the command.
 */
import { setTimeout } from 'node:timers/promises';

import type { Command } from 'commander';

import { parseDuration } from '../domain/duration.ts';
import { JobError, toJobError } from '../errors.ts';
import { text, type ClientInvocation, type Invocation } from './command.ts';
import { timeout } from './options.ts';
import { createProgressLine } from './progress-line.ts';
import { findQueueFault, readWorkers } from './status.ts';
import type { RunRecord } from '../client/types/run.ts';

const DEFAULT_TIMEOUT = '30m';

/** For a command that always waits. */
export function withTimeout(command: Command): Command {
  return command.option(
    '--timeout <duration>',
    'how long to wait, such as 90s or 10m; the work continues',
    timeout,
    DEFAULT_TIMEOUT,
  );
}

export function withWaiting(command: Command): Command {
  return withTimeout(command.option('--no-wait', 'return the request’s id at once'));
}

/** Commands, ready to paste, for a person who stops waiting. */
export interface Hints {
  readonly follow: string;
  /** Absent where nothing can be cancelled. */
  readonly cancel?: string;
}

type Waiting = Invocation & Pick<ClientInvocation, 'client' | 'program'>;

/** Waits for the run that answers a request. Throws QUEUE_TIMEOUT, QUEUE_REQUEST_CANCELLED. */
export async function waitForRun(invocation: Waiting, requestId: string, hints: Hints): Promise<RunRecord> {
  const { client, options, output } = invocation;
  const timeoutMs = toTimeout(text(options, 'timeout'));
  const progress = createProgressLine(output);
  const onInterrupt = () => {
    progress.end();
    output.note(goesOn(hints));
    process.exit(130);
  };
  process.once('SIGINT', onInterrupt);
  try {
    return await client.runs.wait(requestId, {
      timeoutMs,
      untakenTimeoutMs: timeoutMs,
      onProgress: progress.show,
      onUntaken: () => {
        void whyUntaken(invocation.program).then(output.note);
      },
    });
  } catch (error) {
    progress.end();
    throw withHints(error, hints);
  } finally {
    progress.end();
    process.removeListener('SIGINT', onInterrupt);
  }
}

function withHints(error: unknown, hints: Hints): unknown {
  const { code, publicMessage } = toJobError(error);
  if (code !== 'QUEUE_TIMEOUT') return error;
  const { follow, cancel } = hints;
  // A request that no worker has taken makes no progress.
  const next = publicMessage.startsWith('No worker')
    ? `See \`${follow}\`${cancel === undefined ? '' : `, withdraw it with \`${cancel}\``}.`
    : goesOn(hints);
  return new JobError(code, { message: `${publicMessage} ${next}`, cause: error });
}

function goesOn({ follow, cancel }: Hints): string {
  return `The work continues: follow it with \`${follow}\`${cancel === undefined ? '' : `, cancel it with \`${cancel}\``}.`;
}

/** Why a request waits, as far as this process can see. Never throws: it only explains. */
async function whyUntaken(program: ClientInvocation['program']): Promise<string> {
  const [fault, { areRunning }] = await Promise.all([
    findQueueFault(program),
    readWorkers(program).catch(() => ({ areRunning: true })),
  ]);
  if (fault !== null) return `The request waits for the queue: ${fault.message}`;
  if (areRunning) return 'Waiting for a worker: those that are running are busy, or cannot reach the queue.';
  return 'Waiting for a worker; none has taken the request yet. Start one with `keyferry worker`.';
}

/** Milliseconds of a `--timeout`, which was checked as an option. */
export function toTimeout(given = DEFAULT_TIMEOUT): number {
  return parseDuration(given) ?? 0;
}

const LOOK_EVERY_MS = 200;

/** Waits until a run that was asked to stop has done so. Throws QUEUE_TIMEOUT. */
export async function untilEnded({ client, options }: Waiting, runId: string): Promise<RunRecord> {
  const endsAtMs = performance.now() + toTimeout(text(options, 'timeout'));
  for (;;) {
    const run = await client.runs.get(runId);
    if (run.status !== 'running') return run;
    if (performance.now() > endsAtMs)
      throw new JobError('QUEUE_TIMEOUT', { message: 'The run was asked to stop and has not ended yet.' });
    await setTimeout(LOOK_EVERY_MS);
  }
}
