/** What metrics and the tick learn about a settled run. */
import type { CallLog } from '../../domain/call-log.ts';
import type { Kind, Outcome } from '../../domain/run.ts';
import type { Claim } from '../../db/engine/claim.ts';
import type { Run } from './processor.ts';

export interface RunReport {
  readonly kind: Kind;
  readonly runKind: string;
  readonly status: string;
  readonly durationSeconds: number;
  readonly waitSeconds: number | undefined;
  readonly awsCalls: Readonly<Record<string, number>>;
  /** Until the subject is due again as the run says; undefined when it is not. */
  readonly dueInMs: number | undefined;
}

interface Settled {
  readonly kind: Kind;
  readonly outcome: Outcome;
  readonly nextDueAt: Date | null;
}

export function toReport<K extends Kind>(
  { claim, run, startedAtMs }: { readonly claim: Claim<K>; readonly run: Run<K>; readonly startedAtMs: number },
  { kind, outcome, nextDueAt }: Settled,
): RunReport {
  const calls: CallLog['counts'] = run.scope.calls.counts;
  const durationSeconds = (performance.now() - startedAtMs) / 1_000;
  const dueAtMs = claim.dueAt?.getTime();
  return {
    kind,
    runKind: run.kind,
    status: outcome.status === 'retry' ? 'failed' : outcome.status,
    durationSeconds,
    waitSeconds:
      dueAtMs === undefined ? undefined : Math.max(0, (run.now().getTime() - dueAtMs) / 1_000 - durationSeconds),
    awsCalls: calls,
    dueInMs: nextDueAt === null ? undefined : nextDueAt.getTime() - run.now().getTime(),
  };
}
