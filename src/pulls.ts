/**
 * What reads the sources of folders: part of the composition root. It belongs to the workers of
 * syncs.
 */
import type { Config } from './config/config.ts';
import { PULL_WAKE } from './db/pull-wishes.ts';
import type { Kind } from './domain/run.ts';
import type { Log } from './observe/log.ts';
import type { QueueBackend } from './queues/backend.ts';
import type { OpenStores } from './stores.ts';
import type { InstallationWatch } from './workers/engine/installation-watch.ts';
import type { Puller } from './workers/pull/puller.ts';
import type { RunPull } from './workers/pull/run-pull.ts';

export interface PullParts {
  readonly config: Pick<Config, 'sourceHosts'>;
  readonly stores: Pick<OpenStores, 'folders' | 'sources'>;
  readonly backend: Pick<QueueBackend, 'queue'>;
  readonly log: Log;
}

export interface PullWorker {
  readonly queues: readonly Kind[];
  readonly watch: Pick<InstallationWatch, 'guardReason'>;
}

export interface Pulls extends Pick<Puller, 'stop'> {
  readonly runPull: RunPull;
  /** Given every wake-up; true for one of pulls. */
  wake(kind: string): boolean;
  /** Given the kind of every run that ended: a pull leaves room for another of its org. */
  ended(runKind: string): void;
}

/** Undefined for a worker that serves other queues only. */
export async function openPulls(parts: PullParts, { queues, watch }: PullWorker): Promise<Pulls | undefined> {
  if (!queues.includes('sync')) return undefined;
  const [{ createPull }, { startPuller }, { createRunPull }] = await Promise.all([
    import('./workers/pull/pull.ts'),
    import('./workers/pull/puller.ts'),
    import('./workers/pull/run-pull.ts'),
  ]);
  const { backend, config, log, stores } = parts;
  const { folders, sources } = stores;
  const isGuarded = () => watch.guardReason() !== undefined;
  const pull = createPull({ folders, sources, network: { hosts: config.sourceHosts }, log });
  const { stop, wake } = startPuller({
    ...{ sources, isGuarded, log },
    queue: () => backend.queue('sync'),
    random: () => Math.random(),
  });
  return {
    runPull: createRunPull({ sources, pull, isGuarded }),
    stop,
    wake(kind) {
      if (kind === PULL_WAKE) wake();
      return kind === PULL_WAKE;
    },
    ended(runKind) {
      if (runKind === 'pull') wake();
    },
  };
}
