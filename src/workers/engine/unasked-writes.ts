/** Reports what a run wrote at AWS without a wish on record. */
import { countUnaskedWrites } from '../../domain/unasked-writes.ts';
import type { Kind } from '../../domain/run.ts';
import type { Run } from './processor.ts';

export function unaskedWritesOf(run: Run<Kind>): number {
  const { kind, requestKind, subject } = run;
  if (!('isAutoSyncEnabled' in subject)) return 0;
  return countUnaskedWrites({ kind, requestKind, subject }, run.scope.calls);
}

/** Also of a run that lost its lease: what it wrote stays written. */
export function noteUnaskedWrites(deps: { onUnaskedWrites?(count: number): void }, run: Run<Kind>): void {
  const count = unaskedWritesOf(run);
  if (count === 0) return;
  const { requestKind, reason } = run;
  run.log.error(
    { unaskedWrites: count, awsCalls: run.scope.calls.counts, requestKind, reason },
    'a run changed AWS although nobody asked for it; this is a defect in keyferry, please report it',
  );
  deps.onUnaskedWrites?.(count);
}
