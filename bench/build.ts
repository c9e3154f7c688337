/** Compiles the project, so that processes under measurement run as they are deployed. */
import { spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';

const ROOT = new URL('..', import.meta.url).pathname;

export function build(): void {
  const { status } = spawnSync(process.execPath, ['scripts/build.mjs'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: `${ROOT}node_modules/.bin${delimiter}${process.env['PATH'] ?? ''}` },
  });
  if (status !== 0) throw new Error('The build failed.');
}
