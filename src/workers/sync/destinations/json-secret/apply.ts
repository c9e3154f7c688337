/** From the plan of a JSON secret's keys to its one write, and from the write's result to the rows of the keys. */
import type { SecretsManager } from '../../../../aws/secrets-manager.ts';
import { settingsFor } from '../../../../domain/sync/desired.ts';
import { conflicting, conflictMessage, drifted, failed } from '../../../../domain/sync/entry.ts';
import { newEntry, problemMessage, removed, written } from '../../../../domain/sync/entry.ts';
import { isOfSettings, isOwned, type LedgerEntry, settingsText, WHOLE_SECRET } from '../../../../domain/sync/ledger.ts';
import type { Plan, PlannedEntry } from '../../../../domain/sync/plan.ts';
import { findWhole } from '../../../../domain/sync/plan-document.ts';
import { toJobError } from '../../../../errors.ts';
import { isSettledInRound, isWrite, noteRewrite } from '../../apply.ts';
import type { Applied } from '../destination.ts';
import { refusedNow, type WriteResult } from '../journal.ts';
import { keyEntry } from './rows.ts';
import type { DocumentWrite, KeyWrite } from './content.ts';
import { type DocumentResult, writeDocument } from './writes.ts';
import type { Slice } from '../../slice.ts';
import { createValueReader } from '../../values.ts';
import { isHere, type SyncWork } from '../../work.ts';

export interface DocumentApplying {
  readonly work: SyncWork;
  readonly secrets: SecretsManager;
  readonly slice: Slice;
  /** The role may move version stages. */
  readonly canPromote: boolean;
}

const READ_AHEAD = 500;

export async function applyDocument(applying: DocumentApplying, plan: Plan): Promise<Applied> {
  await writeOnce(applying, plan);
  return { isComplete: true, held: [], deletions: deletionsApart(applying.work, plan) };
}

/** Keys that left the document went with its write, unless nothing of it is to stay. */
function deletionsApart(work: SyncWork, plan: Plan): readonly PlannedEntry[] {
  const deletions = plan.entries.filter((one) => one.action === 'delete');
  return work.desired.length > 0 ? deletions.filter((one) => !isInDocument(work, one)) : deletions;
}

/** A secret of the same name in another region or account is another document. */
function isInDocument(work: SyncWork, { remoteName, entry }: PlannedEntry): boolean {
  return remoteName === work.target.namePrefix && entry !== undefined && isHere(work, entry);
}

async function writeOnce(applying: DocumentApplying, plan: Plan): Promise<void> {
  const { work, slice } = applying;
  try {
    const job = await toJob(applying, plan);
    if (!job) return;
    slice.countWrite();
    await storeResult(applying, job, await writeDocument(applying, job));
  } catch (raw) {
    slice.stop(toJobError(raw));
    work.run.log.debug({ err: raw }, 'the JSON secret was not written');
  }
}

/** Undefined when there is nothing to write. */
async function toJob({ work, canPromote }: DocumentApplying, plan: Plan): Promise<DocumentWrite | undefined> {
  const remoteName = work.target.namePrefix;
  const whole = findWhole(work.ledger.all(), { remoteName, options: work.planOptions }) ?? newWhole(work, remoteName);
  const settings = settingsFor({ metadata: {} }, work);
  const wanted = new Set(
    plan.entries.filter((one) => isWrite(one) && !isSettledInRound(work, one)).map((one) => one.key),
  );
  const removals = toRemovals(work, plan);
  const hasLostSettings = work.planOptions.overwritesDrift && isOfSettings(whole.drift);
  const hasNewSettings = isOwned(whole) && (hasLostSettings || settingsText(settings) !== settingsText(whole.settings));
  const isIdle = wanted.size === 0 && removals.length === 0 && !hasNewSettings;
  if (isIdle || work.desired.length === 0 || isSettledInRound(work, { ...noPlan, entry: whole })) return undefined;
  const { keys, unknown } = await readKeys(work, plan, wanted);
  const hasUnknownKeys = unknown.some(isOwned) || hasNewSettings;
  return {
    remoteName,
    whole: { ...whole, connectionId: work.connection.id },
    settings,
    keys,
    removals,
    hasUnknownKeys,
    canPromote,
  };
}

const noPlan: PlannedEntry = { action: 'update', key: WHOLE_SECRET, remoteName: '', reason: '' };

function newWhole(work: SyncWork, remoteName: string): LedgerEntry {
  const origin = {
    id: crypto.randomUUID(),
    syncId: work.sync.id,
    connectionId: work.connection.id,
    folderId: work.folder.id,
    place: work.place,
  };
  return newEntry(origin, { remoteName, key: WHOLE_SECRET, settings: { keyId: null, tags: {} } });
}

function toRemovals(work: SyncWork, plan: Plan): DocumentWrite['removals'] {
  const gone = plan.entries.filter(
    (one) => one.action === 'delete' && isInDocument(work, one) && !isSettledInRound(work, one),
  );
  return gone.flatMap(({ entry }) => (entry ? [{ entry, documentKey: entry.observed.documentKey ?? entry.key }] : []));
}

async function readKeys(
  work: SyncWork,
  plan: Plan,
  wanted: ReadonlySet<string>,
): Promise<{ keys: readonly KeyWrite[]; unknown: readonly LedgerEntry[] }> {
  const all = [...plan.entries, ...plan.unchanged].filter((one) => one.desired !== undefined);
  const reader = createValueReader(
    work,
    all.flatMap((one) => (one.desired ? [one.desired] : [])),
    READ_AHEAD,
  );
  const keys: KeyWrite[] = [];
  const unknown: LedgerEntry[] = [];
  const whole = newWhole(work, work.target.namePrefix);
  for (const { desired, entry: known, action } of all) {
    if (!desired) continue;
    const entry = known ?? keyEntry(work, whole, desired.key);
    const read = action === 'invalid' ? undefined : await reader.take(desired);
    if (read?.problem)
      await work.ledger.store(
        refusedNow(
          work,
          failed(entry, { code: read.problem.code, message: problemMessage(entry, read.problem) }, work.run.now()),
        ),
      );
    if (read && !read.problem)
      keys.push({ ...read, documentKey: desired.documentKey, entry, isWanted: wanted.has(desired.key) });
    else unknown.push(entry);
  }
  return { keys, unknown };
}

async function storeResult(applying: DocumentApplying, job: DocumentWrite, result: DocumentResult): Promise<void> {
  const { work, slice } = applying;
  const now = work.run.now();
  switch (result.kind) {
    case 'written':
      return storeWritten(applying, job, result);
    case 'failed':
    case 'deferred':
      slice.note(result);
      return;
    case 'refused':
      return work.ledger.store(
        refusedNow(work, conflicting(job.whole, conflictMessage(job.whole, result.reason), now)),
      );
    case 'invalid': {
      const problem = { code: 'SYNC_ENTRY_INVALID' as const, message: result.reason };
      return work.ledger.store(
        refusedNow(work, failed(job.whole, { code: problem.code, message: problemMessage(job.whole, problem) }, now)),
      );
    }
    case 'drifted':
      return work.ledger.store(refusedNow(work, drifted(job.whole, result.drift, now)));
  }
}

async function storeWritten(
  { work, slice }: DocumentApplying,
  job: DocumentWrite,
  result: Extract<DocumentResult, { kind: 'written' }>,
): Promise<void> {
  const version = result.whole.remoteVersion ?? '';
  const rows: LedgerEntry[] = [];
  const note = (kind: WriteResult['kind'] & ('created' | 'updated' | 'adopted' | 'deleted')) => {
    slice.note({ kind });
  };
  for (const key of job.keys) {
    const reason = result.untouched.get(key.documentKey);
    if (reason !== undefined) rows.push(toUntouched(work, key.entry, reason));
    else if (key.isWanted || key.entry.syncedRevision !== key.revision) rows.push(toKeyRow(work, key, version));
    if (reason !== undefined || !key.isWanted) continue;
    note(isOwned(key.entry) ? 'updated' : 'created');
    if (!isRenamed(key)) noteRewrite(work, key.entry, { revision: key.revision, settings: key.entry.settings });
  }
  for (const { entry, documentKey } of job.removals) {
    const reason = result.untouched.get(documentKey);
    rows.push(reason === undefined ? removed(entry, work.run.now()) : toUntouched(work, entry, reason));
    if (reason === undefined) note('deleted');
  }
  // Only tags, key or replicas of the secret were set.
  if (rows.length === 0)
    noteRewrite(work, job.whole, { revision: job.whole.syncedRevision ?? -1, settings: job.settings });
  await work.ledger.storeAll(rows);
  await work.ledger.store(result.whole);
}

function isRenamed({ entry, documentKey }: KeyWrite): boolean {
  return entry.observed.documentKey !== undefined && entry.observed.documentKey !== documentKey;
}

function toKeyRow(work: SyncWork, key: KeyWrite, version: string): LedgerEntry {
  const { fingerprint, revision, entry, documentKey } = key;
  const settings = { keyId: null, tags: {} };
  const by = {
    version,
    fingerprint,
    revision,
    settings,
    folderId: work.folder.id,
    observed: { documentKey },
    at: work.run.now(),
  };
  return { ...written(entry, by), isClaim: false };
}

function toUntouched(work: SyncWork, entry: LedgerEntry, reason: 'foreign' | 'changed' | 'missing'): LedgerEntry {
  const now = work.run.now();
  if (reason !== 'foreign') return refusedNow(work, drifted(entry, reason, now));
  return refusedNow(
    work,
    conflicting(entry, conflictMessage(entry, 'is a key in the secret that this sync did not write'), now),
  );
}
