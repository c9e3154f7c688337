/**
 * The engine's statements: dispatch what is due, claim a run, renew its lease, settle it. Each is
 * one statement, so that a crash between any two leaves a state from which the next tick continues.
 * Nothing here knows what a run does.
 *
 *   due ── dispatch (60 s) ──► queued ── claim (30 s, token) ──► running ── settle ──► due later
 *    ▲                           │ lease runs out                  │ lease runs out
 *    └───────────────────────────┴─────────────────────────────────┘
 */
import type { Kind } from '../../domain/run.ts';
import { claim, renew, type Claim, type Claimed, type ClaimInput } from './claim.ts';
import type { Database } from '../client.ts';
import { dispatchDue, undispatch } from './dispatch.ts';
import { storeCalls, type RunCalls } from './run-calls.ts';
import { settle, shapeOf, type Settlement } from './settle.ts';
import { together } from './together.ts';
import { isOpenRequest, recordWish, type NamedRequest, type OutsideWish } from './wishes.ts';

export type WorkStore = ReturnType<typeof createWork>;

export function createWork(db: Database) {
  const claims = {
    validate: claimTogether(db, 'validate'),
    sync: claimTogether(db, 'sync'),
    rotate: claimTogether(db, 'rotate'),
  };
  const settleOne = settleTogether(db);
  return {
    dispatchDue: (kind: Kind, limit: number) => dispatchDue(db, kind, limit),
    claim: async <K extends Kind>(kind: K, input: ClaimInput) =>
      (await claims[kind](input)).claim as Claim<K> | undefined,
    renew: (kind: Kind, subjectId: string, runId: string) => renew(db, kind, { subjectId, runId }),
    storeCalls: (given: readonly RunCalls[]) => storeCalls(db, given),
    settle: <K extends Kind>(settlement: Settlement<K>) => settleOne(settlement),
    recordWish: (wish: OutsideWish) => recordWish(db, wish),
    isOpenRequest: (request: NamedRequest) => isOpenRequest(db, request),
    undispatch: (kind: Kind, ids: readonly string[]) => undispatch(db, kind, ids),
  };
}

function claimTogether<K extends Kind>(db: Database, kind: K) {
  return together<ClaimInput, Claimed<K>>({
    many: (inputs) => claim(db, kind, { inputs, lock: 'free' }),
    alone: async (input) => (await claim(db, kind, { inputs: [input], lock: 'wait' }))[0],
  });
}

function settleTogether(db: Database) {
  return together<Settlement<Kind>, boolean>({
    many: async (settlements) => {
      const groups = groupBy(settlements, shapeOf).values();
      const settled = await Promise.all([...groups].map((group) => settle(db, { settlements: group, lock: 'free' })));
      return settlements.map(({ runId }) => settled.find((byRun) => byRun.has(runId))?.get(runId));
    },
    alone: async (settlement) => (await settle(db, { settlements: [settlement], lock: 'wait' })).get(settlement.runId),
  });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
