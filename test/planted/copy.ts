/**
 * A copy of the checkout in the temporary directory, where defects are planted: the checkout itself
 * is never touched.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface TreeCopy {
  readonly directory: string;
  apply(patch: string): void;
  revert(patch: string): void;
  remove(): void;
}

export function copyTree(): TreeCopy {
  const directory = mkdtempSync(join(tmpdir(), 'keyferry-planted-'));
  for (const file of listFiles()) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    cpSync(join(ROOT, file), join(directory, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return {
    directory,
    apply: (patch) => {
      gitApply(directory, [patch]);
    },
    revert: (patch) => {
      gitApply(directory, ['--reverse', patch]);
    },
    remove: () => {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/**
 * What is tracked, and what is new and not ignored: the working state, whether or not it is
 * committed.
 */
function listFiles(): readonly string[] {
  const flags = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const files = execFileSync('git', flags, { cwd: ROOT, encoding: 'utf8', maxBuffer: 32 * 1024 * 1024 }).split('\0');
  return files.filter((file) => file !== '' && existsSync(join(ROOT, file)) && lstatSync(join(ROOT, file)).isFile());
}

/** Throws with git's own words when the patch does not fit. */
export function gitApply(directory: string, parameters: readonly string[]): void {
  // A repository around the directory would make git read the paths from its root.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: dirname(directory) };
  execFileSync('git', ['apply', ...parameters], { cwd: directory, env, stdio: ['ignore', 'ignore', 'pipe'] });
}
