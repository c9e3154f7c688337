/**
 * A Chromium for the end-to-end tests: KEYFERRY_TEST_CHROMIUM, one on the path, else the Debian
 * packages unpacked into `.cache/chromium` of the checkout, for which nobody needs to be root.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CACHE = new URL('../../../.cache/chromium/', import.meta.url).pathname;
const LIMIT = { timeout: 300_000, maxBuffer: 64 * 1024 * 1024 };
const PROGRAM = 'usr/lib/chromium/chromium';

export interface Chromium {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
}

const REMEDY = `These tests need Chromium, and none could be found or fetched. Do one of:
  Debian, Ubuntu   apt-get install chromium
  Fedora           dnf install chromium
  macOS            brew install --cask chromium
  any other        KEYFERRY_TEST_CHROMIUM=/path/to/chromium npm run test:e2e`;

export async function findChromium(): Promise<Chromium> {
  const given = process.env['KEYFERRY_TEST_CHROMIUM'];
  if (given !== undefined) return { program: given, environment: {} };
  const onPath = await findOnPath(['chromium', 'chromium-browser', 'google-chrome']);
  if (onPath !== undefined) return { program: onPath, environment: {} };
  try {
    if (!(await isExecutable(join(CACHE, 'root', PROGRAM)))) await unpack();
    return await toChromium(join(CACHE, 'root'));
  } catch (cause) {
    throw new Error(REMEDY, { cause });
  }
}

async function findOnPath(names: readonly string[]): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const candidate of folders.flatMap((folder) => names.map((name) => join(folder, name)))) {
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function toChromium(root: string): Promise<Chromium> {
  const libraries = join(root, 'usr/lib');
  const folders = (await readdir(libraries, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && /linux-gnu|pulseaudio/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  return { program: join(root, PROGRAM), environment: { LD_LIBRARY_PATH: folders.join(':') } };
}

/** Two runs at once may both unpack; the first to rename its folder wins. */
async function unpack(): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(join(CACHE, 'unpacking-'));
  try {
    const options = { ...LIMIT, cwd: draft };
    const dryRun = ['--print-uris', '--yes', '--no-install-recommends', 'install', 'chromium', 'fonts-dejavu-core'];
    const { stdout } = await run('apt-get', dryRun, options);
    const names = [...stdout.matchAll(/^'[^']+' ([^_\s]+)_\S+\.deb /gm)].map((match) => match[1] ?? '');
    // As root, apt otherwise downloads as a user who cannot write here.
    await run('apt-get', ['-o', 'APT::Sandbox::User=', 'download', ...names], options);
    const packages = (await readdir(draft)).filter((name) => name.endsWith('.deb'));
    for (const name of packages) await run('dpkg', ['-x', join(draft, name), join(draft, 'root')], options);
    await rename(join(draft, 'root'), join(CACHE, 'root')).catch(() => undefined);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
