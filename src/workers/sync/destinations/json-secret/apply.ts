/**
 * From the plan of a JSON secret's keys to its one write, and from the write's result to the rows
 * of the keys.
 */
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
import type { DocumentResult } from './result.ts';
import { writeDocument } from './writes.ts';
import type { Slice } from '../../slice.ts';
import { createValueReader } from '../../values.ts';
import { isHere, type SyncJob } from '../../job.ts';

export interface DocumentApplying {
  readonly job: SyncJob;
  readonly secrets: SecretsManager;
  readonly slice: Slice;
  /** The role may move version stages. */
  readonly canPromote: boolean;
}

const READ_AHEAD = 500;

export async function applyDocument(applying: DocumentApplying, plan: Plan): Promise<Applied> {
  await writeOnce(applying, plan);
  return { isComplete: true, held: [], deletions: deletionsApart(applying.job, plan) };
}

/** Keys that left the document went with its write, unless nothing of it is to stay. */
function deletionsApart(job: SyncJob, plan: Plan): readonly PlannedEntry[] {
  const deletions = plan.entries.filter((one) => one.action === 'delete');
  return job.desired.length > 0 ? deletions.filter((one) => !isInDocument(job, one)) : deletions;
}

/** A secret of the same name in another region or account is another document. */
function isInDocument(job: SyncJob, { remoteName, entry }: PlannedEntry): boolean {
  return remoteName === job.target.namePrefix && entry !== undefined && isHere(job, entry);
}

async function writeOnce(applying: DocumentApplying, plan: Plan): Promise<void> {
  const { job, slice } = applying;
  try {
    const writing = await toWriting(applying, plan);
    if (!writing) return;
    slice.countWrite();
    await storeResult(applying, writing, await writeDocument(applying, writing));
  } catch (raw) {
    slice.stop(toJobError(raw));
    job.run.log.debug({ err: raw }, 'the JSON secret was not written');
  }
}

/** Undefined when there is nothing to write. */
async function toWriting({ job, canPromote }: DocumentApplying, plan: Plan): Promise<DocumentWrite | undefined> {
  const remoteName = job.target.namePrefix;
  const whole = findWhole(job.ledger.all(), { remoteName, options: job.planOptions }) ?? newWhole(job, remoteName);
  const settings = settingsFor({ metadata: {} }, job);
  const wanted = new Set(
    plan.entries.filter((one) => isWrite(one) && !isSettledInRound(job, one)).map((one) => one.key),
  );
  const removals = toRemovals(job, plan);
  const hasLostSettings = job.planOptions.overwritesDrift && isOfSettings(whole.drift);
  const hasNewSettings = isOwned(whole) && (hasLostSettings || settingsText(settings) !== settingsText(whole.settings));
  const isIdle = wanted.size === 0 && removals.length === 0 && !hasNewSettings;
  if (isIdle || job.desired.length === 0 || isSettledInRound(job, { ...noPlan, entry: whole })) return undefined;
  const { keys, unknown } = await readKeys(job, plan, wanted);
  const hasUnknownKeys = unknown.some(isOwned) || hasNewSettings;
  return {
    remoteName,
    whole: { ...whole, connectionId: job.connection.id },
    settings,
    keys,
    removals,
    hasUnknownKeys,
    canPromote,
  };
}

const noPlan: PlannedEntry = { action: 'update', key: WHOLE_SECRET, remoteName: '', reason: '' };

function newWhole(job: SyncJob, remoteName: string): LedgerEntry {
  const origin = {
    id: crypto.randomUUID(),
    syncId: job.sync.id,
    connectionId: job.connection.id,
    folderId: job.folder.id,
    place: job.place,
  };
  return newEntry(origin, { remoteName, key: WHOLE_SECRET, settings: { keyId: null, tags: {} } });
}

function toRemovals(job: SyncJob, plan: Plan): DocumentWrite['removals'] {
  const gone = plan.entries.filter(
    (one) => one.action === 'delete' && isInDocument(job, one) && !isSettledInRound(job, one),
  );
  return gone.flatMap(({ entry }) => (entry ? [{ entry, documentKey: entry.observed.documentKey ?? entry.key }] : []));
}

async function readKeys(
  job: SyncJob,
  plan: Plan,
  wanted: ReadonlySet<string>,
): Promise<{ keys: readonly KeyWrite[]; unknown: readonly LedgerEntry[] }> {
  const all = [...plan.entries, ...plan.unchanged].filter((one) => one.desired !== undefined);
  const reader = createValueReader(
    job,
    all.flatMap((one) => (one.desired ? [one.desired] : [])),
    READ_AHEAD,
  );
  const keys: KeyWrite[] = [];
  const unknown: LedgerEntry[] = [];
  const whole = newWhole(job, job.target.namePrefix);
  for (const { desired, entry: known, action } of all) {
    if (!desired) continue;
    const entry = known ?? keyEntry(job, whole, desired.key);
    const read = action === 'invalid' ? undefined : await reader.take(desired);
    if (read?.problem)
      await job.ledger.store(
        refusedNow(
          job,
          failed(entry, { code: read.problem.code, message: problemMessage(entry, read.problem) }, job.run.now()),
        ),
      );
    if (read && !read.problem)
      keys.push({ ...read, documentKey: desired.documentKey, entry, isWanted: wanted.has(desired.key) });
    else unknown.push(entry);
  }
  return { keys, unknown };
}

async function storeResult(applying: DocumentApplying, writing: DocumentWrite, result: DocumentResult): Promise<void> {
  const { job, slice } = applying;
  const now = job.run.now();
  switch (result.kind) {
    case 'written':
      return storeWritten(applying, writing, result);
    case 'failed':
    case 'deferred':
      slice.note(result);
      return;
    case 'refused':
      return job.ledger.store(
        refusedNow(job, conflicting(writing.whole, conflictMessage(writing.whole, result.reason), now)),
      );
    case 'invalid': {
      const problem = { code: 'SYNC_ENTRY_INVALID' as const, message: result.reason };
      return job.ledger.store(
        refusedNow(
          job,
          failed(writing.whole, { code: problem.code, message: problemMessage(writing.whole, problem) }, now),
        ),
      );
    }
    case 'drifted':
      return job.ledger.store(refusedNow(job, drifted(writing.whole, result.drift, now)));
  }
}

async function storeWritten(
  { job, slice }: DocumentApplying,
  writing: DocumentWrite,
  result: Extract<DocumentResult, { kind: 'written' }>,
): Promise<void> {
  const version = result.whole.remoteVersion ?? '';
  const rows: LedgerEntry[] = [];
  const note = (kind: WriteResult['kind'] & ('created' | 'updated' | 'adopted' | 'deleted')) => {
    slice.note({ kind });
  };
  for (const key of writing.keys) {
    const reason = result.untouched.get(key.documentKey);
    if (reason !== undefined) rows.push(toUntouched(job, key.entry, reason));
    else if (key.isWanted || key.entry.syncedRevision !== key.revision) rows.push(toKeyRow(job, key, version));
    if (reason !== undefined || !key.isWanted) continue;
    note(isOwned(key.entry) ? 'updated' : 'created');
    if (!isRenamed(key)) noteRewrite(job, key.entry, { revision: key.revision, settings: key.entry.settings });
  }
  for (const { entry, documentKey } of writing.removals) {
    const reason = result.untouched.get(documentKey);
    rows.push(reason === undefined ? removed(entry, job.run.now()) : toUntouched(job, entry, reason));
    if (reason === undefined) note('deleted');
  }
  // Only tags, key or replicas of the secret were set.
  if (rows.length === 0)
    noteRewrite(job, writing.whole, { revision: writing.whole.syncedRevision ?? -1, settings: writing.settings });
  await job.ledger.storeAll(rows);
  await job.ledger.store(result.whole);
}

function isRenamed({ entry, documentKey }: KeyWrite): boolean {
  return entry.observed.documentKey !== undefined && entry.observed.documentKey !== documentKey;
}

function toKeyRow(job: SyncJob, key: KeyWrite, version: string): LedgerEntry {
  const { fingerprint, revision, entry, documentKey } = key;
  const settings = { keyId: null, tags: {} };
  const by = {
    version,
    fingerprint,
    revision,
    settings,
    folderId: job.folder.id,
    observed: { documentKey },
    at: job.run.now(),
  };
  return { ...written(entry, by), isClaim: false };
}

function toUntouched(job: SyncJob, entry: LedgerEntry, reason: 'foreign' | 'changed' | 'missing'): LedgerEntry {
  const now = job.run.now();
  if (reason !== 'foreign') return refusedNow(job, drifted(entry, reason, now));
  return refusedNow(
    job,
    conflicting(entry, conflictMessage(entry, 'is a key in the secret that this sync did not write'), now),
  );
}
