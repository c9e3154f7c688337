/** The rule for commit messages, tried on small repositories. */
import { rmSync } from 'node:fs';
import { appendFile, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, onTestFinished, test } from 'vitest';

import { runProcess } from '../../support/processes.ts';

const SCRIPT = fileURLToPath(new URL('../../../scripts/commit-bodies.mjs', import.meta.url));
const AUTHOR = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false'];

interface Repository {
  git(...args: string[]): Promise<string>;
  /** Adds a commit that appends so many lines to a file; returns its hash. */
  commit(lines: number, message: string, file?: string): Promise<string>;
  check(base: string): Promise<{ code: number | null; stdout: string; stderr: string }>;
}

async function createRepository(): Promise<Repository & { directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await runProcess('git', { arguments: [...AUTHOR, ...args], directory });
    return stdout.trim();
  };
  await git('init', '-q');
  return {
    directory,
    git,
    check: (base) => runProcess(process.execPath, { arguments: [SCRIPT, base], directory }),
    async commit(lines, message, file = 'file') {
      await appendFile(join(directory, file), 'line\n'.repeat(lines));
      await git('add', '.');
      await git('commit', '-q', '-m', message);
      return git('rev-parse', 'HEAD');
    },
  };
}

test('more than 50 changed lines need a body, and a subject ends at 72 characters', async () => {
  const repository = await createRepository();
  const base = await repository.commit(60, 'Large, but older than the rule');
  await repository.commit(50, 'é'.repeat(72));
  await repository.commit(51, 'Large, with a reason\n\nBecause.');
  expect(await repository.check(base)).toMatchObject({ code: 0, stdout: '', stderr: '' });

  const large = await repository.commit(51, 'Large');
  const long = await repository.commit(1, 'é'.repeat(73));
  const { code, stderr } = await repository.check(base);
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toEqual([
    `${long.slice(0, 7)} "${'é'.repeat(73)}": the subject has 73 characters; shorten it to 72.`,
    `${large.slice(0, 7)} "Large": 51 lines changed; add a body that says why.`,
  ]);
});

test('removed lines count; binary files and what a command wrote do not', async () => {
  const repository = await createRepository();
  const base = await repository.commit(30, 'First');
  await repository.commit(60, 'Install', 'package-lock.json');
  await writeFile(join(repository.directory, 'picture'), new Uint8Array(100_000));
  await repository.commit(0, 'Picture');
  expect(await repository.check(base)).toMatchObject({ code: 0 });

  await writeFile(join(repository.directory, 'file'), 'other\n'.repeat(30));
  await repository.commit(0, 'Replace');
  expect((await repository.check(base)).stderr).toContain('60 lines changed');
});

test('a history that is not all there is said and skipped', async () => {
  const repository = await createRepository();
  const base = await repository.commit(1, 'First');
  await repository.commit(60, 'Large');
  expect(await repository.check('0'.repeat(40))).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Skipped the check of commit messages: the history does not contain/) as string,
  });

  await repository.git('clone', '-q', '--depth', '1', `file://${repository.directory}`, 'shallow');
  const { stdout } = await runProcess(process.execPath, {
    arguments: [SCRIPT, base],
    directory: join(repository.directory, 'shallow'),
  });
  expect(stdout).toMatch(/^Skipped the check of commit messages: the history is shallow/);
});
