/**
 * Writing one parameter. AWS has no conditional overwrite: a create is refused by AWS when the name is taken, an update first looks at the version,
 * and only the instant between that look and the write is open to a race.
 */
import type { ParameterMetadata, ParameterStore, WrittenParameter } from '../../aws/parameter-store.ts';
import { isOurs, missingTags, tagsWithOwner, whoseTags } from '../../domain/ownership.ts';
import { inOrder, written } from '../../domain/sync-entry.ts';
import { findDrift, type RemoteState } from '../../domain/sync-inventory.ts';
import { type DriftKind, isOwned, type LedgerEntry } from '../../domain/sync-ledger.ts';
import { findTakeoverProblem } from '../../domain/sync-plan.ts';
import { type JobError, toJobError } from '../../errors.ts';
import {
  attempt,
  awsErrorOf,
  refuse,
  reportDrift,
  settleFailure,
  type WriteResult,
  type WriteTask,
} from './destination.ts';
import { fingerprintOf } from './values.ts';
import { lookOf, type SyncWork } from './work.ts';

export interface ParameterContext {
  readonly work: SyncWork;
  readonly store: ParameterStore;
  /** Joins single looks into calls of ten. */
  look(name: string): Promise<RemoteState>;
}

/** AWS asks for so long between deletion and re-creation of a name. */
const RECREATE_AFTER_MS = 30_000;

export async function writeParameter(context: ParameterContext, task: WriteTask): Promise<WriteResult> {
  return isOwned(task.entry) ? updateParameter(context, task) : createParameter(context, task);
}

async function createParameter(context: ParameterContext, task: WriteTask): Promise<WriteResult> {
  const { work, store } = context;
  const { desired, entry } = task;
  const until = (entry.deletedAt?.getTime() ?? 0) + RECREATE_AFTER_MS;
  if (until > work.run.now().getTime()) return { kind: 'deferred', until: new Date(until) };
  const tags = tagsWithOwner(desired.settings.tags, work.owner);
  const tried = await attempt(work, { entry, inFlight: toInFlight(task, 'create', null) }, () =>
    store.create({ ...toWrite(task), tags }),
  );
  if (tried.result) return tried.result;
  if (!tried.error) {
    await work.ledger.store(toWritten(work, task, tried.answer));
    return { kind: 'created' };
  }
  if (awsErrorOf(tried.error) === 'ParameterAlreadyExists') return takeOver(context, task, tried.pending);
  if (awsErrorOf(tried.error) === 'TooManyUpdates') return defer(work, task, RECREATE_AFTER_MS);
  return settleFailure(work, { before: entry, pending: tried.pending }, tried.error);
}

/** The name is still busy at AWS: nothing was written. */
async function defer(work: SyncWork, task: WriteTask, delayMs: number): Promise<WriteResult> {
  await work.ledger.store({ ...task.entry, inFlight: null, isClaim: false });
  return { kind: 'deferred', until: new Date(work.run.now().getTime() + delayMs) };
}

function toWrite({ desired, value }: WriteTask) {
  return { name: desired.remoteName, value, keyId: desired.settings.keyId, tier: desired.settings.tier ?? 'standard' };
}

function toInFlight(task: WriteTask, operation: 'create' | 'update' | 'adopt', baseVersion: string | null) {
  const { fingerprint, revision, desired } = task;
  return { operation, baseVersion, fingerprint, revision, settings: desired.settings };
}

/** The name is taken: ours by its tag, free to be taken over, or a conflict. */
async function takeOver(context: ParameterContext, task: WriteTask, pending: LedgerEntry): Promise<WriteResult> {
  const { work, store } = context;
  try {
    const [tags, found] = await Promise.all([
      store.tagsOf(task.desired.remoteName),
      store.inspect([task.desired.remoteName]),
    ]);
    const metadata = found.get(task.desired.remoteName);
    if (!metadata) return await defer(work, task, 1_000);
    const isMine = isOurs(whoseTags(tags, work.owner));
    const refusal = isMine
      ? undefined
      : findTakeoverProblem({ exists: true, ...metadata, tags, type: metadata.type ?? '' }, work.planOptions);
    if (refusal !== undefined) return await refuse(work, task.entry, refusal);
    const owned = tagsWithOwner(task.desired.settings.tags, work.owner);
    // The tag comes first: where it may not be set, nothing is overwritten either.
    if (!isMine) await store.addTags(task.desired.remoteName, owned);
    return await overwrite(context, task, { base: metadata.version, kind: 'adopted' });
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code === 'AWS_ACCESS_DENIED')
      return refuse(work, task.entry, 'exists, and whose it is cannot be told without ssm:ListTagsForResource');
    return settleFailure(work, { before: task.entry, pending }, error);
  }
}

async function updateParameter(context: ParameterContext, task: WriteTask): Promise<WriteResult> {
  const { work } = context;
  const { entry, desired } = task;
  const state = await context.look(desired.remoteName);
  const drift = findDrift(entry, state, lookOf(work));
  if (drift) return updateDrifted(context, task, { drift, state });
  const tagging = await changeTags(context, task);
  if (tagging) return tagging;
  if (needsNewVersion(work, task))
    return overwrite(context, task, { base: entry.remoteVersion ?? '', kind: 'updated' });
  const { fingerprint, revision } = task;
  await work.ledger.store({
    ...inOrder(entry),
    settings: desired.settings,
    fingerprint,
    syncedRevision: revision,
    folderId: work.folder.id,
  });
  return { kind: 'updated' };
}

async function updateDrifted(
  context: ParameterContext,
  task: WriteTask,
  found: { drift: DriftKind; state: RemoteState },
): Promise<WriteResult> {
  const { work, store } = context;
  const { drift, state } = found;
  if (!work.planOptions.overwritesDrift) return reportDrift(work, task.entry, drift);
  if (!state.exists) return createParameter(context, task);
  // A version that is not ours may be somebody's new object of the same name: only the tag tells.
  const tags = await store.tagsOf(task.desired.remoteName);
  if (!isOurs(whoseTags(tags, work.owner)))
    return refuse(work, task.entry, 'no longer carries our tag: somebody else took it over');
  const tagging = await changeTags(context, task);
  return tagging ?? overwrite(context, task, { base: state.version, kind: 'updated' });
}

/** Tags alone are changed without a new version. */
function needsNewVersion(work: SyncWork, task: WriteTask): boolean {
  const { entry, desired } = task;
  if (desired.settings.keyId !== entry.settings.keyId || desired.settings.tier !== entry.settings.tier) return true;
  return fingerprintOf(work, desired, { value: task.value, settings: entry.settings }) !== entry.fingerprint;
}

interface Overwriting {
  readonly base: string;
  readonly kind: 'updated' | 'adopted';
}

async function overwrite(context: ParameterContext, task: WriteTask, how: Overwriting): Promise<WriteResult> {
  const { work, store } = context;
  const { entry } = task;
  const operation = how.kind === 'adopted' ? 'adopt' : 'update';
  const tried = await attempt(work, { entry, inFlight: toInFlight(task, operation, how.base) }, () =>
    store.overwrite(toWrite(task)),
  );
  if (tried.result) return tried.result;
  if (tried.error) return settleOverwrite(context, task, { pending: tried.pending, error: tried.error });
  if (Number(tried.answer.version) !== Number(how.base) + 1) {
    work.run.log.warn(
      { key: task.desired.key, remoteName: task.desired.remoteName },
      'somebody else wrote the parameter in the same instant',
    );
  }
  await work.ledger.store(toWritten(work, task, tried.answer));
  return { kind: how.kind };
}

/** AWS refuses to overwrite a parameter that is gone, for want of a type: it was deleted since we looked. */
async function settleOverwrite(
  context: ParameterContext,
  task: WriteTask,
  lost: { pending: LedgerEntry; error: JobError },
): Promise<WriteResult> {
  const { pending, error } = lost;
  if (awsErrorOf(error) === 'ValidationException') {
    const state = await context.look(task.desired.remoteName);
    if (!state.exists) return updateDrifted(context, task, { drift: 'missing', state });
  }
  return settleFailure(context.work, { before: task.entry, pending }, error);
}

function toWritten(work: SyncWork, task: WriteTask, answer: WrittenParameter): LedgerEntry {
  const { fingerprint, revision, desired, entry } = task;
  const { tier, clockAheadMs } = answer;
  const observed = { ...(tier === undefined ? {} : { tier }), ...(clockAheadMs === undefined ? {} : { clockAheadMs }) };
  return written(entry, {
    version: answer.version,
    fingerprint,
    revision,
    settings: desired.settings,
    folderId: work.folder.id,
    observed,
    at: work.run.now(),
  });
}

/**
 * Tags go first: they make no version, setting them twice does no harm, and a write that landed then means that all of it did. Undefined when they are
 * as they should be.
 */
async function changeTags(
  { work, store }: ParameterContext,
  { desired, entry }: WriteTask,
): Promise<WriteResult | undefined> {
  const before = entry.settings.tags;
  const added = missingTags(desired.settings.tags, tagsWithOwner(before, work.owner), work.owner);
  // Only what we had set ourselves is ever taken away.
  const dropped = Object.keys(before).filter((key) => !(key in desired.settings.tags));
  try {
    if (Object.keys(added).length > 0) await store.addTags(desired.remoteName, added);
    if (dropped.length > 0) await store.removeTags(desired.remoteName, dropped);
    return undefined;
  } catch (raw) {
    return settleFailure(work, { before: entry, pending: entry }, toJobError(raw));
  }
}

export function toState(metadata: ParameterMetadata | undefined): RemoteState {
  if (!metadata) return { exists: false };
  const { version, type, lastModified } = metadata;
  return {
    exists: true,
    version,
    ...(type === undefined ? {} : { type }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
}
