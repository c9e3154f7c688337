/**
 * Values of the source: read in chunks, held as briefly as possible, checked against AWS's rules
 * and turned into fingerprints. Only this file and the writers that hand them to AWS ever hold one.
 */
import { fingerprintInput } from '../../domain/fingerprint.ts';
import type { SourceValue } from '../../db/sync/source.ts';
import type { DesiredEntry } from '../../domain/sync/desired.ts';
import { type EntrySettings, isOwned } from '../../domain/sync/ledger.ts';
import type { EntryProblem } from '../../domain/sync/rules.ts';
import { findValueProblem } from '../../domain/sync/target.ts';
import { errorTable, type JobError } from '../../errors.ts';
import { chunk } from '../../concurrency/pool.ts';
import type { SyncJob } from './job.ts';

/** What reading and judging values takes. */
export type ValueSource = Pick<SyncJob, 'deps' | 'run' | 'sync' | 'folder' | 'target' | 'ledger' | 'fingerprint'>;

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
export function createValueReader(
  job: ValueSource,
  order: readonly DesiredEntry[],
  readAhead = READ_AHEAD,
): ValueReader {
  const chunks = chunk(
    order.map((desired) => desired.key),
    readAhead,
  );
  const written = newestWritten(job);
  const place = new Map(chunks.flatMap((keys, index) => keys.map((key) => [key, index] as const)));
  const reads = new Map<number, Promise<Map<string, SourceValue>>>();
  return {
    async take(desired) {
      const index = place.get(desired.key) ?? -1;
      const read = reads.get(index) ?? readChunk(job, chunks[index] ?? [desired.key]);
      reads.set(index, read);
      const values = await read;
      const found = values.get(desired.key);
      values.delete(desired.key);
      if (values.size === 0) reads.delete(index);
      return found && judge(job, desired, { ...found, written: written.get(desired.key) ?? 0 });
    },
  };
}

/** By key: the newest revision of this folder that the ledger knows at AWS. */
function newestWritten(job: Pick<SyncJob, 'ledger' | 'folder'>): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const entry of job.ledger.all()) {
    if (entry.folderId !== job.folder.id || !isOwned(entry)) continue;
    newest.set(entry.key, Math.max(newest.get(entry.key) ?? 0, entry.syncedRevision ?? 0));
  }
  return newest;
}

async function readChunk(
  job: Pick<SyncJob, 'deps' | 'folder'>,
  keys: readonly string[],
): Promise<Map<string, SourceValue>> {
  const values = await job.deps.source.values(job.folder, keys);
  return new Map(values.map((one) => [one.key, one]));
}

type FoundValue = SourceValue & { readonly written: number };

function judge(
  job: Pick<SyncJob, 'target' | 'fingerprint' | 'sync'>,
  desired: DesiredEntry,
  found: FoundValue,
): ReadValue {
  if ('error' in found) return { problem: undecryptable(found.error) };
  if (found.revision < found.written) return { problem: putBack(found) };
  const problem = findValueProblem(found.value, job.target, desired.settings);
  if (problem) return { problem };
  const { value, revision } = found;
  return { value, revision, fingerprint: fingerprintOf(job, desired, { value, settings: desired.settings }) };
}

function undecryptable(error: JobError): EntryProblem {
  return {
    code: 'SECRET_UNDECRYPTABLE',
    message: `The stored value cannot be decrypted. ${errorTable[error.code].nextStep}`,
  };
}

/**
 * A row and its ciphertext are bound to each other, so an older pair decrypts as it always did.
 * Revisions only grow.
 */
function putBack({ revision, written }: FoundValue): EntryProblem {
  return {
    code: 'SECRET_UNDECRYPTABLE',
    message: `The stored value is of revision ${String(revision)}, but revision ${String(written)} was written to AWS: the row was changed outside keyferry. Set the secret again.`,
  };
}

/** What the fingerprint of this entry is, or would be, with this value and these settings. */
export function fingerprintOf(
  job: Pick<SyncJob, 'fingerprint' | 'sync'>,
  desired: Pick<DesiredEntry, 'remoteName' | 'key'>,
  content: { readonly value: string; readonly settings: EntrySettings },
): string {
  const { remoteName, key } = desired;
  return job.fingerprint(fingerprintInput({ syncId: job.sync.id, remoteName, key, ...content }));
}

/**
 * Reads every value that the ledger does not already prove, so that the plan is exact and all
 * violations are reported together. What is kept are fingerprints and problems.
 */
export async function survey(
  job: ValueSource,
  entries: readonly DesiredEntry[],
): Promise<ReadonlyMap<string, DesiredEntry>> {
  const surveyed = new Map<string, DesiredEntry>();
  for (const part of chunk(entries, SURVEY_CHUNK)) {
    job.run.scope.signal.throwIfAborted();
    const reader = createValueReader(job, part, SURVEY_CHUNK);
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
