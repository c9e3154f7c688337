/**
 * Real Redis servers for tests, each with a folder and a port of its own; gone when the test
 * process is, however it ends.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { startWatcher, type Watcher } from '../../src/sandbox/watcher.ts';
import { findRedisBinary, type RedisBinary } from './redis-binary.ts';

const START_LIMIT_MS = 10_000;
const POLL_MS = 20;

export interface RedisOptions {
  /**
   * Keeps what was written over `kill` and `restart`, as a production server does. Default: true.
   */
  readonly appendOnly?: boolean;
  /**
   * Speaks TLS only. `authority`: the file of the certificate's issuer, if it is not self-signed.
   */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly authority?: string };
  /** Runs as a sentinel with this file, which it rewrites. */
  readonly sentinelConfigFile?: string;
  /** Further settings, for example `['--maxmemory', '4mb']`. */
  readonly arguments?: readonly string[];
}

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** Of the server that runs now; another one after `restart`. */
  readonly pid: number;
  /** SIGKILL and SIGTERM wait for the end; SIGSTOP and SIGCONT freeze and thaw. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Same port, same data. Ends the running server first. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** A server of the caller's own, to be killed, frozen, filled and emptied at will. */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const binary = await findRedisBinary();
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-redis-'));
  const server = new OwnRedis({ binary, directory, port: await findFreePort(), options });
  await server.start();
  return server;
}

interface Setup {
  readonly binary: RedisBinary;
  readonly directory: string;
  readonly port: number;
  readonly options: RedisOptions;
}

class OwnRedis implements TestRedis {
  readonly #setup: Setup;
  readonly #watcher: Watcher;
  #child: ChildProcess | undefined;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.#watcher = startWatcher({ signal: 'KILL', removeFolders: [setup.directory] });
  }

  get port(): number {
    return this.#setup.port;
  }

  get url(): string {
    return `${this.#setup.options.tls ? 'rediss' : 'redis'}://127.0.0.1:${this.#setup.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const { binary, directory } = this.#setup;
    const child = spawn(binary.program, settings(this.#setup), {
      cwd: directory,
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', ...binary.environment },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    this.#child = child;
    this.#watcher.watch(child.pid);
    child.on('error', () => undefined);
    await waitUntilReady(child, this.#setup);
    child.unref();
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || hasEnded(child)) return;
    const isEnding = signal !== 'SIGSTOP' && signal !== 'SIGCONT';
    const exited = isEnding ? once(child, 'exit') : undefined;
    child.ref();
    child.kill(signal);
    await exited;
    if (isEnding) this.#watcher.watch(undefined);
    else child.unref();
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill('SIGKILL');
    this.#watcher.release();
    await rm(this.#setup.directory, { recursive: true, force: true });
  }
}

function settings({ directory, port, options }: Setup): string[] {
  if (options.sentinelConfigFile !== undefined)
    return [options.sentinelConfigFile, '--sentinel', '--port', String(port), '--bind', '127.0.0.1'];
  const pairs = {
    ...portSettings(port, options.tls),
    bind: '127.0.0.1',
    dir: directory,
    save: '',
    appendonly: options.appendOnly === false ? 'no' : 'yes',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  };
  return [...Object.entries(pairs).flatMap(([name, value]) => [`--${name}`, value]), ...(options.arguments ?? [])];
}

function portSettings(port: number, tls: RedisOptions['tls']): Record<string, string> {
  if (!tls) return { port: String(port) };
  return {
    port: '0',
    'tls-port': String(port),
    'tls-cert-file': tls.certificate,
    'tls-key-file': tls.key,
    'tls-ca-cert-file': tls.authority ?? tls.certificate,
    'tls-auth-clients': 'no',
  };
}

async function waitUntilReady(child: ChildProcess, { port, options }: Setup): Promise<void> {
  const isTls = options.tls !== undefined;
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline && !hasEnded(child)) {
    if (await answersPing(port, isTls)) return;
    await sleep(POLL_MS);
  }
  child.kill('SIGKILL');
  throw new Error(`Redis did not start on port ${port} (exit code ${child.exitCode ?? 'none'}).`);
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/**
 * An answer, and not only an open port: while it loads its data, Redis answers LOADING. With a
 * password it asks for that.
 */
function answersPing(port: number, isTls: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const greet = () => socket.write('PING\r\n');
    const at = { port, host: '127.0.0.1' };
    // Only whether it is there: who it is, the program under test must find out.
    const socket: Socket = isTls ? connectTls({ ...at, rejectUnauthorized: false }, greet) : connect(at, greet);
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('data', (data) => {
      resolve(/^(\+PONG|-NOAUTH)/.test(data.toString()));
      socket.destroy();
    });
    socket.once('close', () => {
      resolve(false);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}
