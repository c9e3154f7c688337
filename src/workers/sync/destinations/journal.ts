/**
 * The journal of a destination's writes, the same for every kind: intents before calls, and what an
 * answer, a refusal or a lost answer leaves in the ledger.
 */
import {
  begun,
  conflicting,
  conflictMessage,
  contradictionMessage,
  drifted,
  failed,
  failureMessage,
} from '../../../domain/sync/entry.ts';
import { READ_LAG_MS } from '../../../domain/sync/inventory.ts';
import { type DriftKind, type InFlight, isOwned, type LedgerEntry } from '../../../domain/sync/ledger.ts';
import { isOutage } from '../../../domain/snooze.ts';
import { JobError, toJobError } from '../../../errors.ts';
import type { Journal, SyncJob } from '../job.ts';

/** What became of one planned entry. */
export type WriteResult =
  | {
      readonly kind: 'created' | 'updated' | 'adopted' | 'deleted' | 'unchanged';
      /** Settles once the row is stored, if that is not awaited yet: it counts only then. */
      readonly stored?: Promise<void>;
    }
  /** The row says why. */
  | { readonly kind: 'invalid' | 'conflict' }
  | { readonly kind: 'failed'; readonly error: JobError }
  | { readonly kind: 'deferred'; readonly until: Date };

/** Another way to write the object, required by AWS's last answer. */
export type NextWrite = 'create' | 'restore';

/**
 * A name that is taken, then scheduled for deletion, then free: more changes than this would never
 * end.
 */
const MAX_TURNS = 3;

/** Throws when AWS's answers keep contradicting each other. */
export function takeTurn(
  task: { readonly remoteName: string; readonly turns?: readonly NextWrite[] },
  turn: NextWrite,
): readonly NextWrite[] {
  const turns = [...(task.turns ?? []), turn];
  if (turns.length <= MAX_TURNS) return turns;
  const message = `AWS’s answers about ${task.remoteName} contradict each other: keyferry had to ${turns.join(', then ')} it, without end.`;
  throw new JobError('AWS_REJECTED', { message });
}

export type Attempt<T> =
  | { readonly pending: LedgerEntry; readonly answer: T; readonly error?: undefined; readonly result?: undefined }
  | { readonly pending: LedgerEntry; readonly error: JobError; readonly result?: undefined }
  | { readonly result: WriteResult; readonly error?: undefined };

/** Journals the intent, durably, then makes the call. */
export async function attempt<T>(
  job: Journal,
  intent: { readonly entry: LedgerEntry; readonly inFlight: Omit<InFlight, 'runId' | 'at'> },
  call: () => Promise<T>,
): Promise<Attempt<T>> {
  const { entry } = intent;
  const pending = begun(entry, { ...intent.inFlight, runId: job.run.id, at: job.run.now().toISOString() });
  const isClaimed = await job.ledger.claim(pending);
  if (!isClaimed) return { result: await refuse(job, entry, 'is written by another sync') };
  try {
    return { pending, answer: await call() };
  } catch (error) {
    return { pending, error: toJobError(error) };
  }
}

/** Later slices of the round leave it alone. */
export function refusedNow(job: Pick<SyncJob, 'roundId'>, entry: LedgerEntry): LedgerEntry {
  return { ...entry, observed: { ...entry.observed, refusedIn: job.roundId } };
}

/** Somebody else has the name: the row gives it up. */
export async function refuse(job: Journal, entry: LedgerEntry, reason: string): Promise<WriteResult> {
  await job.ledger.store(refusedNow(job, conflicting(entry, conflictMessage(entry, reason), job.run.now())));
  return { kind: 'conflict' };
}

export const NAME_CONTRADICTION = 'AWS says that the name is taken or busy, and does not return what has it';
/** Together longer than a deleted name stays busy, or a read misses a write. */
const NAME_WAITS_MS = [1_000, 5_000, 15_000, 30_000, 60_000, 60_000] as const;

/**
 * AWS calls a name taken or busy and returns no object of that name. Reads may lag, so the write is
 * tried again a few times; then it is a failure, because two answers that exclude each other must
 * not alternate without end.
 */
export async function waitForName(job: Journal, entry: LedgerEntry, contradiction: string): Promise<WriteResult> {
  const { waits = 0 } = entry.observed;
  const delayMs = NAME_WAITS_MS[waits];
  const row = { ...entry, inFlight: null, isClaim: entry.isClaim && isOwned(entry) };
  if (delayMs !== undefined) {
    await job.ledger.store({ ...row, observed: { ...entry.observed, waits: waits + 1 } });
    return { kind: 'deferred', until: new Date(job.run.now().getTime() + delayMs) };
  }
  const message = contradictionMessage(entry, contradiction);
  const given = failed(
    { ...row, observed: { ...entry.observed, waits: 0 } },
    { code: 'AWS_REJECTED', message },
    job.run.now(),
  );
  await job.ledger.store(refusedNow(job, given));
  return { kind: 'failed', error: new JobError('AWS_REJECTED', { message }) };
}

/** Reads may not show keyferry's own last write yet; their result is used once they must. */
export function deferFresh(job: Pick<SyncJob, 'run'>, entry: LedgerEntry): WriteResult {
  const writtenMs = entry.writtenAt?.getTime() ?? job.run.now().getTime();
  return { kind: 'deferred', until: new Date(writtenMs + READ_LAG_MS + 1) };
}

/** Owned, changed by somebody else, and not to be overwritten. */
export async function reportDrift(job: Journal, entry: LedgerEntry, drift: DriftKind): Promise<WriteResult> {
  await job.ledger.store(refusedNow(job, drifted({ ...entry, inFlight: null }, drift, job.run.now())));
  return { kind: 'conflict' };
}

/**
 * What a refused or lost call leaves in the ledger: an unclear answer stays in flight until AWS has
 * been read.
 */
export async function settleFailure(
  job: Journal,
  rows: { readonly before: LedgerEntry; readonly pending: LedgerEntry },
  error: JobError,
): Promise<WriteResult> {
  const { before, pending } = rows;
  const message = failureMessage(before, error);
  // After a lost lease the ledger refuses anything anyway.
  if (error.code === 'LEASE_LOST') throw error;
  // Of PostgreSQL, which is no fault of the entry: its row stays as it was stored, and a write in
  // flight is looked for.
  if (isOutage(error)) return { kind: 'failed', error };
  if (error.context.isAmbiguous === true) {
    await job.ledger.store({ ...pending, errorCode: error.code, errorMessage: message });
  } else {
    const kept = { ...before, isClaim: before.remoteVersion !== null && before.isClaim };
    const refused = failed(kept, { code: error.code, message }, job.run.now());
    // What is no fault of the entry is tried again in the same round.
    await job.ledger.store(isOfEntry(error) ? refusedNow(job, refused) : refused);
  }
  return { kind: 'failed', error };
}

/** A read that failed before any write: what concerns these entries is stored in their rows. */
export async function settleThrown(
  job: Journal,
  entries: readonly LedgerEntry[],
  error: JobError,
): Promise<WriteResult> {
  if (error.code === 'LEASE_LOST') throw error;
  if (isOfEntry(error)) {
    const now = job.run.now();
    const toRow = (entry: LedgerEntry) => ({
      ...failed(entry, { code: error.code, message: failureMessage(entry, error) }, now),
      inFlight: entry.inFlight,
    });
    await job.ledger.storeAll(entries.map((entry) => refusedNow(job, toRow(entry))));
  }
  return { kind: 'failed', error };
}

export const awsErrorOf = (error: JobError): string | undefined => error.context.awsError;

/** A failure that concerns this one object; anything else concerns the whole run. */
export function isOfEntry(error: JobError): boolean {
  return error.disposition === 'fail' && error.code.startsWith('AWS_');
}
