/**
 * Writing one parameter. AWS has no conditional overwrite: AWS refuses a create when the name is
 * taken; an overwrite is preceded by a read of owner, version and type, and only the time between
 * that read and the write is open to a race. The type is sent with every write, so that no race
 * leaves a value in a plain String.
 */
import type { WrittenParameter } from '../../../../aws/parameter-store.ts';
import { defined } from '../../../../domain/defined.ts';
import { isOurs, missingTags, tagsWithOwner, whoseTags } from '../../../../domain/ownership.ts';
import { inOrder, written } from '../../../../domain/sync/entry.ts';
import { findDrift, isFresh, isOursByTag, type RemoteState } from '../../../../domain/sync/inventory.ts';
import { type DriftKind, isOwned, type LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { OWNERSHIP_LOST } from '../../../../domain/sync/plan.ts';
import { findTakeoverProblem, leftTags } from '../../../../domain/sync/takeover.ts';
import { type JobError, toJobError } from '../../../../errors.ts';
import type { WriteTask } from '../apply-each.ts';
import {
  attempt,
  awsErrorOf,
  deferFresh,
  NAME_CONTRADICTION,
  refuse,
  reportDrift,
  settleFailure,
  waitForName,
  type WriteResult,
} from '../journal.ts';
import { withFormerOwner } from '../../former-owners.ts';
import { deleteParameters } from './removal.ts';
import { type LookContext, type ParameterLooks, toState } from './looks.ts';
import { fingerprintOf } from '../../values.ts';
import { lookOf, type SyncJob } from '../../job.ts';

export interface ParameterContext extends LookContext {
  readonly looks: ParameterLooks;
}

/** How long AWS asks to wait between deletion and re-creation of a name. */
const RECREATE_AFTER_MS = 30_000;

export async function writeParameter(context: ParameterContext, task: WriteTask): Promise<WriteResult> {
  return isOwned(task.entry) ? updateParameter(context, task) : createParameter(context, task);
}

async function createParameter(context: ParameterContext, task: WriteTask): Promise<WriteResult> {
  const { job, store } = context;
  const { desired, entry } = task;
  const until = (entry.deletedAt?.getTime() ?? 0) + RECREATE_AFTER_MS;
  if (until > job.run.now().getTime()) return { kind: 'deferred', until: new Date(until) };
  const tags = tagsWithOwner(desired.settings.tags, job.owner);
  const tried = await attempt(job, { entry, inFlight: toInFlight(task, 'create', null) }, () =>
    store.create({ ...toWrite(task), tags }),
  );
  if (tried.result) return tried.result;
  if (!tried.error) {
    return { kind: 'created', stored: job.ledger.store(toWritten(job, task, tried.answer)) };
  }
  if (awsErrorOf(tried.error) === 'ParameterAlreadyExists') return takeOver(context, task, tried.pending);
  if (awsErrorOf(tried.error) === 'TooManyUpdates')
    return waitForName(job, entry, 'AWS says that the name is busy, and never lets it be created');
  return settleFailure(job, { before: entry, pending: tried.pending }, tried.error);
}

function toWrite({ desired, value }: WriteTask) {
  return { name: desired.remoteName, value, keyId: desired.settings.keyId, tier: desired.settings.tier ?? 'standard' };
}

function toInFlight(task: WriteTask, operation: 'create' | 'update' | 'adopt', baseVersion: string | null) {
  const { fingerprint, revision, desired } = task;
  return { operation, baseVersion, fingerprint, revision, settings: desired.settings };
}

/** The name is taken: owned by its tag, free to be taken over, or a conflict. */
async function takeOver(context: ParameterContext, task: WriteTask, pending: LedgerEntry): Promise<WriteResult> {
  const { job, store } = context;
  const { remoteName } = task.desired;
  try {
    const metadata = (await store.inspect([remoteName])).get(remoteName);
    if (!metadata) return await waitForName(job, task.entry, NAME_CONTRADICTION);
    const tags = await store.tagsOf(remoteName);
    const state = await withFormerOwner(job, remoteName, { ...toState(metadata), tags });
    const refusal = findTakeoverProblem(state, job.planOptions, task.entry);
    if (refusal !== undefined) return await refuse(job, task.entry, refusal);
    return await overwrite(context, task, {
      base: metadata.version,
      kind: 'adopted',
      // The ownership tag comes first: where it may not be set, nothing is overwritten either.
      marks: isOurs(whoseTags(tags, job.owner)) ? {} : tagsWithOwner(task.desired.settings.tags, job.owner),
      unmarked: Object.keys(leftTags(state)).filter((key) => !(key in task.desired.settings.tags)),
    });
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code === 'AWS_NOT_FOUND') return waitForName(job, task.entry, NAME_CONTRADICTION);
    if (error.code === 'AWS_ACCESS_DENIED')
      return refuse(job, task.entry, 'exists, and without ssm:ListTagsForResource keyferry cannot read its owner');
    return settleFailure(job, { before: task.entry, pending }, error);
  }
}

async function updateParameter(context: ParameterContext, task: WriteTask): Promise<WriteResult> {
  const { job } = context;
  const { entry, desired } = task;
  const state = await context.looks.look(desired.remoteName);
  if (isOursByTag(state, job.owner) === false && isFresh(entry, job.run.now())) return deferFresh(job, entry);
  const drift = findDrift(entry, state, lookOf(job));
  if (drift) return updateDrifted(context, task, { drift, state });
  const tagging = await changeTags(context, task);
  if (tagging) return tagging;
  if (needsNewVersion(job, task)) return overwrite(context, task, { base: entry.remoteVersion ?? '', kind: 'updated' });
  const { fingerprint, revision } = task;
  await job.ledger.store({
    ...inOrder(entry),
    settings: desired.settings,
    fingerprint,
    syncedRevision: revision,
    folderId: job.folder.id,
  });
  return { kind: 'updated' };
}

async function updateDrifted(
  context: ParameterContext,
  task: WriteTask,
  found: { drift: DriftKind; state: RemoteState },
): Promise<WriteResult> {
  const { job } = context;
  const { drift, state } = found;
  if (drift === 'foreign') return refuse(job, task.entry, OWNERSHIP_LOST);
  if (!job.planOptions.overwritesDrift) return reportDrift(job, task.entry, drift);
  if (!state.exists) return createParameter(context, task);
  if (drift === 'type') return recreate(context, task);
  const tagging = await changeTags(context, task);
  return tagging ?? overwrite(context, task, { base: state.version, kind: 'updated' });
}

/**
 * Whether AWS turns a String into a SecureString is not documented consistently; deleting and
 * creating always works.
 */
async function recreate(context: ParameterContext, task: WriteTask): Promise<WriteResult> {
  const [deleted] = await deleteParameters(context, [task.entry]);
  if (deleted?.kind !== 'deleted') return deleted ?? { kind: 'unchanged' };
  const entry = context.job.ledger.get(task.entry.id) ?? task.entry;
  return createParameter(context, { ...task, entry });
}

/** Tags alone are changed without a new version. */
function needsNewVersion(job: SyncJob, task: WriteTask): boolean {
  const { entry, desired } = task;
  if (desired.settings.keyId !== entry.settings.keyId || desired.settings.tier !== entry.settings.tier) return true;
  return fingerprintOf(job, desired, { value: task.value, settings: entry.settings }) !== entry.fingerprint;
}

interface Overwriting {
  readonly base: string;
  readonly kind: 'updated' | 'adopted';
  /** Tags to set before the value. */
  readonly marks?: Readonly<Record<string, string>>;
  /** Keys of tags to take away before it. */
  readonly unmarked?: readonly string[];
}

/**
 * Journals the intent before the tag is set: a parameter with the tag but without the value is
 * never taken for done.
 */
async function overwrite(context: ParameterContext, task: WriteTask, how: Overwriting): Promise<WriteResult> {
  const { job } = context;
  const { entry } = task;
  const operation = how.kind === 'adopted' ? 'adopt' : 'update';
  const tried = await attempt(job, { entry, inFlight: toInFlight(task, operation, how.base) }, () =>
    markAndOverwrite(context, task, how),
  );
  if (tried.result) return tried.result;
  if (tried.error) return settleOverwrite(context, task, { pending: tried.pending, error: tried.error });
  if (Number(tried.answer.version) !== Number(how.base) + 1) {
    job.run.log.warn(
      { key: task.desired.key, remoteName: task.desired.remoteName },
      'another client wrote the parameter at the same time',
    );
  }
  const row = toWritten(job, task, tried.answer);
  const stored = job.ledger.store(row);
  if (tried.answer.version !== '1') return { kind: how.kind, stored };
  await stored;
  return (await tagCreated(context, task, row)) ?? { kind: how.kind };
}

async function markAndOverwrite(
  { store }: ParameterContext,
  task: WriteTask,
  { marks = {}, unmarked = [] }: Overwriting,
): Promise<WrittenParameter> {
  if (Object.keys(marks).length > 0) await store.addTags(task.desired.remoteName, marks);
  if (unmarked.length > 0) await store.removeTags(task.desired.remoteName, unmarked);
  return store.overwrite(toWrite(task));
}

/** The parameter was deleted since it was read, so the overwrite has created it without any tag. */
async function tagCreated(
  { job, store }: ParameterContext,
  { desired }: WriteTask,
  row: LedgerEntry,
): Promise<WriteResult | undefined> {
  try {
    await store.addTags(desired.remoteName, tagsWithOwner(desired.settings.tags, job.owner));
    return undefined;
  } catch (raw) {
    return settleFailure(job, { before: row, pending: row }, toJobError(raw));
  }
}

/** AWS's answer for a parameter that was deleted, or changed its type, since it was read. */
const changedSinceLook = new Set<unknown>(['TooManyUpdates', 'HierarchyTypeMismatchException']);

async function settleOverwrite(
  context: ParameterContext,
  task: WriteTask,
  lost: { pending: LedgerEntry; error: JobError },
): Promise<WriteResult> {
  const { pending, error } = lost;
  const { remoteName } = task.desired;
  if (isOwned(task.entry) && changedSinceLook.has(awsErrorOf(error))) {
    context.looks.forget(remoteName);
    const state = await context.looks.look(remoteName);
    const drift = findDrift(task.entry, state, lookOf(context.job));
    if (drift === 'missing' || drift === 'type' || drift === 'foreign')
      return updateDrifted(context, task, { drift, state });
  }
  return settleFailure(context.job, { before: task.entry, pending }, error);
}

function toWritten(job: SyncJob, task: WriteTask, answer: WrittenParameter): LedgerEntry {
  const { fingerprint, revision, desired, entry } = task;
  const { tier, answeredAt } = answer;
  const at = job.run.now();
  const observed = {
    ...defined({ tier }),
    ...(answeredAt === undefined ? {} : { clockAheadMs: answeredAt.getTime() - at.getTime() }),
  };
  return written(entry, {
    version: answer.version,
    fingerprint,
    revision,
    settings: desired.settings,
    folderId: job.folder.id,
    observed,
    at,
  });
}

/**
 * Tags go first: they make no version, setting them twice does no harm, and a write that landed
 * then means that all of it did. Undefined when they are as they should be.
 */
async function changeTags(
  { job, store }: ParameterContext,
  { desired, entry }: WriteTask,
): Promise<WriteResult | undefined> {
  const before = entry.settings.tags;
  const added = missingTags(desired.settings.tags, tagsWithOwner(before, job.owner), job.owner);
  // Only what we had set ourselves is ever taken away.
  const dropped = Object.keys(before).filter((key) => !(key in desired.settings.tags));
  try {
    if (Object.keys(added).length > 0) await store.addTags(desired.remoteName, added);
    if (dropped.length > 0) await store.removeTags(desired.remoteName, dropped);
    return undefined;
  } catch (raw) {
    return settleFailure(job, { before: entry, pending: entry }, toJobError(raw));
  }
}
