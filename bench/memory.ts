/**
 * What a worker process needs while nothing is due, as it is deployed: compiled, with PostgreSQL
 * beside it.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { generateEncryptionKey } from '../src/config/encryption-key.ts';
import { startEmbeddedPostgres } from '../src/sandbox/postgres.ts';
import { sandboxEnvironment } from '../src/sandbox/environment.ts';
import { runKeyferry, startUnboundKeyferry } from '../test/support/processes.ts';
import { build } from './build.ts';
import type { Figure } from './figure.ts';

const SETTLE_MS = 20_000;

export async function measureMemory(): Promise<readonly Figure[]> {
  await build();
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-bench-'));
  const postgres = await startEmbeddedPostgres({ directory, persistent: false });
  const environment = {
    ...sandboxEnvironment(process.env),
    DATABASE_URL: postgres.url,
    KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
  };
  try {
    await runKeyferry(['migrate'], { environment }, 60_000);
    const worker = startUnboundKeyferry(['worker'], { environment });
    await worker.waitForLine(/worker started/, 60_000);
    await setTimeout(SETTLE_MS);
    const value = residentMb(worker.pid);
    worker.signal('SIGTERM');
    await worker.waitForExit(30_000);
    return [
      {
        name: 'worker.idle-mb',
        value,
        unit: 'MB',
        goal: '< 150',
      },
    ];
  } finally {
    await postgres.stop();
  }
}

function residentMb(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? Number.NaN) / 1_024;
}
