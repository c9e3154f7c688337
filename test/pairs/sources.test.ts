/**
 * The row of a source: every writer × every statement of a pull that may wait for it, in both
 * orders. The first is held open in a transaction until the second waits for it. Whichever comes
 * first, what was asked for is answered, or will be.
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';

import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import type { FolderRow } from '../../src/db/folders.ts';
import type { ClaimedSource } from '../../src/db/pull-claims.ts';
import { newSourceShape } from '../../src/domain/sources.ts';
import { JobError } from '../../src/errors.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { openLane, type Lane, type Stores } from './scene.ts';

interface Scene {
  readonly folder: FolderRow;
  /** The pull under way. */
  lease: ClaimedSource | undefined;
}

type Act = (stores: Stores, scene: Scene) => Promise<unknown>;

const settings = newSourceShape.parse({ kind: 'http', url: 'https://example.com/x' });
const wish = (folderId: string) => ({
  ...{ folderId, actor: 'ann', reason: 'requested' as const },
  source: { queue: 'sync', jobId: randomUUID(), timestamp: 1 },
});

const writers: Readonly<Record<string, Act>> = {
  set: ({ sources }, { folder }) => sources.set(folder, settings),
  ask: ({ sources }, { folder }) => sources.ask(folder, 3),
  notify: ({ sources }, { folder }) => sources.notify(folder.id, Date.now()),
  recordWish: ({ sources }, { folder }) => sources.recordWish(wish(folder.id)),
  unset: ({ sources }, { folder }) => sources.unset(folder),
};

const statements: Readonly<Record<string, { readonly isOfPull: boolean; readonly execute: Act }>> = {
  dispatch: { isOfPull: false, execute: ({ sources }) => sources.dispatch(100) },
  undispatch: { isOfPull: false, execute: ({ sources }, { folder }) => sources.undispatch([folder.id]) },
  claim: {
    isOfPull: false,
    execute: async ({ sources }, scene) => {
      scene.lease = await sources.claim({ folderId: scene.folder.id });
    },
  },
  recordWish: { isOfPull: false, execute: ({ sources }, { folder }) => sources.recordWish(wish(folder.id)) },
  settle: {
    isOfPull: true,
    execute: async ({ sources }, { lease }) => {
      const error = new JobError('SOURCE_UNAVAILABLE');
      return lease && sources.settle(lease, { status: 'failed', error });
    },
  },
  'write and settlement': {
    isOfPull: true,
    execute: async ({ folders }, { folder, lease }) =>
      lease &&
      folders
        .pullInto(await folders.get(folder.id), [{ key: 'A', value: randomUUID() }], { lease, etag: null })
        .catch(unlessLost),
  },
};

/** Who sets or ends the source takes the lease away. */
function unlessLost(error: unknown): undefined {
  if (error instanceof JobError && ['LEASE_LOST', 'SOURCE_NOT_FOUND'].includes(error.code)) return undefined;
  throw error;
}

const pairs = Object.keys(writers).flatMap((writer) =>
  Object.keys(statements).flatMap((statement) =>
    [true, false].map((isWriterFirst) => ({ writer, statement, isWriterFirst })),
  ),
);

const database = useTestDatabase();
let lane: Lane;
let hold = 0;
beforeAll(async () => {
  lane = await openLane(database().url);
});
afterAll(async () => {
  await lane.close();
  appendFileSync(inject('pairsReport'), `${String(pairs.length)} ${String(hold)}\n`);
});

test.each(pairs)(
  '$writer and $statement, the writer first: $isWriterFirst',
  async ({ writer, statement, isWriterFirst }) => {
    const { stores, held } = lane;
    const place = { projectId: 'p', environment: 'e', secretPath: `/${randomUUID()}` };
    const folder = await stores.folders.ensure(`org-${randomUUID()}`, place);
    await stores.sources.set(folder, settings);
    const { isOfPull, execute } = statements[statement] ?? { isOfPull: false, execute: () => Promise.resolve() };
    const write = writers[writer] ?? (() => Promise.resolve());
    const lease = isOfPull ? await stores.sources.claim({ folderId: folder.id }) : undefined;
    const scene: Scene = { folder, lease };
    const [first, second] = isWriterFirst ? [write, execute] : [execute, write];
    await lane.begin();
    await first(held, scene);
    const state = { hasEnded: false };
    const acting = second(stores, scene).finally(() => (state.hasEnded = true));
    acting.catch(() => undefined);
    while (!state.hasEnded && !(await lane.isWaitedFor()));
    await lane.commit();
    await acting;
    if (scene.lease)
      await stores.sources.settle(scene.lease, { status: 'failed', error: new JobError('SOURCE_DENIED') });
    expect(await forgotten(stores, folder.id)).toEqual([]);
    hold += 1;
  },
);

/**
 * After the pull: who asked and was not answered finds the source due, and a source that is gone
 * leaves no request open.
 */
async function forgotten({ db }: Stores, folderId: string): Promise<readonly unknown[]> {
  return db.execute(sql`
    select s.asked, s.answered, s.next_due_at, r.id as request
    from (select ${folderId}::uuid as id) f
    left join keyferry.sources s on s.folder_id = f.id
    left join keyferry.requests r on r.subject_id = f.id and r.done_at is null
    where (s.asked > s.answered
      and (s.next_due_at > now() + interval '6 seconds' or s.lease_token is not null))
      or (r.id is not null and (s.folder_id is null or s.asked = s.answered))`);
}
