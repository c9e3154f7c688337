/**
 * The same work by keyferry and by what one would write instead: `npm run bench -- peers` prints
 * it, with `--write` it also becomes `results.json` and docs/benchmarks.md, with `--quick` it is
 * done once and with fewer cases.
 *
 * Where AWS refuses nothing, contestants take turns, alone on the machine. Under quotas they mostly
 * wait: those of one kind run side by side, started one after the other, each in an account of its
 * own.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { build } from '../build.ts';
import type { Figure } from '../figure.ts';
import { compete, type Contestant } from './contest.ts';
import { toFigures } from './goals.ts';
import { keyferryLifted, keyferryOnPostgres, keyferryOnRedis, keyferryRunning } from './keyferry.ts';
import { botoLoop, botoVersion, sdkLoop } from './loops.ts';
import { renderPage } from './page.ts';
import { type Sandbox, startSandbox } from './place.ts';
import { type Case, type CellName, type Results, type Sample, services, toCell, type Work, works } from './results.ts';

export interface PeersOptions {
  readonly isQuick: boolean;
  readonly isWritten: boolean;
  /** How often each is measured; of those the median counts. */
  readonly repetitions?: number;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SIZE = 500;
const LARGE = 2_000;
/** Those that run side by side: how they share a machine while they start is not measured. */
const START_APART_MS = 5_000;

export async function measurePeers({ isQuick, isWritten, repetitions = 3 }: PeersOptions): Promise<readonly Figure[]> {
  const machine = describeMachine();
  await build();
  const times = isQuick ? 1 : repetitions;
  const boto = botoLoop();
  const isMissing = 'missing' in boto;
  if (isMissing) process.stderr.write(`\nSKIPPED: boto3-32 is not measured: ${boto.missing}.\n\n`);
  const loops = [sdkLoop(1), sdkLoop(10), sdkLoop(32), ...(isMissing ? [] : [boto])];
  const samples = new Samples();
  const sandbox = await startSandbox();
  try {
    for (let time = 0; time < times; time += 1) {
      await measureFree(sandbox, samples, { loops, isQuick });
      await measureLimited(sandbox, samples, { loops, isQuick });
    }
  } finally {
    await sandbox.stop();
  }
  const results: Results = {
    machine,
    versions: { 'AWS SDK for JavaScript': sdkVersion(), ...(isMissing ? {} : { boto3: botoVersion() }) },
    repetitions: times,
    skipped: isMissing ? { 'boto3-32': boto.missing } : {},
    cells: samples.cells(),
  };
  if (isWritten) write(results);
  return toFigures(results);
}

class Samples {
  readonly #bySpot = new Map<string, { readonly name: CellName; readonly samples: Sample[] }>();

  add(name: CellName, sample: Sample): void {
    const spot = JSON.stringify([name.peer, name.service, name.size, name.ratePerSecond, name.work]);
    const known = this.#bySpot.get(spot) ?? { name, samples: [] };
    known.samples.push(sample);
    this.#bySpot.set(spot, known);
    const { seconds, calls, throttled, lost } = sample;
    process.stderr.write(`${spot} ${seconds.toFixed(2)} s, ${calls} calls, ${throttled} throttled, ${lost} lost\n`);
  }

  cells() {
    return [...this.#bySpot.values()].map(({ name, samples }) => toCell(name, samples));
  }
}

interface Scope {
  readonly loops: readonly Contestant[];
  readonly isQuick: boolean;
}

/** In an AWS that refuses nothing. */
async function measureFree(sandbox: Sandbox, samples: Samples, { loops, isQuick }: Scope): Promise<void> {
  await sandbox.limit(null);
  for (const service of services) {
    for (const contestant of [keyferryOnRedis, keyferryOnPostgres, keyferryLifted, ...loops])
      await measureOne({ sandbox, samples, contestant, works }, { service, size: SIZE, ratePerSecond: null });
    await measureOne(
      { sandbox, samples, contestant: keyferryRunning, works: ['first'] },
      { service, size: SIZE, ratePerSecond: null },
    );
  }
  if (isQuick) return;
  for (const contestant of [keyferryLifted, sdkLoop(10)])
    await measureOne(
      { sandbox, samples, contestant, works: ['first'] },
      { service: 'ssm', size: LARGE, ratePerSecond: null },
    );
}

/** First syncs where PutParameter has a quota. */
async function measureLimited(sandbox: Sandbox, samples: Samples, { loops, isQuick }: Scope): Promise<void> {
  for (const ratePerSecond of isQuick ? [10] : [3, 10]) {
    await sandbox.limit(ratePerSecond);
    const cases: readonly Case[] = (isQuick ? [100] : [100, SIZE]).map((size) => ({
      service: 'ssm',
      size,
      ratePerSecond,
    }));
    for (const group of [[keyferryOnRedis, keyferryOnPostgres], loops])
      await Promise.all(
        group
          .flatMap((contestant) => cases.map((one) => ({ contestant, one })))
          .map(({ contestant, one }, index) => {
            const late = startingAfter(contestant, index * START_APART_MS);
            return measureOne({ sandbox, samples, contestant: late, works: ['first'] }, one);
          }),
      );
  }
}

function startingAfter({ peer, open }: Contestant, ms: number): Contestant {
  return {
    peer,
    async open(place) {
      const session = await open(place);
      await sleep(ms);
      return session;
    },
  };
}

interface Measuring {
  readonly sandbox: Sandbox;
  readonly samples: Samples;
  readonly contestant: Contestant;
  readonly works: readonly Work[];
}

async function measureOne({ sandbox, samples, contestant, works: asked }: Measuring, one: Case): Promise<void> {
  const place = await sandbox.openPlace(one);
  for (const [work, sample] of await compete(contestant, place, asked))
    samples.add({ peer: contestant.peer, work, ...one }, sample);
}

function describeMachine(): Results['machine'] {
  const [first] = cpus();
  return {
    cpus: cpus().length,
    model: first?.model ?? '',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

function sdkVersion(): string {
  const file = `${ROOT}node_modules/@aws-sdk/client-ssm/package.json`;
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function write(results: Results): void {
  writeFileSync(`${ROOT}bench/peers/results.json`, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(`${ROOT}docs/benchmarks.md`, renderPage(results));
}
