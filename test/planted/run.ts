/**
 * `npm run test:planted`: brings each fixed defect back in a copy of the tree and expects its suite
 * to fail.
 *
 *   tsx test/planted/run.ts [PREFIX …]     only the patches whose names start so
 *
 * Each suite first runs unpatched and must be green. Ends with `planted: N patches, N caught`.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enterSandboxEnvironment } from '../../src/sandbox/environment.ts';
import { startEmbeddedPostgres } from '../../src/sandbox/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { copyTree, type TreeCopy } from './copy.ts';
import { parseSuite, readPatches, type PlantedPatch } from './patches.ts';
import { runSuite, type SuiteResult } from './suite.ts';

/** Suites at a time, each in a copy of its own. */
const LANES = 2;

interface PatchResult {
  readonly patch: PlantedPatch;
  readonly isCaught: boolean;
  readonly detail: string;
  readonly seconds: number;
}

interface Bench {
  readonly servers: Readonly<Record<string, string>>;
  readonly copies: readonly TreeCopy[];
  close(): Promise<void>;
}

async function openBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-test-'));
  const [database, redis] = await Promise.all([
    startEmbeddedPostgres({ directory, persistent: false }),
    startRedis({ appendOnly: false }),
  ]);
  const copies = Array.from({ length: LANES }, copyTree);
  return {
    servers: { KEYFERRY_TEST_DATABASE_URL: database.url, KEYFERRY_TEST_REDIS_URL: redis.url },
    copies,
    close: async () => {
      for (const copy of copies) copy.remove();
      await Promise.all([database.stop(), redis.stop()]);
    },
  };
}

/** Each copy takes the next item as soon as it is free. */
async function spread<T, R>(
  copies: readonly TreeCopy[],
  items: readonly T[],
  work: (copy: TreeCopy, item: T) => Promise<R>,
): Promise<R[]> {
  const queue = [...items.entries()];
  const results: R[] = [];
  const lane = async (copy: TreeCopy): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      results[next[0]] = await work(copy, next[1]);
    }
  };
  await Promise.all(copies.map(lane));
  return results;
}

async function runUnpatched(bench: Bench, patches: readonly PlantedPatch[]): Promise<Map<string, SuiteResult>> {
  const suites = [...new Set(patches.map(({ suite }) => suite))];
  const results = await spread(bench.copies, suites, (copy, suite) =>
    runSuite(copy.directory, parseSuite(suite), bench.servers),
  );
  return new Map(suites.map((suite, index) => [suite, results[index] ?? { verdict: 'broken', detail: 'not run' }]));
}

async function runPatched(bench: Bench, copy: TreeCopy, patch: PlantedPatch): Promise<PatchResult> {
  const startedAt = performance.now();
  const finish = (isCaught: boolean, detail: string): PatchResult => {
    const seconds = (performance.now() - startedAt) / 1000;
    const result = { patch, isCaught, detail, seconds };
    printRow(result);
    return result;
  };
  try {
    copy.apply(patch.path);
  } catch {
    return finish(false, 'the patch no longer applies');
  }
  const { verdict, detail } = await runSuite(copy.directory, parseSuite(patch.suite), bench.servers);
  copy.revert(patch.path);
  if (verdict === 'green') return finish(false, `not noticed (${detail})`);
  return finish(verdict === 'red', detail);
}

function printRow({ patch, isCaught, detail, seconds }: PatchResult): void {
  const verdict = isCaught ? 'caught' : 'MISSED';
  print(`${verdict}  ${patch.name.padEnd(44)} ${seconds.toFixed(0).padStart(4)} s  ${detail}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(prefixes: readonly string[]): Promise<void> {
  const isWanted = ({ name }: PlantedPatch): boolean =>
    prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix));
  const patches = readPatches().filter(isWanted);
  const bench = await openBench();
  try {
    const unpatched = await runUnpatched(bench, patches);
    const isGreen = ({ suite }: PlantedPatch): boolean => unpatched.get(suite)?.verdict === 'green';
    for (const [suite, { verdict, detail }] of unpatched)
      if (verdict !== 'green') print(`MISSED  not green without a patch: ${suite}\n        ${detail}`);
    const results = await spread(bench.copies, patches.filter(isGreen), (copy, patch) =>
      runPatched(bench, copy, patch),
    );
    const caught = results.filter(({ isCaught }) => isCaught).length;
    for (const { patch } of results.filter(({ isCaught }) => !isCaught))
      print(`\nMISSED ${patch.name}: ${patch.defect}\n  ${patch.suite}`);
    print(`planted: ${String(patches.length)} patches, ${String(caught)} caught`);
    process.exitCode = caught === patches.length && patches.length > 0 ? 0 : 1;
  } finally {
    await bench.close();
  }
}

enterSandboxEnvironment();
await main(process.argv.slice(2));
