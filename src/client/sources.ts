/**
 * `client.sources`: where the secrets of folders come from. Credentials go in and never come out.
 */
import { setTimeout } from 'node:timers/promises';

import { z } from 'zod';

import type { FolderRow, Folders } from '../db/folders.ts';
import type { History } from '../db/history.ts';
import type { Sources } from '../db/sources.ts';
import { newSourceShape, type NewSource } from '../domain/sources.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { parseInput, placeShape, problemsIn, refuse } from './input.ts';
import type { SameAs } from './same.ts';
import type { FolderPath } from './types/folder.ts';
import type { FolderSource, SetSource, SourcesClient, WaitForPull } from './types/source.ts';
import { toFolderSource, toListedRun } from './views.ts';

const confirmShape = z.int().min(1).max(1_000_000).nullable();
const HINT_AFTER_MS = 4_000;
const POLL_MS = 200;
const DEFAULT_TIMEOUT_MS = 120_000;

interface Stores {
  readonly folders: Folders;
  readonly history: History;
  readonly sources: Sources;
}

export function createSourcesClient({ orgId }: ClientContext, stores: Stores): SourcesClient {
  const { folders, history, sources } = stores;
  const find = async (place: FolderPath): Promise<FolderRow> => {
    const folder = await folders.find(orgId, parseInput(placeShape, place));
    if (folder === undefined) throw new JobError('SOURCE_NOT_FOUND');
    return folder;
  };
  return {
    async set(place, input: SameAs<SetSource, z.input<typeof newSourceShape>>) {
      refuse([...problemsIn(placeShape, place), ...problemsIn(newSourceShape, input)]);
      const [parsedPlace, settings] = [parseInput(placeShape, place), parseInput(newSourceShape, input)];
      return toFolderSource(await sources.set(await folders.ensure(orgId, parsedPlace), settings satisfies NewSource));
    },
    show: async (place) => toFolderSource(await sources.get(await find(place))),
    pulls: async (place, limit = 5) =>
      (await history.runs(orgId, { subjectId: (await find(place)).id, kind: 'pull', limit })).map(toListedRun),
    unset: async (place) => toFolderSource(await sources.unset(await find(place))),
    async request(place, { confirmDeletions } = {}) {
      const folder = await find(place);
      await sources.ask(folder, parseInput(confirmShape, confirmDeletions ?? null));
      return toFolderSource(await sources.get(folder));
    },
    async run(place, { confirmDeletions } = {}, wait = {}) {
      const folder = await find(place);
      const asked = await sources.ask(folder, parseInput(confirmShape, confirmDeletions ?? null));
      return waitForPull(async () => toFolderSource(await sources.get(folder)), asked, wait);
    },
  };
}

async function waitForPull(look: () => Promise<FolderSource>, asked: number, wait: WaitForPull): Promise<FolderSource> {
  const startedAtMs = performance.now();
  let isHinted = false;
  for (;;) {
    const source = await look();
    if (source.answered >= asked) return source;
    const waitedMs = performance.now() - startedAtMs;
    if (!isHinted && !source.isRunning && waitedMs > HINT_AFTER_MS) {
      isHinted = true;
      wait.onUntaken?.();
    }
    if (waitedMs > (wait.timeoutMs ?? DEFAULT_TIMEOUT_MS))
      throw new JobError('QUEUE_TIMEOUT', {
        message: 'No worker has read the source in time. The request stays recorded; start one with `keyferry worker`.',
      });
    await setTimeout(POLL_MS);
  }
}
