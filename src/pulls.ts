/** What reads the sources of folders: part of the composition root. It belongs to the workers of syncs. */
import type { Config } from './config/config.ts';
import type { Kind } from './domain/run.ts';
import type { Log } from './observe/log.ts';
import type { OpenStores } from './stores.ts';
import type { InstallationWatch } from './workers/engine/installation-watch.ts';
import type { Puller } from './workers/pull/puller.ts';

export interface PullerParts {
  readonly config: Pick<Config, 'sourceHosts'>;
  readonly stores: Pick<OpenStores, 'folders' | 'sources'>;
  readonly log: Log;
}

export interface PullerWorker {
  readonly queues: readonly Kind[];
  readonly watch: Pick<InstallationWatch, 'requireUnguarded'>;
}

/** Undefined for a worker that serves other queues only. */
export async function openPuller(parts: PullerParts, { queues, watch }: PullerWorker): Promise<Puller | undefined> {
  if (!queues.includes('sync')) return undefined;
  const [{ createPull }, { startPuller }] = await Promise.all([
    import('./workers/pull/pull.ts'),
    import('./workers/pull/puller.ts'),
  ]);
  const { config, log, stores } = parts;
  const { folders, sources } = stores;
  const pull = createPull({ folders, sources, network: { hosts: config.sourceHosts }, log });
  return startPuller({
    ...{ sources, pull, log },
    requireUnguarded: () => {
      watch.requireUnguarded();
    },
    random: () => Math.random(),
  });
}
