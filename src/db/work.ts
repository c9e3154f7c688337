/**
 * The engine's statements: dispatch what is due, claim a run, renew its lease, settle it. Each is one statement, so that a crash between any
 * two leaves a state from which the next tick goes on. Nothing here knows what a run does.
 *
 *   due ── dispatch (lease 60 s) ──► queued ── claim (run lease 30 s, token) ──► running ── settle ──► due later
 *    ▲                                 │ lease runs out                            │ lease runs out
 *    └─────────────────────────────────┴───────────────────────────────────────────┘
 */
import type { Kind } from '../domain/run.ts';
import { claim, renew } from './claim.ts';
import type { Database } from './client.ts';
import { dispatchDue, undispatch } from './dispatch.ts';
import { settle, type Settlement } from './settle.ts';
import { dispatchRequest, recordWish, type NamedRequest, type OutsideWish } from './wishes.ts';

export type Work = ReturnType<typeof createWork>;

export function createWork(db: Database) {
  return {
    dispatchDue: (kind: Kind, limit: number) => dispatchDue(db, kind, limit),
    claim: <K extends Kind>(kind: K, input: { subjectId: string; runId: string; jobId: string | undefined }) =>
      claim(db, kind, input),
    renew: (kind: Kind, subjectId: string, runId: string) => renew(db, kind, { subjectId, runId }),
    settle: <K extends Kind>(settlement: Settlement<K>) => settle(db, settlement),
    recordWish: (wish: OutsideWish) => recordWish(db, wish),
    dispatchRequest: (request: NamedRequest) => dispatchRequest(db, request),
    undispatch: (kind: Kind, ids: readonly string[]) => undispatch(db, kind, ids),
  };
}
