/** Whether a subject is about to change: then its page reloads sooner. Pure. */
import type { LogicalRun } from '../../db/logical-runs.ts';
import { isUnderWay } from '../../domain/run.ts';

export const UNDER_WAY_SECONDS = 2;
/** What has been due for longer waits for a worker, so nothing changes soon. */
const SOON_MS = 120_000;

export function isAboutToChange(
  { nextDueAt }: { readonly nextDueAt: Date | null },
  runs: readonly LogicalRun[],
  now: Date,
): boolean {
  const dueForMs = nextDueAt === null ? -1 : now.getTime() - nextDueAt.getTime();
  return (dueForMs >= 0 && dueForMs < SOON_MS) || runs.some(isUnderWay);
}
