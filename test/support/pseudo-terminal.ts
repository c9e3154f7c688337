/** Runs `keyferry …` on a pseudo terminal (made by Python), whose questions the test answers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { cleanEnvironment } from './environment.ts';

const KEYFERRY = new URL('../../bin/keyferry.js', import.meta.url).pathname;
const LIMIT_MS = 90_000;
const CTRL_D = '\u0004';
/** As wide as a person's, so that tables are tables. */
const SIZED = 'stty cols 120 rows 40 && exec "$0" "$@"';
const PTY = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';

export interface TerminalSession {
  readonly code: number | null;
  /** Everything that the person saw, with what was typed. */
  readonly screen: string;
}

interface Exchange {
  readonly question: RegExp;
  readonly answer: string;
  readonly next?: Exchange;
}

/**
 * `answer` is typed once the screen shows `question`, with Enter unless it ends with Ctrl-D, and
 * nothing before.
 */
export async function onTerminal(
  args: readonly string[],
  { directory, ...first }: Exchange & { readonly directory: string },
): Promise<TerminalSession> {
  const child = spawn('python3', ['-c', PTY, 'sh', '-c', SIZED, process.execPath, KEYFERRY, ...args], {
    cwd: directory,
    env: cleanEnvironment({ TERM: 'xterm' }),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let screen = '';
  let awaited: Exchange | undefined = first;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    if (awaited?.question.test(screen) !== true) return;
    child.stdin.write(awaited.answer.endsWith(CTRL_D) ? awaited.answer : `${awaited.answer}\r`);
    awaited = awaited.next;
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  const limit = new AbortController();
  const late = sleep(LIMIT_MS, undefined, { ref: false, signal: limit.signal }).then(
    () => child.kill('SIGKILL'),
    () => false,
  );
  const [code] = await ended;
  limit.abort();
  if (await late) throw new Error(`Still running after ${String(LIMIT_MS / 1_000)} s:\n${screen}`);
  return { code, screen };
}
