/**
 * Runs a command of this checkout and installs the dependencies first when they are missing or out
 * of date: `node scripts/bootstrap.mjs vitest run`. All that it says goes to stderr, so that the
 * command's stdout stays its own. Plain JavaScript without dependencies, in a dialect that an old
 * Node still parses and can answer politely.
 */
import { spawn } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MINIMUM_NODE = [20, 19];
const LOCK_POLL_MS = 250;
const RETRY_DELAY_MS = 1000;

function say(text) {
  process.stderr.write(`keyferry: ${text}\n`);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const isEnough = major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1]);
  if (isEnough) return;
  say(
    `Node ${MINIMUM_NODE.join('.')} or newer is needed, this is ${process.versions.node}. Install a newer one from nodejs.org.`,
  );
  process.exit(2);
}

function readLockfile(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * npm writes `node_modules/.package-lock.json` as the last step of an install, so one that was cut
 * short does not count.
 */
export function isInstalled(root) {
  const wanted = readLockfile(join(root, 'package-lock.json'));
  const present = readLockfile(join(root, 'node_modules', '.package-lock.json'));
  if (wanted === undefined || present === undefined) return false;
  const direct = wanted.packages[''].optionalDependencies || {};
  return Object.entries(wanted.packages).every(([path, entry]) => {
    const found = present.packages[path];
    if (path === '') return true;
    if (found !== undefined) return found.version === entry.version;
    // npm leaves out what is made for other platforms; our own optional packages run everywhere and
    // are needed in a checkout.
    return entry.optional === true && !(path.slice('node_modules/'.length) in direct);
  });
}

function npmCommand() {
  const cli = process.env.npm_execpath;
  if (cli !== undefined && cli.endsWith('npm-cli.js')) return { command: process.execPath, first: [cli] };
  return { command: process.platform === 'win32' ? 'npm.cmd' : 'npm', first: [] };
}

/**
 * `ci` is exact; `install`, which keeps to the lockfile too, forgives a lockfile that knows not
 * every platform.
 */
const INSTALL_COMMANDS = [['ci'], ['install', '--no-save'], ['install', '--no-save']];

function runNpm(subcommand) {
  const { command, first } = npmCommand();
  // The project's .npmrc says `json`, which is meant for the banners of `npm run` alone.
  const flags = ['--include=dev', '--include=optional', '--no-audit', '--no-fund', '--json=false', '--loglevel=error'];
  return new Promise((resolve) => {
    const child = spawn(command, [...first, ...subcommand, ...flags], {
      cwd: ROOT,
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32' && first.length === 0,
    });
    child.on('error', (error) => {
      say(`npm could not be started: ${error.message}`);
      resolve(false);
    });
    child.on('exit', (code) => resolve(code === 0));
  });
}

async function install() {
  const startedAt = Date.now();
  say('installing the dependencies …');
  for (const [attempt, subcommand] of INSTALL_COMMANDS.entries()) {
    if (attempt > 0) {
      say('that failed; trying again');
      await sleep(RETRY_DELAY_MS * attempt);
    }
    if (await runNpm(subcommand)) {
      say(`installed in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
      return;
    }
  }
  say(
    'the dependencies could not be installed. See the messages above; once they are solved, run the same command again.',
  );
  process.exit(1);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The lock is a link to a complete file, so it never exists without its holder's pid. */
function takeLock(lock) {
  const draft = `${lock}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, lock);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Two commands at once install once: the second waits and then finds everything there. */
async function installOnce() {
  const lock = join(ROOT, '.cache', 'install.lock');
  mkdirSync(dirname(lock), { recursive: true });
  let hasWaited = false;
  while (!takeLock(lock)) {
    const holder = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
    if (holder > 0 && !isAlive(holder)) rmSync(lock, { force: true });
    if (!hasWaited) say('waiting for another command that installs the dependencies …');
    hasWaited = true;
    await sleep(LOCK_POLL_MS);
  }
  process.on('exit', () => rmSync(lock, { force: true }));
  if (!isInstalled(ROOT)) await install();
  rmSync(lock, { force: true });
}

function runCommand([command, ...parameters]) {
  const program = command === 'node' ? process.execPath : command;
  const path = [join(ROOT, 'node_modules', '.bin'), process.env.PATH || ''].join(delimiter);
  const child = spawn(program, parameters, {
    cwd: process.cwd(),
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
    shell: process.platform === 'win32' && program !== process.execPath,
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C reaches the command by itself, and a second signal would mean "now, without cleaning
      // up".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    say(`${command} could not be started: ${error.message}`);
    process.exitCode = 127;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code === null ? 128 + (constants.signals[signal] || 0) : code;
  });
}

async function main() {
  checkNode();
  if (!isInstalled(ROOT)) await installOnce();
  const command = process.argv.slice(2);
  if (command.length > 0) runCommand(command);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    say(error.message);
    process.exitCode = 1;
  });
}
