/**
 * A worker with everything that it works with: part of the composition root, and loaded only where
 * one is started.
 */
import { hostname } from 'node:os';

import type { AwsAccess } from './aws/session.ts';
import type { Config } from './config/config.ts';
import { createBaseIdentities } from './db/base-identities.ts';
import { deleteExpired } from './db/engine/retention.ts';
import { DUE_CHANNEL } from './db/engine/subjects.ts';
import { createInstallationGuard } from './db/installation-guard.ts';
import { repairInvariants } from './db/invariants.ts';
import { createLiveWorkers } from './db/live-workers.ts';
import { kinds, type Kind } from './domain/run.ts';
import type { Log } from './observe/log.ts';
import { type Metrics, workerHooks } from './observe/metrics.ts';
import { createProcessors } from './processors.ts';
import { openPulls } from './pulls.ts';
import type { QueueBackend } from './queues/backend.ts';
import type { OpenStores } from './stores.ts';
import { VERSION } from './version.ts';
import { startBaseIdentityWatch } from './workers/engine/base-identity-watch.ts';
import { startInstallationWatch } from './workers/engine/installation-watch.ts';
import { startWorker, type WorkerProcess } from './workers/engine/worker.ts';
import { startWorkerReports } from './workers/engine/worker-reports.ts';

export interface WorkerParts {
  readonly aws: AwsAccess;
  readonly backend: QueueBackend;
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly stores: OpenStores;
}

export interface WorkerOptions {
  readonly queues?: readonly Kind[];
  /** `worker --guarded`: change nothing at AWS until the database was accepted. */
  readonly isGuarded?: boolean;
}

export async function startWorkerProcess(parts: WorkerParts, options: WorkerOptions): Promise<WorkerProcess> {
  const { aws, backend, config, stores, log, metrics } = parts;
  const { db } = stores.database;
  stores.database.watch();
  const watch = await startInstallationWatch({
    guard: createInstallationGuard(db),
    name: config.installation,
    isGuardAsked: options.isGuarded === true,
    log,
  });
  const identityWatch = startBaseIdentityWatch({ aws, identities: createBaseIdentities(db), log });
  const queues = options.queues ?? kinds;
  const pulls = await openPulls(parts, { queues, watch });
  const name = `${hostname()}-${String(process.pid)}`;
  const worker = await startWorker({
    backend,
    work: stores.work,
    kinds: queues,
    concurrency: config.concurrency,
    processors: createProcessors({ aws, stores, config, installation: watch }),
    runPull: pulls?.runPull,
    requireUnguarded: watch.requireUnguarded,
    async listen(onDue) {
      const subscription = await stores.database.client.listen(DUE_CHANNEL, (kind) => {
        if (pulls?.wake(kind) !== true) onDue(kind);
      });
      return () => subscription.unlisten();
    },
    checkDatabase: () => stores.database.checkAfresh(),
    deleteExpired: () => deleteExpired(stores.database.db, config.keepHistoryMs),
    repairInvariants: () => repairInvariants(stores.database.db),
    ...workerHooks(metrics),
    name,
    log,
    random: () => Math.random(),
    onRun: ({ runKind, ...report }) => {
      metrics.runFinished({ ...report, kind: runKind });
      pulls?.ended(runKind);
    },
  });
  const { running } = worker;
  const reports = startWorkerReports({ workers: createLiveWorkers(db), name, version: VERSION, queues, running, log });
  const stop = async (deadlineMs?: number) => {
    await Promise.all([worker.stop(deadlineMs), pulls?.stop()]);
    watch.stop();
    identityWatch.stop();
    await reports.stop();
    // What proves later that a moved database is complete; a guarded worker proves nothing.
    log.info(watch.guardReason() === undefined ? { counter: watch.counter() } : {}, 'worker stopped');
  };
  let stopped: Promise<void> | undefined;
  return { ...worker, stop: (deadlineMs) => (stopped ??= stop(deadlineMs)) };
}
