/**
 * Writes a JSON secret: the sync's keys change, those of others stay as they are.
 *
 *   every overwrite begins with a read of the secret's owner, then
 *   nobody else's keys in it, stages may be moved → staged and promoted by compare-and-swap, unread
 *   otherwise, and stages may be moved            → read, merged, promoted by compare-and-swap
 *   otherwise                                     → read, merged, UpdateSecret: a race of one call
 */
import type { SecretMetadata, SecretValue } from '../../../../aws/secrets-manager.ts';
import { isOurs, tagsWithOwner, whoseTags } from '../../../../domain/ownership.ts';
import { emptyDocument, parseDocument } from '../../../../domain/sync/document.ts';
import { inOrder } from '../../../../domain/sync/entry.ts';
import { findDrift } from '../../../../domain/sync/inventory.ts';
import { isOwned, type LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { takeWrite } from '../../../../domain/sync/pace.ts';
import { leftKeys } from '../../../../domain/sync/plan-document.ts';
import { OWNERSHIP_LOST } from '../../../../domain/sync/plan.ts';
import { beforeCreation, wantedReplicas } from '../../../../domain/sync/replicas.ts';
import { type Existing, judgeTaken, leftTags } from '../../../../domain/sync/takeover.ts';
import { toJobError } from '../../../../errors.ts';
import { attempt, awsErrorOf, NAME_CONTRADICTION, settleFailure, takeTurn, waitForName } from '../journal.ts';
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
} from './content.ts';
import { type DocumentContext, type DocumentResult, toFailure, toResult } from './result.ts';
import { changeKey, changeReplicas, changeTags, restoreLeft } from '../secrets-manager/changes.ts';
import { toState } from '../secrets-manager/writes.ts';
import { withFormerOwner } from '../../former-owners.ts';
import { lookOf, type SyncJob } from '../../job.ts';

export async function writeDocument(context: DocumentContext, writing: DocumentWrite): Promise<DocumentResult> {
  try {
    if (isOwned(writing.whole)) return await overwriteDocument(context, writing);
    return await (writing.whole.deletedAt ? restoreDocument(context, writing) : createDocumentSecret(context, writing));
  } catch (raw) {
    const before = context.job.ledger.get(writing.whole.id) ?? writing.whole;
    return toFailure(await settleFailure(context.job, { before, pending: before }, toJobError(raw)));
  }
}

/** The owner of the secret is read right before it is written: the ledger may be out of date. */
async function overwriteDocument(context: DocumentContext, writing: DocumentWrite): Promise<DocumentResult> {
  const { job, secrets } = context;
  const found = await secrets.describe(writing.remoteName);
  const drift = findDrift(writing.whole, toState(found), lookOf(job));
  if (drift === 'foreign') return { kind: 'refused', reason: OWNERSHIP_LOST };
  if (drift === 'scheduled-for-deletion') {
    return job.planOptions.overwritesDrift ? restoreDocument(context, writing) : { kind: 'drifted', drift };
  }
  if (!found) return replaceMissing(context, writing);
  const isKnown = found.version === writing.whole.remoteVersion && writing.whole.observed.hasForeignKeys === false;
  const isBlind =
    isKnown && writing.canPromote && !writing.hasUnknownKeys && !writing.keys.some(({ entry }) => entry.drift !== null);
  if (!isBlind) return mergeDocument(context, writing, found);
  const written = await replaceDocument(context, writing, { version: found.version, document: emptyDocument });
  // Somebody else has written in between: now it must be read.
  return written.kind === 'failed' && written.error.code === 'AWS_CONFLICT'
    ? mergeDocument(context, writing, found)
    : written;
}

async function createDocumentSecret(context: DocumentContext, given: DocumentWrite): Promise<DocumentResult> {
  const { job, secrets } = context;
  const writing = { ...given, turns: takeTurn(given, 'create') };
  const { text, problem } = print(changeOf(writing, emptyDocument, nothing));
  if (problem) return { kind: 'invalid', reason: problem };
  const inFlight = toInFlight(writing, 'create', null);
  const { keyId } = writing.settings;
  const [tags, replicas] = [tagsWithOwner(writing.settings.tags, job.owner), wantedReplicas(writing.settings)];
  const write = { name: writing.remoteName, value: text, token: inFlight.token, keyId, tags, replicas };
  const whole = beforeCreation(writing.whole, writing.settings);
  const tried = await attempt(job, { entry: whole, inFlight }, () => secrets.create(write));
  if (tried.result) return { kind: 'refused', reason: 'is written by another sync' };
  const created = { version: inFlight.token, isCreated: true, untouched: nothing };
  if (!tried.error) return toResult(context, { ...writing, whole }, created);
  const name = awsErrorOf(tried.error);
  if (name === 'ResourceExistsException' || name === 'InvalidRequestException')
    return createTaken(context, writing, tried.pending);
  return toFailure(await settleFailure(job, { before: writing.whole, pending: tried.pending }, tried.error));
}

/**
 * The name is taken: owned by its tag, free to be taken over with the keys of others in it, or a
 * conflict.
 */
async function createTaken(
  context: DocumentContext,
  writing: DocumentWrite,
  pending: LedgerEntry,
): Promise<DocumentResult> {
  const { job, secrets } = context;
  const found = await secrets.describe(writing.remoteName);
  if (!found) return toFailure(await waitForName(job, writing.whole, NAME_CONTRADICTION));
  await job.ledger.store({ ...pending, inFlight: null, isClaim: false });
  const state = await withFormerOwner(job, writing.remoteName, toState(found));
  const taken = judgeTaken(state, job.planOptions, writing.whole);
  if (taken.next === 'refuse') return { kind: 'refused', reason: taken.reason };
  if (taken.next === 'restore') return restoreDocument(context, writing);
  const left = { name: writing.remoteName, entry: { ...writing.whole, inFlight: null } };
  const failed = taken.isScheduled ? await restoreLeft(context, left) : undefined;
  if (failed) return toFailure(failed);
  const isMine = isOurs(whoseTags(found.tags, job.owner));
  return mergeDocument(context, await beginTakeover(job, writing, { state, isMine }), found);
}

/**
 * Stored before the ownership tag is set, so that an interrupted takeover continues, and never
 * counts as a creation by this sync.
 */
async function beginTakeover(
  job: SyncJob,
  writing: DocumentWrite,
  { state, isMine }: { readonly state: Existing; readonly isMine: boolean },
): Promise<DocumentWrite> {
  const { isCreated = isMine && writing.whole.observed.wasOurs === true } = writing.whole.observed;
  const observed = { ...writing.whole.observed, isCreated, wasOurs: true };
  const whole = { ...writing.whole, inFlight: null, isClaim: false, observed };
  await job.ledger.store(whole);
  const settings = { keyId: state.keyId ?? null, tags: leftTags(state) };
  return { ...writing, whole: { ...whole, settings }, leftKeys: leftKeys(state) };
}

async function restoreDocument(context: DocumentContext, given: DocumentWrite): Promise<DocumentResult> {
  const { job, secrets } = context;
  const writing = { ...given, turns: takeTurn(given, 'restore') };
  const { whole } = writing;
  const inFlight = { operation: 'restore' as const, baseVersion: whole.remoteVersion };
  const tried = await attempt(job, { entry: whole, inFlight }, () => secrets.restore(writing.remoteName));
  if (tried.result) return { kind: 'refused', reason: 'is written by another sync' };
  if (tried.error && awsErrorOf(tried.error) === 'ResourceNotFoundException') {
    return createDocumentSecret(context, { ...writing, whole: { ...whole, deletedAt: null, remoteVersion: null } });
  }
  if (tried.error) return toFailure(await settleFailure(job, { before: whole, pending: tried.pending }, tried.error));
  const restored = { ...inOrder(whole), deletedAt: null, isClaim: true };
  await job.ledger.store(restored);
  return overwriteDocument(context, { ...writing, whole: restored });
}

/** Reads, merges, writes. */
async function mergeDocument(
  context: DocumentContext,
  writing: DocumentWrite,
  known: SecretMetadata,
): Promise<DocumentResult> {
  const base = toBase(known, await context.secrets.value(writing.remoteName));
  if (!base)
    return {
      kind: 'invalid',
      reason: 'The secret does not hold a JSON object, so keys cannot be set in it. Empty it or choose another name.',
    };
  const settings = { name: writing.remoteName, entry: writing.whole, wanted: writing.settings, found: known };
  await changeTags(context, settings);
  const whole = await changeReplicas(context, settings);
  await changeKey(context, settings);
  return replaceDocument(context, { ...writing, whole }, base);
}

/**
 * A secret that exists and has no current version is an empty document. Undefined when it holds no
 * JSON object.
 */
function toBase(known: SecretMetadata, found: SecretValue | undefined): Base | undefined {
  if (!found) return { version: known.version, document: emptyDocument };
  const document = found.text === undefined ? undefined : parseDocument(found.text);
  return document && { version: found.version, document };
}

async function replaceMissing(context: DocumentContext, writing: DocumentWrite): Promise<DocumentResult> {
  if (isOwned(writing.whole) && !context.job.planOptions.overwritesDrift) return { kind: 'drifted', drift: 'missing' };
  return createDocumentSecret(context, {
    ...writing,
    whole: { ...writing.whole, remoteVersion: null, deletedAt: null },
  });
}

async function replaceDocument(context: DocumentContext, writing: DocumentWrite, base: Base): Promise<DocumentResult> {
  const { job } = context;
  const untouched = findUntouched(job, writing, base);
  const changed = changeOf(writing, base.document, untouched);
  const done = { isCreated: false, untouched, hasForeignKeys: hasForeignKeys(writing, changed, untouched) };
  if (base.document.size > 0 && isEqual(base.document, changed))
    return toResult(context, writing, { ...done, version: base.version });
  const { text, problem } = print(changed);
  if (problem !== undefined) return { kind: 'invalid', reason: problem };
  const paced = takeWrite(writing.whole.pace, job.run.now());
  if ('notBefore' in paced) return { kind: 'deferred', until: paced.notBefore };
  const inFlight = toReplacement(writing, base, untouched);
  const tried = await attempt(job, { entry: { ...writing.whole, pace: paced.pace }, inFlight }, () =>
    put(context, writing, { text, token: inFlight.token, from: base.version }),
  );
  if (tried.result) return { kind: 'refused', reason: 'is written by another sync' };
  if (tried.error)
    return toFailure(await settleFailure(job, { before: writing.whole, pending: tried.pending }, tried.error));
  return toResult(
    context,
    { ...writing, whole: { ...writing.whole, pace: paced.pace } },
    { ...done, version: inFlight.token },
  );
}

async function put(
  { secrets }: DocumentContext,
  writing: DocumentWrite,
  write: { text: string; token: string; from: string },
): Promise<void> {
  const { text, token, from } = write;
  const name = writing.remoteName;
  // Nothing is current yet, so there is nothing to compare with.
  if (!writing.canPromote || from === '') {
    await secrets.update({ name, token, value: text });
    return;
  }
  await secrets.stage({ name, token, value: text });
  // Throws AWS_CONFLICT when somebody else has written in between.
  await secrets.promote({ name, from, to: token });
}
