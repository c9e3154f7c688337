/**
 * One slice of a sync: how much it may do before it gives up its slot, what it did, and when it
 * must stop early. After 50 writes or 5 seconds the sync queues up behind the others of its
 * account; the ledger remembers where it was. While nothing else waits, it runs for longer, but not
 * for ever: the next slice reads settings and connection again.
 */
import { addChanges, type ChangeCounts, noChanges } from '../../domain/sync/summary.ts';
import type { JobError } from '../../errors.ts';
import type { Run } from '../engine/processor.ts';
import { isOfEntry, type WriteResult } from './destinations/journal.ts';

/** While another subject waits, and while none does. */
const awaited = { maxWrites: 50, maxMs: 5_000 } as const;
const unawaited = { maxWrites: 1_000, maxMs: 30_000 } as const;
/** Stop after this many consecutive refusals: the rest would fail the same way. */
const MAX_REFUSALS = 10;

export interface SliceResult {
  readonly changes: ChangeCounts;
  /** When waiting entries may continue. */
  readonly deferredUntil: Date | undefined;
  /** What ended the slice early. */
  readonly error: JobError | undefined;
  /** When that was: calls that were under way then are waited for. */
  readonly stoppedAt: Date | undefined;
}

export interface Slice {
  isOpen(): boolean;
  countWrite(): void;
  /** Nothing had to be written after all. */
  uncountWrite(): void;
  note(result: WriteResult): void;
  /** Ends the slice; the error decides how the run continues. */
  stop(error: JobError): void;
  /** Throws LEASE_LOST. */
  result(): SliceResult;
}

const counted: Readonly<Partial<Record<WriteResult['kind'], ChangeCounts>>> = {
  created: { ...noChanges, created: 1 },
  updated: { ...noChanges, updated: 1 },
  adopted: { ...noChanges, adopted: 1 },
  deleted: { ...noChanges, deleted: 1 },
};

/** Calls `onTried` after each object with how many the slice has tried. */
export function createSlice(
  run: Pick<Run<'sync'>, 'scope' | 'isCancelled' | 'isAwaited' | 'now'>,
  onTried: (tried: number) => void = () => undefined,
): Slice {
  const beganAtMs = run.now().getTime();
  let writes = 0;
  let refusals = 0;
  let tried = 0;
  let changes = noChanges;
  let deferredUntil: Date | undefined;
  let error: JobError | undefined;
  let stoppedAt: Date | undefined;
  const stop = (reason: JobError) => {
    error ??= reason;
    stoppedAt ??= run.now();
  };
  const hasRoom = () => {
    const { maxWrites, maxMs } = run.isAwaited() ? awaited : unawaited;
    return writes < maxWrites && run.now().getTime() - beganAtMs < maxMs;
  };
  return {
    isOpen: () => error === undefined && !run.scope.signal.aborted && !run.isCancelled() && hasRoom(),
    countWrite: () => {
      writes += 1;
    },
    uncountWrite: () => {
      writes -= 1;
    },
    note(result) {
      if (result.kind !== 'deferred') onTried((tried += 1));
      changes = addChanges(changes, counted[result.kind] ?? noChanges);
      if (result.kind === 'deferred' && (!deferredUntil || result.until < deferredUntil)) deferredUntil = result.until;
      refusals = result.kind === 'failed' ? refusals + 1 : 0;
      if (result.kind === 'failed' && (!isOfEntry(result.error) || refusals >= MAX_REFUSALS)) stop(result.error);
    },
    stop,
    result: () => {
      // Another run has taken over: this one may not write any more.
      if (error?.code === 'LEASE_LOST') throw error;
      return { changes, deferredUntil, error, stoppedAt };
    },
  };
}
