/**
 * The loops that keyferry is compared with: a new process for each work, as a script is started.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { cleanEnvironment } from '../../test/support/environment.ts';
import { installMoto, PYTHON } from '../../test/contract/moto.ts';
import { runProcess } from '../../test/support/processes.ts';
import type { Contestant, Effort } from './contest.ts';
import { type Place, prefixOf, REGION, valuesOf } from './place.ts';
import type { Work } from './results.ts';

const LIMIT_MS = 900_000;

const fileBeside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export function sdkLoop(concurrency: 1 | 10 | 32): Contestant {
  return loop(`sdk-${String(concurrency) as '1' | '10' | '32'}`, {
    command: process.execPath,
    script: fileBeside('loop.mjs'),
    concurrency,
  });
}

/** The reason where it cannot be run. */
export function botoLoop(): Contestant | { readonly missing: string } {
  const missing = installMoto();
  if (missing !== undefined) return { missing };
  return loop('boto3-32', { command: PYTHON, script: fileBeside('loop.py'), concurrency: 32 });
}

export function botoVersion(): string {
  return spawnSync(PYTHON, ['-c', 'import boto3; print(boto3.__version__)'], { encoding: 'utf8' }).stdout.trim();
}

interface Script {
  readonly command: string;
  readonly script: string;
  readonly concurrency: number;
}

function loop(peer: Contestant['peer'], script: Script): Contestant {
  return {
    peer,
    open: (place) => Promise.resolve({ perform: (work) => run(script, place, work), close: () => Promise.resolve() }),
  };
}

async function run({ command, script, concurrency }: Script, place: Place, work: Work): Promise<Effort> {
  const { service, size, key, sandbox } = place;
  const values = Object.entries(valuesOf(size, work));
  const job = {
    ...{ work, service, concurrency },
    objects: Object.fromEntries(values.map(([name, value]) => [prefixOf(service) + name, value])),
    client: { endpoint: sandbox.url, region: REGION, credentials: key },
  };
  const options = { arguments: [script], environment: cleanEnvironment(), input: JSON.stringify(job) };
  const { code, stdout, stderr } = await runProcess(command, options, LIMIT_MS);
  if (code !== 0) throw new Error(`${script} ended with ${String(code)}: ${stderr}`);
  return JSON.parse(stdout) as Effort;
}
