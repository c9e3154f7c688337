/**
 * The program `keyferry` for tests, compiled as it is deployed: it starts in half the time that the
 * sources take. Only syntax is translated here; types are the business of `npm run check`.
 */
import { cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build, type Plugin } from 'esbuild';

import { startWatcher } from '../../src/sandbox/watcher.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface CompiledProgram {
  readonly path: string;
  remove(): Promise<void>;
}

export async function compileProgram(): Promise<CompiledProgram> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-program-'));
  const watcher = startWatcher({ signal: 'KILL', removeFolders: [directory] });
  await installProgram(directory);
  return {
    path: join(directory, 'bin', 'keyferry.js'),
    async remove() {
      watcher.release();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** As the package is laid out: `bin`, `dist`, and the dependencies of this checkout. */
async function installProgram(directory: string): Promise<void> {
  const dist = join(directory, 'dist');
  await cp(join(ROOT, 'src'), dist, { recursive: true, filter: (path) => extname(path) !== '.ts' });
  await Promise.all([
    compile(dist),
    cp(join(ROOT, 'bin'), join(directory, 'bin'), { recursive: true }),
    cp(join(ROOT, 'package.json'), join(directory, 'package.json')),
    symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules')),
  ]);
}

/** File by file, as the compiler does it: `./x.ts` becomes `./x.js` and stays an import. */
const fileByFile: Plugin = {
  name: 'file-by-file',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ kind, path }) =>
      kind === 'entry-point' ? undefined : { path: path.replace(/\.ts$/, '.js'), external: true },
    );
  },
};

async function compile(outdir: string): Promise<void> {
  const source = join(ROOT, 'src');
  const paths = await readdir(source, { recursive: true });
  await build({
    entryPoints: paths.filter((path) => path.endsWith('.ts')).map((path) => join(source, path)),
    outdir,
    outbase: source,
    format: 'esm',
    platform: 'node',
    // The oldest Node that keyferry supports; without the minor version, JSON imports lose their
    // type.
    target: 'node20.19',
    bundle: true,
    packages: 'external',
    plugins: [fileByFile],
    logLevel: 'warning',
  });
}
