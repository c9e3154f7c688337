/**
 * What a command of this checkout has loaded when it ends, as Node's coverage lists it; without the
 * loader of TypeScript. One that does not end by itself is stopped after the given line.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type Exit, type ProcessOptions, runKeyferry, startKeyferry } from './processes.ts';
import { createTemporaryDirectory } from './temporary-directory.ts';

export interface LoadedModules {
  readonly stdout: string;
  /** Below `src`, without extension. */
  readonly own: readonly string[];
  /** Names of packages, each once. */
  readonly packages: readonly string[];
}

const LIMIT_MS = 60_000;

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

export async function loadedModules(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  lastLine?: RegExp,
): Promise<LoadedModules> {
  const directory = await createTemporaryDirectory('coverage');
  const options = { environment: { ...environment, NODE_V8_COVERAGE: directory } };
  const { stdout } = await (lastLine ? runUntil(args, options, lastLine) : runKeyferry(args, options, LIMIT_MS));
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

async function runUntil(args: readonly string[], options: ProcessOptions, lastLine: RegExp): Promise<Exit> {
  const started = startKeyferry(args, options);
  await started.waitForLine(lastLine, LIMIT_MS);
  started.signal('SIGTERM');
  return started.waitForExit(LIMIT_MS);
}
