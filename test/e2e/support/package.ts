/**
 * The package as an application has it: compiled, in `node_modules/keyferry` of a folder of its
 * own. Types are checked elsewhere.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Returns the program `keyferry` of the package. */
export async function installPackage(directory: string): Promise<string> {
  const target = join(directory, 'node_modules', 'keyferry');
  await mkdir(target, { recursive: true });
  const compiled = compile(join(target, 'dist'));
  await Promise.all([
    compiled,
    cp(join(ROOT, 'src'), join(target, 'dist'), { recursive: true, filter: (path) => extname(path) !== '.ts' }),
    cp(join(ROOT, 'bin'), join(target, 'bin'), { recursive: true }),
    cp(join(ROOT, 'package.json'), join(target, 'package.json')),
    symlink(join(ROOT, 'node_modules'), join(target, 'node_modules')),
  ]);
  return join(target, 'bin', 'keyferry.js');
}

async function compile(outDir: string): Promise<void> {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['-p', join(ROOT, 'tsconfig.build.json'), '--noCheck', '--declaration', 'false', '--outDir', outDir];
  const child = spawn(process.execPath, [tsc, ...options], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`tsc ended with ${String(code)}.`);
}
