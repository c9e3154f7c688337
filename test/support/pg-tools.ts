/**
 * `pg_dump` and `pg_restore`, which the embedded PostgreSQL lacks: from Debian's packages, or from
 * the PATH.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';

/**
 * The folder of tools that fit the server, empty for the PATH; undefined when there are none.
 * `pg_dump` refuses a server that is newer than itself.
 */
export async function findPgTools(url: string): Promise<string | undefined> {
  const version = await readVersion(url);
  const debian = await readdir(DEBIAN).catch(() => []);
  for (const directory of ['', ...debian.map((name) => join(DEBIAN, name, 'bin'))]) {
    const found = await run(join(directory, 'pg_dump'), ['--version']).catch(() => undefined);
    if (Number(/ (\d+)/.exec(found?.stdout ?? '')?.[1] ?? 0) >= version) return directory;
  }
  return undefined;
}

async function readVersion(url: string): Promise<number> {
  const client = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    const [row] = await client<{ server_version_num: string }[]>`show server_version_num`;
    return Math.floor(Number(row?.server_version_num) / 10_000);
  } finally {
    await client.end();
  }
}

export interface DumpedDatabases {
  readonly from: string;
  readonly to: string;
}

export async function dumpAndRestore(
  tools: string,
  { from, to }: DumpedDatabases,
  options: { readonly dump?: readonly string[]; readonly restore?: readonly string[] } = {},
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-dump-'));
  const file = join(directory, 'keyferry.dump');
  try {
    const dump = ['--format', 'custom', '--file', file, ...(options.dump ?? []), '--dbname', from];
    await run(join(tools, 'pg_dump'), dump);
    await run(join(tools, 'pg_restore'), [...(options.restore ?? []), '--dbname', to, file]);
  } finally {
    await rm(directory, { recursive: true });
  }
}
