/**
 * The tree before the newest migration, as a program: what workers run while an upgrade has
 * migrated and not yet replaced them.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import {
  type Exit,
  runProcess,
  startUnboundProcess,
  type ProcessOptions,
  type TestProcess,
} from '../../support/processes.ts';

const git = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const MIGRATIONS = 'src/db/migrations';

export interface PreviousRelease {
  readonly commit: string;
  /** The migration that it lacks, without `.sql`. */
  readonly missing: string;
  start(cliArguments: readonly string[], options: ProcessOptions): TestProcess;
  run(cliArguments: readonly string[], options: ProcessOptions, limitMs?: number): Promise<Exit>;
  remove(): Promise<void>;
}

/** The commit, or why there is none: an archive, a shallow clone. */
export async function findPreviousRelease(): Promise<{ readonly commit: string; readonly missing: string } | string> {
  const names = (await readdir(join(ROOT, MIGRATIONS))).filter((name) => name.endsWith('.sql')).sort();
  const newest = names.at(-1) ?? '';
  if (!existsSync(join(ROOT, '.git'))) return 'this is no git clone';
  const log = ['log', '--diff-filter=A', '--format=%H', '-1', '--', `${MIGRATIONS}/${newest}`];
  const added = (await git('git', log, { cwd: ROOT })).stdout.trim();
  // Not committed yet: then the last commit lacks it.
  const commit = added === '' ? 'HEAD' : `${added}^`;
  const found = await git('git', ['rev-parse', '--verify', '--quiet', `${commit}^{commit}`], { cwd: ROOT }).catch(
    () => undefined,
  );
  if (!found) return 'this clone is too shallow: it lacks the commit before the newest migration';
  return { commit: found.stdout.trim(), missing: newest.slice(0, -'.sql'.length) };
}

/** Its sources, run with the packages of this checkout. */
export async function unpackRelease(release: { commit: string; missing: string }): Promise<PreviousRelease> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-previous-'));
  const archive = spawn(
    'git',
    ['archive', '--format=tar', release.commit, 'src', 'bin', 'package.json', 'tsconfig.json'],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const unpack = spawn('tar', ['-x', '-C', directory], { stdio: [archive.stdout, 'inherit', 'inherit'] });
  const [code] = (await once(unpack, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`The sources of ${release.commit} could not be unpacked.`);
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  const program = join(directory, 'bin', 'keyferry.js');
  return {
    ...release,
    start: (cliArguments, options) =>
      startUnboundProcess(process.execPath, { ...options, arguments: [program, ...cliArguments] }),
    run: (cliArguments, options, limitMs) =>
      runProcess(process.execPath, { ...options, arguments: [program, ...cliArguments] }, limitMs),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
