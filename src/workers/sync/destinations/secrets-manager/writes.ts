/**
 * Writing one secret of a one-to-one sync. The token of each write is journalled before the call
 * and becomes the version's id: a lost answer is found again, and repeating the write with the same
 * token makes no second version.
 */
import type { SecretMetadata, SecretsManager } from '../../../../aws/secrets-manager.ts';
import { defined } from '../../../../domain/defined.ts';
import { tagsWithOwner } from '../../../../domain/ownership.ts';
import { inOrder, landed, written } from '../../../../domain/sync/entry.ts';
import { findDrift, type RemoteState } from '../../../../domain/sync/inventory.ts';
import { isSameKey } from '../../../../domain/sync/kms-keys.ts';
import { type InFlight, isOwned, type LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { takeWrite } from '../../../../domain/sync/pace.ts';
import { OWNERSHIP_LOST } from '../../../../domain/sync/plan.ts';
import { beforeCreation, onlyReplicasOf, wantedReplicas } from '../../../../domain/sync/replicas.ts';
import { type Existing, judgeTaken, leftTags } from '../../../../domain/sync/takeover.ts';
import { type JobError, toJobError } from '../../../../errors.ts';
import type { WriteTask } from '../apply-each.ts';
import {
  attempt,
  awsErrorOf,
  NAME_CONTRADICTION,
  refuse,
  reportDrift,
  settleFailure,
  takeTurn,
  waitForName,
  type WriteResult,
} from '../journal.ts';
import { withFormerOwner } from '../../former-owners.ts';
import { asLastWritten } from '../../held-names.ts';
import { fingerprintOf } from '../../values.ts';
import { lookOf, type SyncJob } from '../../job.ts';
import { changeKey, changeReplicas, changeTags, restoreLeft } from './changes.ts';

export interface SecretContext {
  readonly job: SyncJob;
  readonly secrets: SecretsManager;
}

export async function writeSecret(context: SecretContext, task: WriteTask): Promise<WriteResult> {
  if (isOwned(task.entry)) return updateSecret(context, task);
  return task.entry.deletedAt ? restoreSecret(context, task) : createSecret(context, task);
}

function toInFlight(task: WriteTask, operation: InFlight['operation'], baseVersion: string | null) {
  const { entry, fingerprint, revision, desired } = task;
  const { lost } = entry.observed;
  const token = lost?.fingerprint === fingerprint ? lost.token : crypto.randomUUID();
  return { operation, baseVersion, fingerprint, revision, settings: desired.settings, token };
}

async function createSecret(context: SecretContext, given: WriteTask): Promise<WriteResult> {
  const { job, secrets } = context;
  const { desired, value } = given;
  const entry = beforeCreation(given.entry, desired.settings);
  const task = { ...given, entry, turns: takeTurn({ ...desired, ...given }, 'create') };
  const inFlight = toInFlight(task, 'create', null);
  const [tags, replicas] = [tagsWithOwner(desired.settings.tags, job.owner), wantedReplicas(desired.settings)];
  const { keyId } = desired.settings;
  const write = { name: desired.remoteName, value, token: inFlight.token, keyId, tags, replicas };
  const tried = await attempt(job, { entry, inFlight }, () => secrets.create(write));
  if (tried.result) return tried.result;
  if (!tried.error) return store(context, task, { version: inFlight.token, kind: 'created' });
  const name = awsErrorOf(tried.error);
  if (name !== 'ResourceExistsException' && name !== 'InvalidRequestException') {
    return settleFailure(job, { before: given.entry, pending: tried.pending }, tried.error);
  }
  return createTaken(context, { ...task, entry: given.entry }, tried);
}

/** The name is taken, or busy after a deletion. */
async function createTaken(
  context: SecretContext,
  task: WriteTask,
  lost: { pending: LedgerEntry; error: JobError },
): Promise<WriteResult> {
  const { job, secrets } = context;
  const { entry, desired } = task;
  const found = await secrets.describe(desired.remoteName);
  if (!found) return waitForName(job, entry, NAME_CONTRADICTION);
  const token = lost.pending.inFlight?.token ?? '';
  if (found.versions[token]) return storeLanded(job, lost.pending, token);
  const state = await withFormerOwner(job, desired.remoteName, toState(found));
  const taken = judgeTaken(state, job.planOptions, entry);
  if (taken.next === 'refuse') return refuse(job, entry, taken.reason);
  if (taken.next === 'restore')
    return restoreSecret(context, { ...task, entry: { ...entry, remoteVersion: found.version } });
  const failed = taken.isScheduled ? await restoreLeft(context, { name: desired.remoteName, entry }) : undefined;
  return failed ?? adoptSecret(context, task, { found, state });
}

interface Taken {
  readonly found: SecretMetadata;
  readonly state: Existing;
}

async function adoptSecret(context: SecretContext, task: WriteTask, { found, state }: Taken): Promise<WriteResult> {
  // The existing content does not count as written: value, key and tags are all set.
  const entry = {
    ...task.entry,
    remoteVersion: found.version,
    fingerprint: null,
    settings: { keyId: found.keyId, tags: leftTags(state) },
  };
  return change(context, { ...task, entry }, { found, kind: 'adopted', isValueNeeded: true, before: task.entry });
}

async function restoreSecret(context: SecretContext, given: WriteTask): Promise<WriteResult> {
  const { job, secrets } = context;
  const turns = takeTurn({ ...given.desired, ...given }, 'restore');
  const task = { ...given, turns, entry: asLastWritten(job, given.entry) };
  const { entry, desired } = task;
  const inFlight = { operation: 'restore' as const, baseVersion: entry.remoteVersion };
  const tried = await attempt(job, { entry, inFlight }, () => secrets.restore(desired.remoteName));
  if (tried.result) return tried.result;
  // The recovery window is over: the name is free again.
  if (tried.error && awsErrorOf(tried.error) === 'ResourceNotFoundException') {
    return createSecret(context, { ...task, entry: { ...entry, deletedAt: null, remoteVersion: null } });
  }
  if (tried.error) return settleFailure(job, { before: entry, pending: tried.pending }, tried.error);
  const restored = { ...inOrder(entry), deletedAt: null, isClaim: true };
  await job.ledger.store(restored);
  return updateSecret(context, { ...task, entry: restored });
}

async function updateSecret(context: SecretContext, task: WriteTask): Promise<WriteResult> {
  const { job, secrets } = context;
  const { entry, desired, value } = task;
  const found = await secrets.describe(desired.remoteName);
  const expected = onlyReplicasOf(entry, desired.settings.replicaRegions ?? []);
  const drift = findDrift(expected, toState(found), lookOf(job));
  if (drift === 'foreign') return refuse(job, entry, OWNERSHIP_LOST);
  if (drift && !job.planOptions.overwritesDrift) return reportDrift(job, entry, drift);
  if (drift === 'scheduled-for-deletion') return restoreSecret(context, task);
  if (!found || drift === 'missing') return createSecret(context, task);
  const isValueNeeded =
    drift === 'changed' || fingerprintOf(job, desired, { value, settings: entry.settings }) !== entry.fingerprint;
  return change(context, task, { found, kind: 'updated', isValueNeeded, before: entry });
}

interface Change {
  /** As it is at AWS now. */
  readonly found: SecretMetadata;
  readonly kind: 'updated' | 'adopted';
  readonly isValueNeeded: boolean;
  /**
   * What is stored if the change fails early: an adopted secret is ours only once it carries our
   * tag.
   */
  readonly before: LedgerEntry;
}

async function change(context: SecretContext, task: WriteTask, how: Change): Promise<WriteResult> {
  const { job } = context;
  const { desired } = task;
  let { entry } = task;
  const paced = how.isValueNeeded ? takeWrite(entry.pace, job.run.now()) : { pace: entry.pace };
  if ('notBefore' in paced) return { kind: 'deferred', until: paced.notBefore };
  try {
    // None of these makes a version, and setting them twice does no harm: they go first, so that a
    // value that landed means that all of it did.
    const settings = { name: desired.remoteName, entry, wanted: desired.settings, found: how.found };
    await changeTags(context, settings);
    entry = await changeReplicas(context, settings);
    if (!how.isValueNeeded) await changeKey(context, settings);
  } catch (raw) {
    const before = withBegunReplicas(job, how.before);
    return settleFailure(job, { before, pending: before }, toJobError(raw));
  }
  if (!how.isValueNeeded) return store(context, { ...task, entry }, { version: how.found.version, kind: how.kind });
  return writeValue(
    context,
    { ...task, entry: { ...entry, pace: paced.pace } },
    { ...how, isKeyChanged: !isSameKey(desired.settings.keyId, how.found.keyId) },
  );
}

/** With what is stored of the replicas that were begun before the change failed. */
function withBegunReplicas({ ledger }: Pick<SyncJob, 'ledger'>, entry: LedgerEntry): LedgerEntry {
  const { observed, settings } = ledger.get(entry.id) ?? entry;
  if (observed.ownReplicas === undefined) return entry;
  return { ...entry, settings, observed: { ...entry.observed, ownReplicas: observed.ownReplicas } };
}

async function writeValue(
  context: SecretContext,
  task: WriteTask,
  how: Change & { readonly isKeyChanged: boolean },
): Promise<WriteResult> {
  const { job, secrets } = context;
  const { entry, desired, value } = task;
  const inFlight = toInFlight(task, how.kind === 'adopted' ? 'adopt' : 'update', how.found.version);
  const { token } = inFlight;
  const key = how.isKeyChanged ? { keyId: desired.settings.keyId } : {};
  const tried = await attempt(job, { entry, inFlight }, () =>
    secrets.update({ name: desired.remoteName, token, value, ...key }),
  );
  if (tried.result) return tried.result;
  if (!tried.error) return store(context, task, { version: token, kind: how.kind });
  if (tried.error.code !== 'AWS_REJECTED' && tried.error.code !== 'AWS_NOT_FOUND') {
    return settleFailure(job, { before: entry, pending: tried.pending }, tried.error);
  }
  return settleUpdate(context, task, { pending: tried.pending, error: tried.error });
}

/** AWS refused the update: it had arrived before, or the secret was deleted since it was read. */
async function settleUpdate(
  context: SecretContext,
  task: WriteTask,
  lost: { pending: LedgerEntry; error: JobError },
): Promise<WriteResult> {
  const { job, secrets } = context;
  const { entry } = task;
  const token = lost.pending.inFlight?.token ?? '';
  const found = await secrets.describe(task.desired.remoteName);
  if (found?.versions[token]) return storeLanded(job, lost.pending, token);
  if (found && !found.deletionScheduledAt)
    return settleFailure(job, { before: entry, pending: lost.pending }, lost.error);
  const drift = found ? 'scheduled-for-deletion' : 'missing';
  if (!job.planOptions.overwritesDrift) return reportDrift(job, entry, drift);
  return found ? restoreSecret(context, task) : createSecret(context, task);
}

async function storeLanded(
  job: Pick<SyncJob, 'ledger' | 'folder'>,
  pending: LedgerEntry,
  token: string,
): Promise<WriteResult> {
  await job.ledger.store(landed(pending, token, { folderId: job.folder.id }));
  return { kind: pending.inFlight?.operation === 'create' ? 'created' : 'updated' };
}

function store(
  context: SecretContext,
  task: WriteTask,
  done: { version: string; kind: 'created' | 'updated' | 'adopted' },
): WriteResult {
  const { job } = context;
  const { fingerprint, revision, desired, entry } = task;
  const by = {
    version: done.version,
    fingerprint,
    revision,
    settings: desired.settings,
    folderId: job.folder.id,
    at: job.run.now(),
  };
  return { kind: done.kind, stored: job.ledger.store(written(entry, by)) };
}

export function toState(found: SecretMetadata): Extract<RemoteState, { exists: true }>;
export function toState(found: SecretMetadata | undefined): RemoteState;
export function toState(found: SecretMetadata | undefined): RemoteState {
  if (!found) return { exists: false };
  const { version, versions, tags, keyId, deletionScheduledAt, managedBy, replicas } = found;
  return {
    exists: true,
    version,
    versions,
    tags,
    keyId,
    ...defined({ deletionScheduledAt, managedBy, replicas }),
  };
}
