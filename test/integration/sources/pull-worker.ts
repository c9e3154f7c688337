/** The parts of a worker that read sources, on a queue of its own. */
import type { Job } from 'bullmq';

import type { Folders } from '../../../src/db/folders.ts';
import type { Sources } from '../../../src/db/sources.ts';
import { createLog } from '../../../src/observe/log.ts';
import { createQueueBackend, type QueueBackend } from '../../../src/queues/backend.ts';
import type { RunReport } from '../../../src/workers/engine/run-report.ts';
import { createPull } from '../../../src/workers/pull/pull.ts';
import { startPuller, type Puller } from '../../../src/workers/pull/puller.ts';
import { createRunPull } from '../../../src/workers/pull/run-pull.ts';

export interface PullWorkerInput {
  readonly databaseUrl: string;
  readonly redisUrl?: string | undefined;
  readonly folders: Folders;
  readonly sources: Sources;
  readonly hosts: readonly string[];
  readonly everyMs?: number;
  isGuarded?(): boolean;
  /** Before each pull. */
  beforeJob?(job: Job): Promise<void>;
}

export interface PullWorker {
  readonly backend: QueueBackend;
  readonly puller: Puller;
  readonly reports: readonly RunReport[];
  stop(): Promise<void>;
}

export async function startPullWorker(input: PullWorkerInput): Promise<PullWorker> {
  const { databaseUrl, redisUrl, folders, sources, hosts, isGuarded = () => false } = input;
  const log = createLog({ level: 'silent' });
  const backend = await createQueueBackend({ databaseUrl, redisUrl });
  await backend.prepare();
  const reports: RunReport[] = [];
  const pull = createPull({ folders, sources, network: { hosts, limitMs: 2_000 }, log });
  const runPull = createRunPull({ sources, pull, isGuarded });
  const worker = backend.worker(
    'sync',
    async (job, _token, signal) => {
      await input.beforeJob?.(job);
      return runPull({ log, onRun: (report) => reports.push(report) }, job, signal);
    },
    { concurrency: 4, name: 'pulls' },
  );
  worker.on('error', () => undefined);
  void worker.run();
  const everyMs = input.everyMs ?? 3_600_000;
  const puller = startPuller({
    sources,
    queue: () => backend.queue('sync'),
    isGuarded,
    log,
    everyMs,
    random: () => 0.5,
  });
  return {
    ...{ backend, puller, reports },
    async stop() {
      await puller.stop();
      await worker.close();
      await backend.close();
    },
  };
}
