/**
 * Carries out one slice of a plan for kinds that keep each key in its own object: writes with
 * bounded concurrency. One bad entry stops nothing else; what concerns the whole account
 * (throttling, a network that is down) ends the slice.
 */
import { type Background, createBackground } from '../../../concurrency/background.ts';
import { forEachPooled } from '../../../concurrency/pool.ts';
import type { DesiredEntry } from '../../../domain/sync/desired.ts';
import { failed, inOrder, problemMessage } from '../../../domain/sync/entry.ts';
import { isOwned, type LedgerEntry } from '../../../domain/sync/ledger.ts';
import { findChange, type Plan, type PlannedEntry } from '../../../domain/sync/plan.ts';
import { toJobError } from '../../../errors.ts';
import { isSettledInRound, isWrite, makeEntry, noteRewrite, skipWaiting, storeDeferred } from '../apply.ts';
import { findHeld } from '../held-names.ts';
import type { Slice } from '../slice.ts';
import { createValueReader, type ValueReader } from '../values.ts';
import { createWritePace } from '../write-pace.ts';
import type { SyncJob } from '../job.ts';
import type { Applied } from './destination.ts';
import { refusedNow, settleThrown, type NextWrite, type WriteResult } from './journal.ts';

/** One object to write, with its value in hand. */
export interface WriteTask {
  readonly desired: DesiredEntry;
  readonly planned: PlannedEntry;
  /** As stored last, or a new one. */
  readonly entry: LedgerEntry;
  readonly value: string;
  readonly revision: number;
  readonly fingerprint: string;
  readonly turns?: readonly NextWrite[];
}

/** How a kind writes one object. */
export interface EachWriter {
  /** The lowest number of concurrent writes. */
  readonly concurrency: number;
  /** Names in the order in which they will be written, so that reads of them can share calls. */
  expect?(names: readonly string[]): void;
  write(task: WriteTask): Promise<WriteResult>;
}

interface EachContext {
  readonly job: SyncJob;
  readonly writer: EachWriter;
  readonly slice: Slice;
}

interface Applying extends EachContext {
  readonly values: ValueReader;
  readonly storing: Background;
}

export async function applyEach(context: EachContext, plan: Plan): Promise<Applied> {
  const held = findHeld(context.job, plan);
  const isComplete = await applyWrites(
    context,
    plan.entries.filter((one) => !held.includes(one)),
  );
  return { isComplete, held, deletions: plan.entries.filter((one) => one.action === 'delete') };
}

/**
 * Returns false when the slice ended before the writes did. A write that must wait holds up no
 * other.
 */
async function applyWrites(context: EachContext, planned: readonly PlannedEntry[]): Promise<boolean> {
  const { job, writer, slice } = context;
  const due = planned.filter((one) => isWrite(one) && !isSettledInRound(job, one));
  const writes = due.filter((one) => !skipWaiting(context, one.entry));
  const values = createValueReader(
    job,
    writes.flatMap((one) => (one.desired ? [one.desired] : [])),
  );
  writer.expect?.(writes.filter((one) => one.entry && isOwned(one.entry)).map((one) => one.remoteName));
  const pace = createWritePace(writer.concurrency, () => job.run.now().getTime());
  const options = { concurrency: pace.concurrency, mayStart: () => slice.isOpen() };
  const storing = createBackground();
  try {
    const written = await forEachPooled(writes, options, async (planned) => {
      await writeOne({ ...context, values, storing }, planned);
      pace.noteEnd();
    });
    return written.isComplete;
  } finally {
    await storing.ended();
  }
}

/**
 * Returns when the object is written. Its row is stored together with the intents of the writes
 * that follow, so they do not wait for it; the write counts once it is stored.
 */
async function writeOne(applying: Applying, planned: PlannedEntry): Promise<void> {
  const { job, slice, storing } = applying;
  const { desired } = planned;
  if (!desired) return;
  // Before anything is awaited: other lanes read the count.
  slice.countWrite();
  const entry = (planned.entry && job.ledger.get(planned.entry.id)) ?? makeEntry(job, planned);
  const note = async (result: WriteResult): Promise<void> => {
    if (isStoredLater(result)) await result.stored;
    if (result.kind === 'unchanged' || result.kind === 'invalid' || result.kind === 'deferred') slice.uncountWrite();
    if (result.kind === 'deferred') await storeDeferred(job, entry, result.until);
    slice.note(result);
  };
  const fail = async (raw: unknown): Promise<void> => {
    slice.note(await settleThrown(job, [job.ledger.get(entry.id) ?? entry], toJobError(raw)));
  };
  try {
    const result = await writeEntry(applying, { planned, desired, entry });
    if (isStoredLater(result)) storing.add(note(result).catch(fail));
    else await note(result);
  } catch (raw) {
    await fail(raw);
  }
}

function isStoredLater(result: WriteResult): result is WriteResult & { readonly stored: Promise<void> } {
  return 'stored' in result && result.stored !== undefined;
}

interface Writing {
  readonly planned: PlannedEntry;
  readonly desired: DesiredEntry;
  readonly entry: LedgerEntry;
}

async function writeEntry(
  { job, writer, values }: Applying,
  { planned, desired, entry }: Writing,
): Promise<WriteResult> {
  const read = await values.take(desired);
  // It has left the source since: the change that took it made the sync due again.
  if (!read) return { kind: 'unchanged' };
  if (read.problem) {
    const { code } = read.problem;
    await job.ledger.store(
      refusedNow(job, failed(entry, { code, message: problemMessage(entry, read.problem) }, job.run.now())),
    );
    return { kind: 'invalid' };
  }
  const known = { ...desired, revision: read.revision, fingerprint: read.fingerprint };
  if (
    isOwned(entry) &&
    entry.drift === null &&
    planned.drift === undefined &&
    findChange(known, entry, job.planOptions) === undefined
  ) {
    await job.ledger.store({ ...inOrder(entry), syncedRevision: read.revision, folderId: job.folder.id });
    return { kind: 'unchanged' };
  }
  const task = { ...read, desired: known, planned, entry: { ...entry, connectionId: job.connection.id } };
  const result = await writer.write(task);
  if (isChange(result)) noteRewrite(job, entry, known);
  return result;
}

function isChange({ kind }: WriteResult): boolean {
  return kind === 'created' || kind === 'updated' || kind === 'adopted';
}
