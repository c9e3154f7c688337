/**
 * Child processes of tests: started, watched by their output, and gone when the test is over,
 * however it ends.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { inject, onTestFinished } from 'vitest';
import { startWatcher } from '../../src/sandbox/watcher.ts';
import { cleanEnvironment } from './environment.ts';

const DEFAULT_LIMIT_MS = 30_000;
const OUTPUT_GRACE_MS = 500;
const KEPT_CHARACTERS = 4_000;

export interface ProcessOptions {
  readonly arguments?: readonly string[];
  /** The whole environment of the child. Default: `cleanEnvironment()`. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Written to stdin, which is then closed. */
  readonly input?: string;
}

export interface Exit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestProcess {
  readonly pid: number;
  /** All output so far. */
  stdout(): string;
  stderr(): string;
  /**
   * Resolves with the first line (of either stream, past ones included) that matches; rejects when
   * the process ends or time is up.
   */
  waitForLine(pattern: RegExp, limitMs?: number): Promise<string>;
  waitForExit(limitMs?: number): Promise<Exit>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<Exit>;
}

/**
 * Within a test; the process is killed when that test is over. Elsewhere use `startUnboundProcess`.
 */
export function startProcess(command: string, options: ProcessOptions = {}): TestProcess {
  const started = startUnboundProcess(command, options);
  onTestFinished(async () => {
    await started.kill();
  });
  return started;
}

/** Runs to the end and returns what it printed; a code other than 0 is no error here. */
export async function runProcess(command: string, options: ProcessOptions = {}, limitMs?: number): Promise<Exit> {
  const started = startUnboundProcess(command, options);
  try {
    return await started.waitForExit(limitMs);
  } finally {
    await started.kill();
  }
}

/** `keyferry …` of this checkout, compiled by the global setup. */
export function startKeyferry(cliArguments: readonly string[], options: ProcessOptions = {}): TestProcess {
  return startProcess(process.execPath, { ...options, arguments: [program(), ...cliArguments] });
}

export function runKeyferry(
  cliArguments: readonly string[],
  options: ProcessOptions = {},
  limitMs?: number,
): Promise<Exit> {
  return runProcess(process.execPath, { ...options, arguments: [program(), ...cliArguments] }, limitMs);
}

/** For a process that outlives one test: its starter ends it. */
export function startUnboundKeyferry(cliArguments: readonly string[], options: ProcessOptions = {}): TestProcess {
  return startUnboundProcess(process.execPath, { ...options, arguments: [program(), ...cliArguments] });
}

const CHECKOUT = new URL('../../bin/keyferry.js', import.meta.url).pathname;
let compiled: string | undefined;

/** What to start as `keyferry` from here on, outside tests. */
export function useProgram(path: string): void {
  compiled = path;
}

/** In tests it is compiled by their global setup. */
const program = (): string => (process.env['VITEST'] === undefined ? (compiled ?? CHECKOUT) : inject('program'));

export function startUnboundProcess(command: string, options: ProcessOptions = {}): TestProcess {
  const child = spawn(command, [...(options.arguments ?? [])], {
    cwd: options.directory,
    env: options.environment ?? cleanEnvironment(),
    stdio: 'pipe',
  });
  const watcher = startWatcher({ signal: 'KILL' });
  watcher.watch(child.pid);
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return new OwnedProcess(child, () => {
    watcher.release();
  });
}

class OwnedProcess implements TestProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<Exit>;
  readonly #listeners = new Set<() => void>();
  #hasEnded = false;
  #stdout = '';
  #stderr = '';

  constructor(child: ChildProcess, onExit: () => void) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#notify();
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#notify();
    });
    this.#exit = this.#settle().then((ended) => {
      onExit();
      return ended;
    });
    void this.#exit.then(() => {
      this.#hasEnded = true;
      this.#notify();
    });
  }

  async #settle(): Promise<Exit> {
    const closed = once(this.#child, 'close');
    try {
      await once(this.#child, 'exit');
      // A grandchild that outlives the child keeps its output open: whatever comes later is not
      // waited for.
      await Promise.race([closed, sleep(OUTPUT_GRACE_MS, undefined, { ref: false })]);
      // Reads what this process was too busy for meanwhile.
      await setImmediate();
    } catch (error) {
      this.#stderr += String(error);
    }
    const { exitCode, signalCode } = this.#child;
    return { code: exitCode, signal: signalCode, stdout: this.#stdout, stderr: this.#stderr };
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  stdout(): string {
    return this.#stdout;
  }

  stderr(): string {
    return this.#stderr;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<Exit> {
    this.#child.kill('SIGKILL');
    return this.#exit;
  }

  async waitForExit(limitMs = DEFAULT_LIMIT_MS): Promise<Exit> {
    const overtime = new AbortController();
    const limit = sleep(limitMs, undefined, { signal: overtime.signal }).then(() => {
      throw new Error(`The process still ran after ${limitMs} ms.${this.#tail()}`);
    });
    try {
      return await Promise.race([this.#exit, limit]);
    } finally {
      limit.catch(() => undefined);
      overtime.abort();
    }
  }

  async waitForLine(pattern: RegExp, limitMs = DEFAULT_LIMIT_MS): Promise<string> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      // Asked for before looking, so that output in between is not missed.
      const change = this.#nextChange(deadline - Date.now());
      const line = this.#findLine(pattern);
      if (line !== undefined) return line;
      if (this.#hasEnded) throw new Error(`The process ended before a line matched ${pattern}.${this.#tail()}`);
      if (Date.now() >= deadline) throw new Error(`No line matched ${pattern} within ${limitMs} ms.${this.#tail()}`);
      await change;
    }
  }

  #nextChange(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(0, limitMs));
      this.#listeners.add(wake);
    });
  }

  #findLine(pattern: RegExp): string | undefined {
    return [...this.#stdout.split('\n'), ...this.#stderr.split('\n')].find((line) => pattern.test(line));
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  #tail(): string {
    return `\nstdout: …${this.#stdout.slice(-KEPT_CHARACTERS)}\nstderr: …${this.#stderr.slice(-KEPT_CHARACTERS)}`;
  }
}
