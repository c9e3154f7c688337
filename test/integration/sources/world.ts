/** A folder with a source, and the pulls of a worker one at a time. */
import { randomBytes } from 'node:crypto';

import { sql } from 'drizzle-orm';

import { createFolders, type FolderRow } from '../../../src/db/folders.ts';
import type { PullOutcome } from '../../../src/db/pull-settlement.ts';
import { createSources } from '../../../src/db/sources.ts';
import { newSourceShape } from '../../../src/domain/sources.ts';
import { createLog } from '../../../src/observe/log.ts';
import { createPull } from '../../../src/workers/pull/pull.ts';
import type { Stage } from '../../support/stage.ts';

export const HOSTS = ['127.0.0.1'];

export async function createSourceWorld({ handle, encryption }: Stage) {
  const { db } = handle;
  const orgId = `org-${randomBytes(4).toString('hex')}`;
  const folders = createFolders(db, encryption);
  const sources = createSources(db, encryption, { hosts: HOSTS });
  const place = { projectId: 'web', environment: 'prod', secretPath: '/api' };
  const folder: FolderRow = await folders.ensure(orgId, place);
  const newPull = () =>
    createPull({ folders, sources, network: { hosts: HOSTS, limitMs: 2_000 }, log: createLog({ level: 'silent' }) });
  const pull = newPull();
  const claim = () => sources.claim({ folderId: folder.id });
  return {
    ...{ db, orgId, folders, sources, folder, place, newPull },
    set: (input: object) => sources.set(folder, newSourceShape.parse(input)),
    source: () => sources.get(folder),
    revision: async () => (await folders.get(folder.id)).revision,
    /** Makes the source due, and pulls it. */
    async pull(confirmedDeletions: number | null = null): Promise<PullOutcome | undefined> {
      await sources.ask(folder, confirmedDeletions);
      const claimed = await claim();
      return claimed && pull(claimed);
    },
    claim,
    /** As a sync reads it. */
    async values(): Promise<Readonly<Record<string, string>>> {
      const { secrets } = await folders.read(folder.id);
      return Object.fromEntries(secrets.map((one) => [one.key, 'value' in one ? one.value : 'unreadable']));
    },
    manage: (key: string) =>
      db.execute(sql`
        update keyferry.secrets set managed_by = gen_random_uuid()
        where folder_id = ${folder.id} and key = ${key}`),
    assign: (assignment: ReturnType<typeof sql>) =>
      db.execute(sql`update keyferry.sources set ${assignment} where folder_id = ${folder.id}`),
  };
}

export type SourceWorld = Awaited<ReturnType<typeof createSourceWorld>>;

export const codeOf = (outcome: PullOutcome | undefined): string | undefined =>
  outcome === undefined || outcome.status === 'succeeded' ? outcome?.status : outcome.error.code;
