/** What a run did, as lists of runs say it. Pure. */
import { counted, describeCounts, formatNumber } from './counted.ts';
import { describeProgress } from './progress.ts';
import { isUnderWay, type RunKind, type RunProgress, type RunStatus } from './run.ts';

interface ListedRun {
  readonly kind: RunKind;
  readonly status: RunStatus;
  readonly counts: object | null;
  readonly progress: RunProgress | null;
  readonly result: unknown;
}

/** Its changes, how far it has come, or what a plan found; empty when there is nothing to say. */
export function happenedIn(run: ListedRun): string {
  if (isUnderWay(run) && run.progress !== null) return describeProgress(run.progress);
  return run.kind === 'plan' ? plannedIn(run.result) : describeCounts(run.counts);
}

function plannedIn(result: unknown): string {
  const { changes, unchanged } = (result ?? {}) as { readonly changes?: unknown; readonly unchanged?: unknown };
  if (!Array.isArray(changes)) return '';
  const rest = typeof unchanged === 'number' && unchanged > 0 ? `, ${formatNumber(unchanged)} unchanged` : '';
  return `${counted(changes.length, 'change')} planned${rest}`;
}
