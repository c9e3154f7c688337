/**
 * A Redis server program for tests: one on the path, else the Debian packages unpacked into
 * `.cache/redis` of the checkout, for which nobody needs to be root. Two runs at once may both
 * unpack; the first to rename its folder wins.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CACHE = new URL('../../.cache/redis/', import.meta.url).pathname;
const LIMIT = { timeout: 180_000, maxBuffer: 64 * 1024 * 1024 };
/**
 * Where apt does not report which packages are missing: all that a bare Debian or Ubuntu lacks, as
 * far as apt knows them.
 */
const KNOWN_PACKAGES = [
  'redis-tools',
  'libjemalloc2',
  'liblzf1',
  'libatomic1',
  'libhiredis0.14',
  'libhiredis1.1.0',
  'liblua5.1-0',
];

export interface RedisBinary {
  readonly program: string;
  /** What the program needs to find its libraries. */
  readonly environment: Readonly<Record<string, string>>;
}

const REDIS_REMEDY = `These tests need a Redis server, and none could be found or fetched. Do one of:
  Debian, Ubuntu    apt-get install redis-server
  Fedora            dnf install valkey
  macOS             brew install redis
  Windows           run the tests in WSL with Debian or Ubuntu
  a running server  KEYFERRY_TEST_REDIS_URL=redis://127.0.0.1:6379 npm test
  without Redis     npm run test:no-redis`;

export async function findRedisBinary(): Promise<RedisBinary> {
  const onPath = await findOnPath(['redis-server', 'valkey-server']);
  if (onPath !== undefined) return { program: onPath, environment: {} };
  try {
    return await fromDebianPackages();
  } catch (cause) {
    throw new Error(REDIS_REMEDY, { cause });
  }
}

async function findOnPath(names: readonly string[]): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const candidate of folders.flatMap((folder) => names.map((name) => join(folder, name)))) {
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

async function fromDebianPackages(): Promise<RedisBinary> {
  const folder = join(CACHE, `${await describeSystem()}-${process.arch}`);
  if (!(await isExecutable(join(folder, 'usr/bin/redis-server')))) await unpackInto(folder);
  return toBinary(folder);
}

async function toBinary(folder: string): Promise<RedisBinary> {
  const libraries = await readdir(join(folder, 'usr/lib'));
  const paths = [...libraries.map((name) => join(folder, 'usr/lib', name)), join(folder, 'usr/lib')];
  return {
    program: join(folder, 'usr/bin/redis-server'),
    environment: { LD_LIBRARY_PATH: paths.join(':') },
  };
}

/** For example `debian-12`: libraries of one release do not fit another. */
async function describeSystem(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8');
  const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(release)?.[1] ?? '';
  return `${field('ID')}-${field('VERSION_ID')}`;
}

async function unpackInto(folder: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(join(CACHE, 'unpacking-'));
  try {
    await download(draft);
    const packages = (await readdir(draft)).filter((name) => name.endsWith('.deb'));
    for (const name of packages) await run('dpkg', ['-x', join(draft, name), join(draft, 'root')], LIMIT);
    await assertStarts(await toBinary(join(draft, 'root')));
    await rename(join(draft, 'root'), folder).catch(async (error: unknown) => {
      if (!(await isExecutable(join(folder, 'usr/bin/redis-server')))) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** With the system's package lists; where these are absent or out of date, with our own. */
async function download(draft: string): Promise<void> {
  try {
    await downloadWith(draft, []);
  } catch {
    const options = await fetchLists(draft);
    await downloadWith(draft, options);
  }
}

async function downloadWith(draft: string, options: readonly string[]): Promise<void> {
  const names = await findMissingPackages(options);
  // As root, apt otherwise downloads as a user who cannot write here.
  const asSelf = ['-o', 'APT::Sandbox::User='];
  await run('apt-get', [...options, ...asSelf, 'download', ...names], { ...LIMIT, cwd: draft });
}

/** apt's own answer to "what would installing it bring", which needs no right to install. */
async function findMissingPackages(options: readonly string[]): Promise<string[]> {
  const dryRun = ['--print-uris', '--yes', '--no-install-recommends', 'install', 'redis-server'];
  const { stdout } = await run('apt-get', [...options, ...dryRun], LIMIT).catch(() => ({ stdout: '' }));
  const planned = [...stdout.matchAll(/^'[^']+' ([^_\s]+)_\S+\.deb /gm)].map((match) => match[1] ?? '');
  return planned.length > 0 ? planned : findKnownPackages(options);
}

async function findKnownPackages(options: readonly string[]): Promise<string[]> {
  const { stdout } = await run('apt-cache', [...options, 'policy', ...KNOWN_PACKAGES], LIMIT);
  const known = [...stdout.matchAll(/^(\S+):\n\s+Installed: .*\n\s+Candidate: (?!\(none\))/gm)];
  const names = known.map((match) => match[1] ?? '');
  if (!names.includes('redis-tools')) throw new Error('The package lists of this system do not know redis-tools.');
  return names;
}

/**
 * Into the draft's folder, as two runs at once must not share apt's lock, and as the lists are of
 * no use afterwards.
 */
async function fetchLists(draft: string): Promise<string[]> {
  const folder = join(draft, 'apt');
  await mkdir(join(folder, 'lists/partial'), { recursive: true });
  await mkdir(join(folder, 'cache/archives/partial'), { recursive: true });
  const options = [
    '-o',
    `Dir::State::lists=${folder}/lists`,
    '-o',
    `Dir::Cache=${folder}/cache`,
    '-o',
    'APT::Sandbox::User=',
  ];
  await run('apt-get', [...options, 'update'], LIMIT);
  return options;
}

async function assertStarts(binary: RedisBinary): Promise<void> {
  await run(binary.program, ['--version'], { env: { ...process.env, ...binary.environment } });
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
