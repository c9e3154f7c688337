/**
 * Ten kinds of test, each a project: `unit` needs nothing, `integration` gets PostgreSQL and Redis
 * from its global setup, starts no other server and no process, and draws nothing at random.
 * `processes` (tests that start one), `replays` (random histories, thousands of objects), `e2e` (a
 * whole installation and a real browser), `clients` (other people's clients), `chaos`, `sweep`,
 * `restore` and `pairs` get the same and have commands of their own (`npm run test:e2e` and so on).
 * The contract suites are run by `test/contract/run.ts`, and by a unit test on the sandbox alone.
 */
import { defineConfig } from 'vitest/config';

import { clientsSum } from './test/clients/sum.ts';
import { secrecySum } from './test/support/secrecy-sum.ts';

const isCi = process.env['CI'] !== undefined;
const summaryFile = process.env['KEYFERRY_TEST_SUMMARY'];
const setupFiles = ['test/support/setup.ts'];
const globalSetup = ['test/support/global-setup.ts'];

interface Servers {
  readonly testTimeout: number;
  readonly hookTimeout: number;
  readonly isolate?: false;
  readonly globalSetup?: readonly string[];
}

/** A project whose tests get servers; its files lie in the folder of its name. */
const withServers = (name: string, settings: Servers) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    setupFiles,
    ...settings,
    globalSetup: [...globalSetup, ...(settings.globalSetup ?? [])],
  },
});

const HALF_A_MINUTE = 30_000;
const A_MINUTE = 60_000;
const TWO_MINUTES = 120_000;
/**
 * Files share a process, and with it the modules: loading them again takes longer than many tests.
 */
const shared = { isolate: false, testTimeout: HALF_A_MINUTE, hookTimeout: HALF_A_MINUTE } as const;
const long = { testTimeout: TWO_MINUTES, hookTimeout: A_MINUTE };

export default defineConfig({
  test: {
    pool: 'forks',
    // As many as the smallest machine that CI has, leaving the servers a share.
    maxWorkers: 2,
    // A file that hangs at its end (an open handle) is killed and shown.
    teardownTimeout: 10_000,
    reporters: [
      isCi ? 'dot' : 'default',
      clientsSum,
      secrecySum,
      ...(summaryFile === undefined ? [] : ['json' as const]),
    ],
    ...(summaryFile === undefined ? {} : { outputFile: { json: summaryFile } }),
    projects: [
      {
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false, setupFiles, testTimeout: 10_000 },
      },
      withServers('integration', shared),
      withServers('processes', shared),
      withServers('replays', shared),
      withServers('e2e', { testTimeout: A_MINUTE, hookTimeout: TWO_MINUTES }),
      withServers('clients', { testTimeout: A_MINUTE, hookTimeout: A_MINUTE }),
      withServers('sweep', long),
      withServers('restore', long),
      withServers('pairs', {
        testTimeout: HALF_A_MINUTE,
        hookTimeout: HALF_A_MINUTE,
        globalSetup: ['test/pairs/report.ts'],
      }),
      withServers('chaos', long),
    ],
  },
});
