/**
 * Removes keys from a JSON secret, and the secret itself when this sync created it and nothing else
 * is in it.
 */
import { OWNERSHIP_TAG } from '../../../../domain/ownership.ts';
import { changeDocument, memberValue, parseDocument, printDocument } from '../../../../domain/sync/document.ts';
import { removed, written } from '../../../../domain/sync/entry.ts';
import { findDrift, isFresh } from '../../../../domain/sync/inventory.ts';
import { isOwned, type LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { OWNERSHIP_LOST } from '../../../../domain/sync/plan.ts';
import { toJobError } from '../../../../errors.ts';
import { attempt, deferFresh, refuse, reportDrift, settleFailure, type WriteResult } from '../journal.ts';
import { isAsWritten } from './content.ts';
import { documentKeyIn, keysOf, storeRemoved } from './rows.ts';
import type { DocumentContext } from './result.ts';
import { toState } from '../secrets-manager/writes.ts';
import { removeSecret } from '../secrets-manager/destination.ts';
import { lookOf, type SyncJob } from '../../job.ts';

/**
 * Removes the sync's keys; the secret itself is deleted only if the sync created it and nothing
 * else is in it.
 */
export async function removeKeys(
  context: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly WriteResult[]> {
  const { job, secrets } = context;
  const found = await secrets.describe(whole.remoteName);
  if (!found && isFresh(whole, job.run.now())) return keys.map(() => deferFresh(job, whole));
  if (!found || found.deletionScheduledAt) {
    await storeRemoved(job, whole);
    return keys.map(() => ({ kind: 'deleted' }));
  }
  const drift = findDrift(whole, toState(found), lookOf(job));
  if (drift === 'foreign') return [await refuse(job, whole, OWNERSHIP_LOST)];
  const isAll = keysOf(job, whole).filter(isOwned).length === keys.length;
  const isOnlyOurs =
    whole.observed.isCreated === true && whole.observed.hasForeignKeys === false && drift === undefined;
  if (isAll && isOnlyOurs) return removeWhole(context, whole, keys);
  return keys.length > 0 ? stripKeys(context, whole, keys) : release(context, whole);
}

async function removeWhole(
  context: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly WriteResult[]> {
  const result = await removeSecret(context, whole);
  if (result.kind !== 'deleted') return [result];
  await storeRemoved(context.job, context.job.ledger.get(whole.id) ?? whole);
  return keys.map(() => ({ kind: 'deleted' }));
}

async function stripKeys(
  context: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly WriteResult[]> {
  const { job, secrets } = context;
  const value = await secrets.value(whole.remoteName);
  const document = value?.text === undefined ? undefined : parseDocument(value.text);
  if (!value || !document) return [await refuse(job, whole, 'does not hold a JSON object any more')];
  const kept = keys.filter(
    (entry) =>
      !job.planOptions.overwritesDrift && isChanged(job, entry, memberValue(document, documentKeyIn(job, entry))),
  );
  const doomed = keys.filter((entry) => !kept.includes(entry));
  const rest = changeDocument(document, {
    set: new Map(),
    remove: new Set(doomed.map((entry) => documentKeyIn(job, entry))),
  });
  const reports = await Promise.all(kept.map((entry) => reportDrift(job, entry, 'changed')));
  if (rest.size === 0 && whole.observed.isCreated === true)
    return [...reports, ...(await removeWhole(context, whole, doomed))];
  const removedKeys = Object.fromEntries(doomed.map((entry) => [entry.key, null]));
  const token = crypto.randomUUID();
  const inFlight = {
    operation: 'update' as const,
    baseVersion: value.version,
    token,
    settings: whole.settings,
    keys: removedKeys,
  };
  const tried = await attempt(job, { entry: whole, inFlight }, () =>
    secrets.update({ name: whole.remoteName, token, value: printDocument(rest) }),
  );
  if (tried.result) return [tried.result];
  if (tried.error) return [await settleFailure(job, { before: whole, pending: tried.pending }, tried.error)];
  await storeStripped(context, {
    whole,
    doomed,
    version: token,
    isEmptied: doomed.length === keysOf(job, whole).filter(isOwned).length,
  });
  return [...reports, ...doomed.map((): WriteResult => ({ kind: 'deleted' }))];
}

interface Stripped {
  readonly whole: LedgerEntry;
  readonly doomed: readonly LedgerEntry[];
  readonly version: string;
  /** No key of the sync is left: the secret is given up. */
  readonly isEmptied: boolean;
}

async function storeStripped(context: DocumentContext, { whole, doomed, version, isEmptied }: Stripped): Promise<void> {
  const { job } = context;
  const now = job.run.now();
  const { settings } = whole;
  const kept = written(whole, {
    version,
    fingerprint: '',
    revision: job.folder.revision,
    settings,
    folderId: job.folder.id,
    at: now,
  });
  await job.ledger.storeAll(doomed.map((entry) => removed(entry, now)));
  if (isEmptied) await release(context, kept);
  else await job.ledger.store(kept);
}

/** Gives up a secret that holds no key of this sync any more: other syncs may take it over. */
async function release({ job, secrets }: DocumentContext, whole: LedgerEntry): Promise<readonly WriteResult[]> {
  await job.ledger.store(removed(whole, job.run.now()));
  try {
    await secrets.removeTags(whole.remoteName, [OWNERSHIP_TAG, ...Object.keys(whole.settings.tags)]);
  } catch (raw) {
    job.run.log.warn({ err: toJobError(raw), remoteName: whole.remoteName }, 'the tags of the secret were not removed');
  }
  return [];
}

function isChanged(job: SyncJob, entry: LedgerEntry, value: string | undefined): boolean {
  return value !== undefined && !isAsWritten(job, entry, value);
}
