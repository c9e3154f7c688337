/**
 * The settings of a source: stored encrypted, bound to a revision that grows with every change, and
 * refused where a newer one is on record.
 */
import { isDeepStrictEqual } from 'node:util';

import { sql } from 'drizzle-orm';

import type { SourceSettings } from '../domain/sources.ts';
import type { Database } from './client.ts';
import { type Encryption, sourcePlace } from './encryption.ts';
import { execute } from './statement.ts';
import { newestRecorded, requireNewest } from './recorded-revisions.ts';
import { fromRow } from './rows.ts';
import { sources } from './schema.ts';

type Row = typeof sources.$inferSelect;

export interface SealedSettings {
  readonly target: string;
  readonly targetRevision: number;
}

/** Selects the newest revision of the row `s` that a pull was recorded with, for `openSettings`. */
export const newestOfSource = newestRecorded('pull', sql`s.folder_id`);

/** Under the next revision, which another statement may take first. */
export async function sealSettings(
  { db, encryption }: { readonly db: Database; readonly encryption: Encryption },
  { orgId, folderId }: Pick<Row, 'orgId' | 'folderId'>,
  settings: SourceSettings,
): Promise<SealedSettings> {
  // Also after `unset`: a revision is never given twice while a run with it is on record.
  const [row] = await execute(
    db,
    sql`
      select 1 + greatest(
        (select target_revision from keyferry.sources where folder_id = ${folderId}),
        ${newestRecorded('pull', sql`${folderId}::uuid`)}
      ) as next`,
  );
  const targetRevision = Number(row?.next);
  const target = await encryption.encrypt(JSON.stringify(settings), sourcePlace({ orgId, folderId, targetRevision }));
  return { target, targetRevision };
}

/** Throws SECRET_UNDECRYPTABLE. */
export async function openSettings(
  encryption: Encryption,
  source: Pick<Row, 'orgId' | 'folderId' | 'target' | 'targetRevision'>,
  newest: number,
): Promise<SourceSettings> {
  const revisions = { revision: source.targetRevision, newest };
  requireNewest('settings of the source', revisions, 'Set it again with `keyferry source set`.');
  return JSON.parse(await encryption.decrypt(source.target, sourcePlace(source))) as SourceSettings;
}

/**
 * True of a source that has these settings already. One that failed does not count: setting it
 * again means that it should be read again.
 */
export async function isAsSet(
  { db, encryption }: { readonly db: Database; readonly encryption: Encryption },
  folderId: string,
  given: { readonly settings: SourceSettings; readonly everySeconds: number },
): Promise<boolean> {
  const [row] = await execute(
    db,
    sql`select s.*, ${newestOfSource} as newest from keyferry.sources s
      where s.folder_id = ${folderId}`,
  );
  if (row === undefined) return false;
  const source = fromRow(sources, row);
  if (source.status !== 'pending' && source.status !== 'succeeded') return false;
  if (source.everySeconds !== given.everySeconds) return false;
  const present = await openSettings(encryption, source, Number(row.newest)).catch(() => undefined);
  return isDeepStrictEqual(present, JSON.parse(JSON.stringify(given.settings)));
}
