/** What a write of a JSON secret came to, as the rows of its keys and the caller need it. */
import type { SecretsManager } from '../../../../aws/secrets-manager.ts';
import { written } from '../../../../domain/sync/entry.ts';
import type { LedgerEntry } from '../../../../domain/sync/ledger.ts';
import type { SyncJob } from '../../job.ts';
import type { WriteResult } from '../journal.ts';
import type { DocumentWrite, Untouched } from './content.ts';

/** What the secret as a whole came to; keys that are somebody else's were left alone. */
export type DocumentResult =
  | {
      readonly kind: 'written';
      /**
       * The row of the secret as a whole, to be stored after those of its keys: until then the
       * write counts as in flight.
       */
      readonly whole: LedgerEntry;
      readonly untouched: Untouched;
    }
  | { readonly kind: 'drifted'; readonly drift: 'missing' | 'scheduled-for-deletion' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'invalid'; readonly reason: string }
  | Extract<WriteResult, { kind: 'failed' | 'deferred' }>;

export interface DocumentContext {
  readonly job: SyncJob;
  readonly secrets: SecretsManager;
}

interface Stored {
  readonly version: string;
  readonly isCreated: boolean;
  readonly untouched: Untouched;
  readonly hasForeignKeys?: boolean;
}

export function toResult({ job }: DocumentContext, writing: DocumentWrite, done: Stored): DocumentResult {
  const { whole, settings } = writing;
  const observed = {
    isCreated: done.isCreated || (whole.observed.isCreated ?? false),
    hasForeignKeys: done.hasForeignKeys ?? false,
  };
  const by = {
    version: done.version,
    fingerprint: '',
    revision: job.folder.revision,
    settings,
    folderId: job.folder.id,
    observed,
    at: job.run.now(),
  };
  const row = written({ ...whole, connectionId: job.connection.id }, by);
  return { kind: 'written', whole: row, untouched: done.untouched };
}

export function toFailure(result: WriteResult): DocumentResult {
  return result.kind === 'failed' || result.kind === 'deferred'
    ? result
    : { kind: 'refused', reason: 'is not managed by this sync' };
}
