/**
 * Writing a JSON secret: our keys change, those of others stay as they are.
 *
 *   every overwrite begins with a look at whose the secret is, then
 *   nobody else's keys in it, and version stages may be moved → staged and promoted by compare-and-swap, unread (3 calls)
 *   otherwise                                                 → read, merged, and promoted by compare-and-swap where that is allowed;
 *                                                               else UpdateSecret, with a race one call wide
 */
import type { SecretMetadata, SecretsManager, SecretValue } from '../../../../aws/secrets-manager.ts';
import { isOurs, missingTags, tagsWithOwner, whoseTags } from '../../../../domain/ownership.ts';
import { emptyDocument, parseDocument } from '../../../../domain/sync/document.ts';
import { inOrder, written } from '../../../../domain/sync/entry.ts';
import { findDrift, isSameKey } from '../../../../domain/sync/inventory.ts';
import { isOwned, type LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { takeWrite } from '../../../../domain/sync/pace.ts';
import { leftKeys } from '../../../../domain/sync/plan-document.ts';
import { OWNERSHIP_LOST } from '../../../../domain/sync/plan.ts';
import { type Existing, findTakeoverProblem, isLeftAsWritten, leftTags } from '../../../../domain/sync/takeover.ts';
import { JobError, toJobError } from '../../../../errors.ts';
import {
  attempt,
  awsErrorOf,
  NAME_CONTRADICTION,
  settleFailure,
  takeTurn,
  waitForName,
  type WriteResult,
} from '../journal.ts';
import {
  type Base,
  changeOf,
  type DocumentWrite,
  findUntouched,
  hasForeignKeys,
  isEqual,
  nothing,
  print,
  toInFlight,
  toReplacement,
  type Untouched,
} from './content.ts';
import { replicaChanges, toState } from '../secrets-manager/writes.ts';
import { withFormerOwner } from '../../former-owners.ts';
import { lookOf, type SyncWork } from '../../work.ts';

/** What the secret as a whole came to; keys that are somebody else's were left alone. */
export type DocumentResult =
  | {
      readonly kind: 'written';
      /** The row of the secret as a whole, to be stored after those of its keys: until then the write counts as in flight. */
      readonly whole: LedgerEntry;
      readonly untouched: Untouched;
    }
  | { readonly kind: 'drifted'; readonly drift: 'missing' | 'scheduled-for-deletion' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'invalid'; readonly reason: string }
  | Extract<WriteResult, { kind: 'failed' | 'deferred' }>;

export interface DocumentContext {
  readonly work: SyncWork;
  readonly secrets: SecretsManager;
}

export async function writeDocument(context: DocumentContext, job: DocumentWrite): Promise<DocumentResult> {
  try {
    if (isOwned(job.whole)) return await overwriteDocument(context, job);
    return await (job.whole.deletedAt ? restoreDocument(context, job) : createDocumentSecret(context, job));
  } catch (raw) {
    const before = context.work.ledger.get(job.whole.id) ?? job.whole;
    return toFailure(await settleFailure(context.work, { before, pending: before }, toJobError(raw)));
  }
}

/** Whose the secret is, is looked up right before it is written: the ledger may be older than what others did. */
async function overwriteDocument(context: DocumentContext, job: DocumentWrite): Promise<DocumentResult> {
  const { work, secrets } = context;
  const found = await secrets.describe(job.remoteName);
  const drift = findDrift(job.whole, toState(found), lookOf(work));
  if (drift === 'foreign') return { kind: 'refused', reason: OWNERSHIP_LOST };
  if (drift === 'scheduled-for-deletion') {
    return work.planOptions.overwritesDrift ? restoreDocument(context, job) : { kind: 'drifted', drift };
  }
  if (!found) return replaceMissing(context, job);
  const isKnown = found.version === job.whole.remoteVersion && job.whole.observed.hasForeignKeys === false;
  const isBlind =
    isKnown && job.canPromote && !job.hasUnknownKeys && !job.keys.some(({ entry }) => entry.drift !== null);
  if (!isBlind) return mergeDocument(context, job, found);
  const written = await replaceDocument(context, job, { version: found.version, document: emptyDocument });
  // Somebody else has written in between: now it must be read.
  return written.kind === 'failed' && awsErrorOf(written.error) === 'InvalidParameterException'
    ? mergeDocument(context, job, found)
    : written;
}

async function createDocumentSecret(context: DocumentContext, given: DocumentWrite): Promise<DocumentResult> {
  const { work, secrets } = context;
  const job = { ...given, turns: takeTurn(given, 'create') };
  const { text, problem } = print(changeOf(job, emptyDocument, nothing));
  if (problem) return { kind: 'invalid', reason: problem };
  const inFlight = toInFlight(job, 'create', null);
  const { keyId, replicaRegions = [] } = job.settings;
  const tags = tagsWithOwner(job.settings.tags, work.owner);
  const write = { name: job.remoteName, value: text, token: inFlight.token, keyId, tags, replicaRegions };
  const tried = await attempt(work, { entry: job.whole, inFlight }, () => secrets.create(write));
  if (tried.result) return { kind: 'refused', reason: 'is written by another sync' };
  if (!tried.error) return toResult(context, job, { version: inFlight.token, isCreated: true, untouched: nothing });
  const name = awsErrorOf(tried.error);
  if (name === 'ResourceExistsException' || name === 'InvalidRequestException')
    return createTaken(context, job, tried.pending);
  return toFailure(await settleFailure(work, { before: job.whole, pending: tried.pending }, tried.error));
}

/** The name is taken: ours by its tag, free to be taken over with the keys of others in it, or a conflict. */
async function createTaken(
  context: DocumentContext,
  job: DocumentWrite,
  pending: LedgerEntry,
): Promise<DocumentResult> {
  const { work, secrets } = context;
  const found = await secrets.describe(job.remoteName);
  if (!found) return toFailure(await waitForName(work, job.whole, NAME_CONTRADICTION));
  await work.ledger.store({ ...pending, inFlight: null, isClaim: false });
  const state = await withFormerOwner(work, job.remoteName, toState(found));
  const isMine = isOurs(whoseTags(found.tags, work.owner));
  if (found.deletionScheduledAt && isMine) return restoreDocument(context, job);
  if (found.deletionScheduledAt && !isLeftAsWritten(state))
    return { kind: 'refused', reason: 'is scheduled for deletion and is not managed by this sync' };
  const refusal = findTakeoverProblem(state, work.planOptions, job.whole);
  if (refusal !== undefined) return { kind: 'refused', reason: refusal };
  const failed = found.deletionScheduledAt ? await restoreLeft(context, job) : undefined;
  return failed ?? mergeDocument(context, await beginTakeover(work, job, { state, isMine }), found);
}

/** A deleted sync of this folder had scheduled it for deletion. */
async function restoreLeft(
  { work, secrets }: DocumentContext,
  job: DocumentWrite,
): Promise<DocumentResult | undefined> {
  try {
    await secrets.restore(job.remoteName);
    return undefined;
  } catch (raw) {
    const before = { ...job.whole, inFlight: null };
    return toFailure(await settleFailure(work, { before, pending: before }, toJobError(raw)));
  }
}

/** Stored before our tag is set, so that an interrupted takeover goes on, and never counts as our own creation. */
async function beginTakeover(
  work: SyncWork,
  job: DocumentWrite,
  { state, isMine }: { readonly state: Existing; readonly isMine: boolean },
): Promise<DocumentWrite> {
  const { isCreated = isMine && job.whole.observed.wasOurs === true } = job.whole.observed;
  const observed = { ...job.whole.observed, isCreated, wasOurs: true };
  const whole = { ...job.whole, inFlight: null, isClaim: false, observed };
  await work.ledger.store(whole);
  const settings = { keyId: state.keyId ?? null, tags: leftTags(state) };
  return { ...job, whole: { ...whole, settings }, leftKeys: leftKeys(state) };
}

async function restoreDocument(context: DocumentContext, given: DocumentWrite): Promise<DocumentResult> {
  const { work, secrets } = context;
  const job = { ...given, turns: takeTurn(given, 'restore') };
  const { whole } = job;
  const inFlight = { operation: 'restore' as const, baseVersion: whole.remoteVersion };
  const tried = await attempt(work, { entry: whole, inFlight }, () => secrets.restore(job.remoteName));
  if (tried.result) return { kind: 'refused', reason: 'is written by another sync' };
  if (tried.error && awsErrorOf(tried.error) === 'ResourceNotFoundException') {
    return createDocumentSecret(context, { ...job, whole: { ...whole, deletedAt: null, remoteVersion: null } });
  }
  if (tried.error) return toFailure(await settleFailure(work, { before: whole, pending: tried.pending }, tried.error));
  const restored = { ...inOrder(whole), deletedAt: null, isClaim: true };
  await work.ledger.store(restored);
  return overwriteDocument(context, { ...job, whole: restored });
}

/** Reads, merges, writes. */
async function mergeDocument(
  context: DocumentContext,
  job: DocumentWrite,
  known: SecretMetadata,
): Promise<DocumentResult> {
  const base = toBase(known, await context.secrets.value(job.remoteName));
  if (!base)
    return {
      kind: 'invalid',
      reason: 'The secret does not hold a JSON object, so keys cannot be set in it. Empty it or choose another name.',
    };
  await changeSettings(context, job, known);
  return replaceDocument(context, job, base);
}

/** A secret that exists and has no current version is an empty document. Undefined when it holds no JSON object. */
function toBase(known: SecretMetadata, found: SecretValue | undefined): Base | undefined {
  if (!found) return { version: known.version, document: emptyDocument };
  const document = found.text === undefined ? undefined : parseDocument(found.text);
  return document && { version: found.version, document };
}

async function replaceMissing(context: DocumentContext, job: DocumentWrite): Promise<DocumentResult> {
  if (isOwned(job.whole) && !context.work.planOptions.overwritesDrift) return { kind: 'drifted', drift: 'missing' };
  return createDocumentSecret(context, { ...job, whole: { ...job.whole, remoteVersion: null, deletedAt: null } });
}

/** Tags, key and replicas of the secret as a whole; none makes a version. */
async function changeSettings(
  { work, secrets }: DocumentContext,
  job: DocumentWrite,
  known: SecretMetadata,
): Promise<void> {
  const { whole, settings, remoteName } = job;
  const added = missingTags(settings.tags, known.tags, work.owner);
  const dropped = Object.keys(whole.settings.tags).filter((key) => !(key in settings.tags) && key in known.tags);
  if (Object.keys(added).length > 0) await secrets.addTags(remoteName, added);
  if (dropped.length > 0) await secrets.removeTags(remoteName, dropped);
  const replicas = replicaChanges(whole.settings, settings, known);
  if (replicas.added.length > 0) await secrets.replicate(remoteName, replicas.added);
  if (replicas.dropped.length > 0) await secrets.unreplicate(remoteName, replicas.dropped);
  if (!isSameKey(settings.keyId, known.keyId))
    await secrets.update({ name: remoteName, token: crypto.randomUUID(), keyId: settings.keyId });
}

async function replaceDocument(context: DocumentContext, job: DocumentWrite, base: Base): Promise<DocumentResult> {
  const { work } = context;
  const untouched = findUntouched(work, job, base);
  const changed = changeOf(job, base.document, untouched);
  const done = { isCreated: false, untouched, hasForeignKeys: hasForeignKeys(job, changed, untouched) };
  if (base.document.size > 0 && isEqual(base.document, changed))
    return toResult(context, job, { ...done, version: base.version });
  const { text, problem } = print(changed);
  if (problem !== undefined) return { kind: 'invalid', reason: problem };
  const paced = takeWrite(job.whole.pace, work.run.now());
  if ('notBefore' in paced) return { kind: 'deferred', until: paced.notBefore };
  const inFlight = toReplacement(job, base, untouched);
  const tried = await attempt(work, { entry: { ...job.whole, pace: paced.pace }, inFlight }, () =>
    put(context, job, { text, token: inFlight.token, from: base.version }),
  );
  if (tried.result) return { kind: 'refused', reason: 'is written by another sync' };
  if (tried.error)
    return toFailure(await settleFailure(work, { before: job.whole, pending: tried.pending }, tried.error));
  return toResult(context, { ...job, whole: { ...job.whole, pace: paced.pace } }, { ...done, version: inFlight.token });
}

async function put(
  { secrets }: DocumentContext,
  job: DocumentWrite,
  write: { text: string; token: string; from: string },
): Promise<void> {
  const { text, token, from } = write;
  const name = job.remoteName;
  // Nothing is current yet, so there is nothing to compare with.
  if (!job.canPromote || from === '') {
    await secrets.update({ name, token, value: text });
    return;
  }
  await secrets.stage({ name, token, value: text });
  try {
    await secrets.promote({ name, from, to: token });
  } catch (raw) {
    const error = toJobError(raw);
    if (awsErrorOf(error) !== 'InvalidParameterException') throw error;
    throw new JobError('AWS_CONFLICT', { message: error.publicMessage, context: error.context, cause: error });
  }
}

interface Stored {
  readonly version: string;
  readonly isCreated: boolean;
  readonly untouched: Untouched;
  readonly hasForeignKeys?: boolean;
}

function toResult({ work }: DocumentContext, job: DocumentWrite, done: Stored): DocumentResult {
  const { whole, settings } = job;
  const observed = {
    isCreated: done.isCreated || (whole.observed.isCreated ?? false),
    hasForeignKeys: done.hasForeignKeys ?? false,
  };
  const by = {
    version: done.version,
    fingerprint: '',
    revision: work.folder.revision,
    settings,
    folderId: work.folder.id,
    observed,
    at: work.run.now(),
  };
  const row = written({ ...whole, connectionId: work.connection.id }, by);
  return { kind: 'written', whole: row, untouched: done.untouched };
}

function toFailure(result: WriteResult): DocumentResult {
  return result.kind === 'failed' || result.kind === 'deferred'
    ? result
    : { kind: 'refused', reason: 'is not managed by this sync' };
}
