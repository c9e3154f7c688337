/** Deletes parameters, ten a call: each only after a fresh read has shown that it is owned. */
import { removed } from '../../../../domain/sync/entry.ts';
import { findDrift, isFresh, isOursByTag } from '../../../../domain/sync/inventory.ts';
import type { LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { OWNERSHIP_LOST } from '../../../../domain/sync/plan.ts';
import { toJobError } from '../../../../errors.ts';
import { deferFresh, refuse, reportDrift, settleFailure, settleThrown, type WriteResult } from '../journal.ts';
import type { LookContext, ParameterLooks } from './looks.ts';
import { lookOf } from '../../job.ts';

export type RemovalContext = LookContext & { readonly looks: ParameterLooks };

export async function removeParameters(
  context: RemovalContext,
  entries: readonly LedgerEntry[],
): Promise<readonly WriteResult[]> {
  const verdicts = await Promise.all(entries.map((entry) => judgeOrFail(context, entry)));
  const doomed = entries.filter((_, index) => verdicts[index] === undefined);
  const result = await deleteParameters(context, doomed);
  const results = new Map(doomed.map((entry, index) => [entry.id, result[index]]));
  return entries.map((entry, index) => verdicts[index] ?? results.get(entry.id) ?? { kind: 'unchanged' });
}

/** A failed read concerns its own entry only. */
async function judgeOrFail(context: RemovalContext, entry: LedgerEntry): Promise<WriteResult | undefined> {
  try {
    return await judgeRemoval(context, entry);
  } catch (raw) {
    return settleThrown(context.job, [entry], toJobError(raw));
  }
}

/** Undefined: it is owned and there, so it is deleted. */
async function judgeRemoval(context: RemovalContext, entry: LedgerEntry): Promise<WriteResult | undefined> {
  const { job, looks } = context;
  const state = await looks.look(entry.remoteName);
  const isOurs = isOursByTag(state, job.owner);
  if (isOurs !== true && isFresh(entry, job.run.now())) return deferFresh(job, entry);
  if (!state.exists) {
    await job.ledger.store(removed(entry, job.run.now()));
    return { kind: 'deleted' };
  }
  if (isOurs !== true) return refuse(job, entry, OWNERSHIP_LOST);
  const drift = findDrift(entry, state, lookOf(job));
  return drift && !job.planOptions.overwritesDrift ? reportDrift(job, entry, drift) : undefined;
}

export async function deleteParameters(
  { job, store }: LookContext,
  entries: readonly LedgerEntry[],
): Promise<readonly WriteResult[]> {
  if (entries.length === 0) return [];
  const inFlight = {
    operation: 'delete' as const,
    runId: job.run.id,
    at: job.run.now().toISOString(),
    baseVersion: null,
  };
  const pending = entries.map((entry) => ({ ...entry, inFlight: { ...inFlight, baseVersion: entry.remoteVersion } }));
  await job.ledger.storeAll(pending);
  try {
    await store.delete(entries.map((entry) => entry.remoteName));
  } catch (raw) {
    const error = toJobError(raw);
    if (entries.length > 1 && error.code === 'AWS_ACCESS_DENIED') return deleteSingly({ job, store }, entries);
    return Promise.all(
      entries.map((entry, index) => settleFailure(job, { before: entry, pending: pending[index] ?? entry }, error)),
    );
  }
  await job.ledger.storeAll(entries.map((entry) => removed(entry, job.run.now())));
  return entries.map(() => ({ kind: 'deleted' }));
}

/** One name that may not be deleted refuses the whole call; singly, only that one stays. */
async function deleteSingly(context: LookContext, entries: readonly LedgerEntry[]): Promise<readonly WriteResult[]> {
  const results: WriteResult[] = [];
  for (const entry of entries) results.push(...(await deleteParameters(context, [entry])));
  return results;
}
