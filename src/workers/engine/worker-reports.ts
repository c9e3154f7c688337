/**
 * Reports every few seconds that this worker is running and what it does, for people. No work
 * depends on it.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';

import type { LiveWorkers } from '../../db/live-workers.ts';
import { REPORT_EVERY_MS, type WorkerReport } from '../../domain/live-worker.ts';
import { toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';

export interface WorkerReportsDependencies extends Omit<WorkerReport, 'running'> {
  readonly workers: LiveWorkers;
  running(): WorkerReport['running'];
  readonly log: Log;
  /** For tests. */
  readonly everyMs?: number;
}

export interface WorkerReports {
  /** Says that the worker has ended, if the database answers. */
  stop(): Promise<void>;
}

const STOP_LIMIT_MS = 1_000;

export function startWorkerReports(deps: WorkerReportsDependencies): WorkerReports {
  const { workers, name, version, queues, running, log, everyMs = REPORT_EVERY_MS } = deps;
  const id = randomUUID();
  let reporting: Promise<void> | undefined;

  function report(): void {
    reporting ??= workers
      .report(id, { name, version, queues, running: running() })
      .catch((error: unknown) => {
        // An outage of the database is reported where it is used.
        log.debug({ err: toJobError(error) }, 'this worker could not report itself');
      })
      .finally(() => {
        reporting = undefined;
      });
  }

  report();
  const timer = setInterval(report, everyMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      const ended = (async () => {
        await reporting;
        await workers.stopped(id);
      })();
      await Promise.race([ended.catch(() => undefined), setTimeout(STOP_LIMIT_MS, undefined, { ref: false })]);
    },
  };
}
