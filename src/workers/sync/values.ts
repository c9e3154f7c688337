/**
 * Values of the source: read in chunks, held as briefly as possible, checked against AWS's rules and turned into fingerprints. Only this file and
 * the writers that hand them to AWS ever hold one.
 */
import { fingerprintInput } from '../../domain/fingerprint.ts';
import type { SourceValue } from '../../db/sync/source.ts';
import type { DesiredEntry } from '../../domain/sync/desired.ts';
import { type EntrySettings, isOwned } from '../../domain/sync/ledger.ts';
import type { EntryProblem } from '../../domain/sync/rules.ts';
import { findValueProblem } from '../../domain/sync/target.ts';
import { errorTable, type JobError } from '../../errors.ts';
import { chunk } from '../../concurrency/pool.ts';
import type { SyncWork } from './work.ts';

export type ReadValue =
  | { readonly value: string; readonly revision: number; readonly fingerprint: string; readonly problem?: undefined }
  | { readonly problem: EntryProblem };

export interface ValueReader {
  /** Once per key. Undefined when the key has left the source since the plan was made. */
  take(desired: DesiredEntry): Promise<ReadValue | undefined>;
}

const READ_AHEAD = 50;
const SURVEY_CHUNK = 500;

/** Reads ahead in the given order. */
export function createValueReader(work: SyncWork, order: readonly DesiredEntry[], readAhead = READ_AHEAD): ValueReader {
  const chunks = chunk(
    order.map((desired) => desired.key),
    readAhead,
  );
  const written = newestWritten(work);
  const place = new Map(chunks.flatMap((keys, index) => keys.map((key) => [key, index] as const)));
  const reads = new Map<number, Promise<Map<string, SourceValue>>>();
  return {
    async take(desired) {
      const index = place.get(desired.key) ?? -1;
      const read = reads.get(index) ?? readChunk(work, chunks[index] ?? [desired.key]);
      reads.set(index, read);
      const values = await read;
      const found = values.get(desired.key);
      values.delete(desired.key);
      if (values.size === 0) reads.delete(index);
      return found && judge(work, desired, { ...found, written: written.get(desired.key) ?? 0 });
    },
  };
}

/** By key: the newest revision of this folder that the ledger knows at AWS. */
function newestWritten(work: SyncWork): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const entry of work.ledger.all()) {
    if (entry.folderId !== work.folder.id || !isOwned(entry)) continue;
    newest.set(entry.key, Math.max(newest.get(entry.key) ?? 0, entry.syncedRevision ?? 0));
  }
  return newest;
}

async function readChunk(work: SyncWork, keys: readonly string[]): Promise<Map<string, SourceValue>> {
  const values = await work.deps.source.values(work.folder, keys);
  return new Map(values.map((one) => [one.key, one]));
}

type FoundValue = SourceValue & { readonly written: number };

function judge(work: SyncWork, desired: DesiredEntry, found: FoundValue): ReadValue {
  if ('error' in found) return { problem: undecryptable(found.error) };
  if (found.revision < found.written) return { problem: putBack(found) };
  const problem = findValueProblem(found.value, work.target, desired.settings);
  if (problem) return { problem };
  const { value, revision } = found;
  return { value, revision, fingerprint: fingerprintOf(work, desired, { value, settings: desired.settings }) };
}

function undecryptable(error: JobError): EntryProblem {
  return {
    code: 'SECRET_UNDECRYPTABLE',
    message: `The stored value cannot be decrypted. ${errorTable[error.code].nextStep}`,
  };
}

/** A row and its ciphertext are bound to each other, so an older pair decrypts as it always did. Revisions only grow. */
function putBack({ revision, written }: FoundValue): EntryProblem {
  return {
    code: 'SECRET_UNDECRYPTABLE',
    message: `The stored value is of revision ${String(revision)}, but revision ${String(written)} was written to AWS: the row was changed outside keyferry. Set the secret again.`,
  };
}

/** What the fingerprint of this entry is, or would be, with this value and these settings. */
export function fingerprintOf(
  work: SyncWork,
  desired: Pick<DesiredEntry, 'remoteName' | 'key'>,
  content: { readonly value: string; readonly settings: EntrySettings },
): string {
  const { remoteName, key } = desired;
  return work.fingerprint(fingerprintInput({ syncId: work.sync.id, remoteName, key, ...content }));
}

/**
 * Reads every value that the ledger does not already vouch for, so that the plan is exact and all violations are told at once. What is kept
 * are fingerprints and problems.
 */
export async function survey(
  work: SyncWork,
  entries: readonly DesiredEntry[],
): Promise<ReadonlyMap<string, DesiredEntry>> {
  const surveyed = new Map<string, DesiredEntry>();
  for (const part of chunk(entries, SURVEY_CHUNK)) {
    work.run.scope.signal.throwIfAborted();
    const reader = createValueReader(work, part, SURVEY_CHUNK);
    for (const desired of part) {
      const read = await reader.take(desired);
      if (!read) continue;
      surveyed.set(
        desired.key,
        read.problem ? { ...desired, problem: read.problem } : { ...desired, fingerprint: read.fingerprint },
      );
    }
  }
  return surveyed;
}
