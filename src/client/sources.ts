/** `client.sources`: where the secrets of folders come from. Credentials go in and never come out. */
import { setTimeout } from 'node:timers/promises';

import { z } from 'zod';

import type { FolderRow, Folders } from '../db/folders.ts';
import type { History } from '../db/history.ts';
import type { LogicalRun } from '../db/logical-runs.ts';
import type { SourceRow, Sources } from '../db/sources.ts';
import { newSourceShape, type NewSource } from '../domain/sources.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { parseInput, placeShape } from './input.ts';
import type { FolderPath } from './secrets.ts';

/** Settings of a source, by its kind; `everySeconds` is 60 to 86,400, 300 by default. */
export type SetSource = z.input<typeof newSourceShape>;
export type FolderSource = SourceRow;

export interface PullSource {
  /** Lets the pull remove exactly so many secrets. */
  readonly confirmDeletions?: number;
}

export interface WaitForPull {
  readonly timeoutMs?: number;
  /** Told once when no worker has taken the source for a few seconds. */
  onUntaken?(): void;
}

const confirmShape = z.int().min(1).max(1_000_000).nullable();
const HINT_AFTER_MS = 4_000;
const POLL_MS = 200;
const DEFAULT_TIMEOUT_MS = 120_000;

interface Stores {
  readonly folders: Folders;
  readonly history: History;
  readonly sources: Sources;
}

export function createSourcesClient({ orgId }: ClientContext, stores: Stores) {
  const { folders, history, sources } = stores;
  const find = async (place: FolderPath): Promise<FolderRow> => {
    const folder = await folders.find(orgId, parseInput(placeShape, place));
    if (folder === undefined) throw new JobError('SOURCE_NOT_FOUND');
    return folder;
  };
  return {
    /**
     * Makes the folder if need be; the source is read at once. Throws SOURCE_URL_REFUSED, and PAYLOAD_INVALID for a client certificate that has expired or
     * does not fit its key.
     */
    async set(place: FolderPath, input: SetSource): Promise<FolderSource> {
      const [parsedPlace, settings] = [parseInput(placeShape, place), parseInput(newSourceShape, input)];
      return sources.set(await folders.ensure(orgId, parsedPlace), settings satisfies NewSource);
    },
    /** Throws SOURCE_NOT_FOUND, as all that follow. */
    show: async (place: FolderPath): Promise<FolderSource> => sources.get(await find(place)),
    /** The last pulls that did or said something, newest first. */
    pulls: async (place: FolderPath, limit = 5): Promise<readonly LogicalRun[]> =>
      history.runs(orgId, { subjectId: (await find(place)).id, kind: 'pull', limit }),
    /** The folder keeps its secrets, which can be set by hand again. */
    unset: async (place: FolderPath): Promise<FolderSource> => sources.unset(await find(place)),
    /** Has a worker read the source soon, and returns at once. */
    async request(place: FolderPath, { confirmDeletions }: PullSource = {}): Promise<FolderSource> {
      const folder = await find(place);
      await sources.ask(folder, parseInput(confirmShape, confirmDeletions ?? null));
      return sources.get(folder);
    },
    /** Has a worker read the source now, and returns its state afterwards. Throws QUEUE_UNAVAILABLE when none does in time. */
    async run(place: FolderPath, { confirmDeletions }: PullSource = {}, wait: WaitForPull = {}): Promise<FolderSource> {
      const folder = await find(place);
      const asked = await sources.ask(folder, parseInput(confirmShape, confirmDeletions ?? null));
      return waitForPull(() => sources.get(folder), asked, wait);
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
      throw new JobError('QUEUE_UNAVAILABLE', {
        message: 'No worker has read the source in time. The request stays recorded; start one with `keyferry worker`.',
      });
    await setTimeout(POLL_MS);
  }
}
