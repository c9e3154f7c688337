/** What the guard costs: statements and log lines, by the minute and not by the run. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { CheckedInstallation } from '../../../src/db/installation-guard.ts';
import type { GuardReason } from '../../../src/domain/installation.ts';
import { createLog } from '../../../src/observe/log.ts';
import { startInstallationWatch } from '../../../src/workers/engine/installation-watch.ts';

const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A database as the guard's statements see it, and how many there were. */
function createDatabase() {
  const server = { systemIdentifier: '1', database: 'keyferry/1', timeline: 1 };
  const row = {
    ...{
      id: '3f2a91c4-0000-4000-8000-000000000000',
      name: null,
      epoch: 1,
      counter: 5,
      compatibleSince: 0,
      baseIdentities: {},
      workers: {},
    },
    ...{ systemIdentifier: '1', databaseName: 'keyferry/1', timeline: 1, epochStartedAt: null },
    ...{ createdAt: new Date(0), seenAt: new Date(0), guardedAt: null, guardReason: null as GuardReason | null },
  };
  const lines: string[] = [];
  const log = createLog({ level: 'silent' });
  log.warn = (_: unknown, text?: unknown) => lines.push(String(text));
  const found = { statements: 0, row, lines };
  /** What a run reads anyway. */
  const look = (): Promise<CheckedInstallation> =>
    Promise.resolve({ row, record: { ...row, database: row.databaseName }, server, now: new Date() });
  const check = (): Promise<CheckedInstallation> => {
    found.statements += 1;
    return look();
  };
  const count = () => {
    found.statements += 1;
    return Promise.resolve([]);
  };
  const raise = (reason: GuardReason) => {
    row.guardReason = reason;
    return count();
  };
  const watch = (isGuardAsked: boolean) =>
    startInstallationWatch({
      guard: { look, check, raise, startEpoch: count },
      name: undefined,
      isGuardAsked,
      log,
    });
  return { found, watch };
}

it('asks once a minute, however many runs there are', async () => {
  const { found, watch } = createDatabase();
  const watching = await watch(false);
  for (let minute = 0; minute < 10; minute += 1) {
    for (let run = 0; run < 100; run += 1) await watching.get();
    await vi.advanceTimersByTimeAsync(MINUTE);
  }
  watching.stop();
  expect(found.statements).toBe(11);
});

it('says once a minute that it is guarded, not once a run', async () => {
  const { found, watch } = createDatabase();
  const watching = await watch(false);
  found.row.counter = 1;
  for (let minute = 0; minute < 10; minute += 1) {
    for (let run = 0; run < 100; run += 1) await watching.get();
    await vi.advanceTimersByTimeAsync(MINUTE);
  }
  watching.stop();
  expect(watching.guardReason()).toBe('counter-went-back');
  const said = found.lines.filter((line) => line.includes('guarded:'));
  expect(said).toHaveLength(11);
  expect(said[0]).toMatch(/The database went back in time.*Stop every worker, then run `keyferry restore accept`/);
  // The look at the start, the one of the first run, the stored guard, and ten minutes.
  expect(found.statements).toBe(13);
});

it('notices at the next run that a guarded database went back once more', async () => {
  const { found, watch } = createDatabase();
  const watching = await watch(false);
  found.row.counter = 1;
  await watching.get();
  found.row.guardReason = null;
  expect(await watching.get()).toMatchObject({ guardReason: 'counter-went-back' });
  watching.stop();
});
