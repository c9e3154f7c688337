/**
 * `npm run build`: compiles `src` into `dist`, and copies beside it what the compiler leaves:
 * migrations, JSON, static files.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
rmSync('dist', { recursive: true, force: true });
cpSync('src', 'dist', { recursive: true, filter: (path) => extname(path) !== '.ts' });
const { status } = spawnSync('tsc', ['-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
process.exitCode = status ?? 1;
