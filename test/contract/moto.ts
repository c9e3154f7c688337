/**
 * moto's server (PyPI `moto[server]`, Apache-2.0) as an independent second opinion: installed into
 * a virtual environment under `.cache/moto`, started on a free loopback port, ended with the run.
 * AWS's own client for Python stands beside it.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

/** The version that the table of differences was measured with. */
const PACKAGES = [
  { name: 'moto', version: '5.2.5', requirement: 'moto[server]==5.2.5' },
  { name: 'boto3', version: '1.44.8', requirement: 'boto3==1.44.8' },
] as const;
const HOME = fileURLToPath(new URL('../../.cache/moto/', import.meta.url));
const BIN = process.platform === 'win32' ? 'Scripts' : 'bin';
const START_TIMEOUT_MS = 30_000;
const POLL_MS = 100;

/** The interpreter that has boto3, once `installMoto` or `startMoto` has succeeded. */
export const PYTHON = `${HOME}${BIN}/python`;

export interface MotoServer {
  readonly url: string;
  close(): Promise<void>;
}

/** undefined, with the reason, where there is no Python or no package index to install from. */
export async function startMoto(): Promise<MotoServer | { readonly missing: string }> {
  const missing = installMoto();
  if (missing !== undefined) return { missing };
  const port = await findFreePort();
  const url = `http://127.0.0.1:${String(port)}`;
  const server = spawn(`${HOME}${BIN}/moto_server`, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  try {
    await waitUntilReady(server, url);
  } catch (error) {
    server.kill();
    throw error;
  }
  return { url, close: async () => stop(server) };
}

/** Returns what is missing, undefined when all is there. */
export function installMoto(): string | undefined {
  const pip = `${HOME}${BIN}/pip`;
  const python = ['python3', 'python'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (!existsSync(pip)) {
    if (python === undefined) return 'no Python on the path';
    const made = spawnSync(python, ['-m', 'venv', HOME], { encoding: 'utf8' });
    if (made.status !== 0) return `Python makes no virtual environment (${lastLine(made.stderr || made.stdout)})`;
  }
  const { stdout } = spawnSync(pip, ['list', '--format=freeze', '--disable-pip-version-check'], { encoding: 'utf8' });
  const installed = new Set(stdout.split('\n'));
  if (PACKAGES.every(({ name, version }) => installed.has(`${name}==${version}`))) return undefined;
  const requirements = PACKAGES.map(({ requirement }) => requirement);
  const run = spawnSync(pip, ['install', '--quiet', '--disable-pip-version-check', ...requirements], {
    encoding: 'utf8',
  });
  return run.status === 0 ? undefined : `pip could not install ${requirements.join(', ')} (${lastLine(run.stderr)})`;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

async function findFreePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function waitUntilReady(server: ChildProcess, url: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && server.exitCode === null) {
    const answer = await fetch(`${url}/moto-api/`).catch(() => undefined);
    if (answer) return;
    await sleep(POLL_MS);
  }
  throw new Error(`moto did not answer at ${url} within ${String(START_TIMEOUT_MS / 1000)} s`);
}

async function stop(server: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill();
  await ended;
}
