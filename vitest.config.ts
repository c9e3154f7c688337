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
      // Files share a process, and with it the modules: loading those anew takes longer than many
      // tests.
      {
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false, setupFiles, testTimeout: 10_000 },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          isolate: false,
          setupFiles,
          globalSetup,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'processes',
          include: ['test/processes/**/*.test.ts'],
          isolate: false,
          setupFiles,
          globalSetup,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'replays',
          include: ['test/replays/**/*.test.ts'],
          isolate: false,
          setupFiles,
          globalSetup,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          setupFiles,
          globalSetup,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'clients',
          include: ['test/clients/**/*.test.ts'],
          setupFiles,
          globalSetup,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'sweep',
          include: ['test/sweep/**/*.test.ts'],
          setupFiles,
          globalSetup,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'restore',
          include: ['test/restore/**/*.test.ts'],
          setupFiles,
          globalSetup,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'pairs',
          include: ['test/pairs/**/*.test.ts'],
          setupFiles,
          globalSetup: [...globalSetup, 'test/pairs/report.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.test.ts'],
          setupFiles,
          globalSetup,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
