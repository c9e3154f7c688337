import { expect, it } from 'vitest';

import { createSyncMemory } from '../../../src/workers/sync/memory.ts';

type Work = Parameters<ReturnType<typeof createSyncMemory>['keep']>[0];
type Run = Parameters<ReturnType<typeof createSyncMemory>['take']>[0];

/**
 * A run of the sync at its nth claim. A plan in between starts the attempts again, so that they
 * count nothing.
 */
const runAt = (claims: number) =>
  ({ id: `run-${String(claims)}`, attempt: 1, subject: { id: 'sync', version: 1, folderId: 'folder', claims } }) as Run;

function remembered(): ReturnType<typeof createSyncMemory> {
  const memory = createSyncMemory();
  const [run, sync, folder] = [runAt(7), { id: 'sync' }, { revision: 3 }];
  memory.keep({ run, sync, folder, ledger: { all: () => [] }, desired: [] } as unknown as Work);
  return memory;
}

it('is used by the very next claim of a sync', () => {
  expect(remembered().take(runAt(8), 3)).toMatchObject({ entries: [], desired: [] });
});

it.each([
  ['another run claimed the sync in between, even one that died', runAt(9), 3],
  ['the folder changed', runAt(8), 4],
])('is dropped when %s', (_case, run, revision) => {
  expect(remembered().take(run, revision)).toBeUndefined();
});
