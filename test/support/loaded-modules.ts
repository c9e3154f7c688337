/**
 * What a command of this checkout has loaded when it ends, as Node's coverage lists it; without the
 * loader of TypeScript.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runKeyferry } from './processes.ts';
import { createTemporaryDirectory } from './temporary-directory.ts';

export interface LoadedModules {
  readonly stdout: string;
  /** Below `src`, without extension. */
  readonly own: readonly string[];
  /** Names of packages, each once. */
  readonly packages: readonly string[];
}

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

export async function loadedModules(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<LoadedModules> {
  const directory = await createTemporaryDirectory('coverage');
  const { stdout } = await runKeyferry(args, { environment: { ...environment, NODE_V8_COVERAGE: directory } }, 60_000);
  const reports = await Promise.all((await readdir(directory)).map((name) => readFile(join(directory, name), 'utf8')));
  const urls = reports.flatMap((report) => (JSON.parse(report) as Coverage).result.map(({ url }) => url));
  const packages = urls.flatMap((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  const own = urls.flatMap((url) =>
    url.includes('/node_modules/') ? [] : (/\/(?:src|dist)\/(.*)\.[jt]s$/.exec(url)?.[1] ?? []),
  );
  return {
    stdout,
    own: [...new Set(own)].toSorted(),
    packages: [...new Set(packages)].filter((name) => name !== 'tsx').toSorted(),
  };
}
