/** A JSON secret as a destination: looks, drift, recovery and deletion; its writes are in `document-apply.ts`. */
import type { SecretMetadata, SecretsManager } from '../../aws/secrets-manager.ts';
import { changeDocument, memberValue, parseDocument, printDocument } from '../../domain/sync-document.ts';
import { drifted, inOrder, newEntry, notLanded, removed, written } from '../../domain/sync-entry.ts';
import { findDrift } from '../../domain/sync-inventory.ts';
import { type InFlight, isOwned, isSamePlace, type LedgerEntry, WHOLE_SECRET } from '../../domain/sync-ledger.ts';
import { toJobError } from '../../errors.ts';
import {
  attempt,
  type Destination,
  type Finding,
  refuse,
  reportDrift,
  settleFailure,
  type WriteResult,
} from './destination.ts';
import { isAsWritten } from './document-content.ts';
import type { DocumentContext } from './document-writes.ts';
import { toState } from './secret-writes.ts';
import { removeSecret } from './secrets.ts';
import { lookOf, type SyncWork } from './work.ts';

/** All keys of a JSON secret go in one write. */
const NO_LIMIT = 1_000_000;

export function createDocument(work: SyncWork, secrets: SecretsManager): Destination {
  const context: DocumentContext = { work, secrets };
  return {
    concurrency: 1,
    removalsPerCall: NO_LIMIT,
    inspect: async (names) =>
      new Map(await Promise.all(names.map(async (name) => [name, toState(await secrets.describe(name))] as const))),
    identify: (_names, inventory) => Promise.resolve(inventory),
    check: (entries) => perDocument(work, entries, (whole, keys) => check(context, whole, keys)),
    recover: (entry) => recover(context, entry),
    write: () => Promise.reject(new Error('Keys of a JSON secret are written together.')),
    remove: (entries) => perDocument(work, entries, (whole, keys) => removeKeys(context, whole, keys)),
  };
}

/** Keys with the row of the secret that holds them. */
async function perDocument<T>(
  work: SyncWork,
  entries: readonly LedgerEntry[],
  action: (whole: LedgerEntry, keys: readonly LedgerEntry[]) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const wholes = work.ledger.all().filter((entry) => entry.key === WHOLE_SECRET);
  const results: T[] = [];
  for (const whole of wholes) {
    const keys = entries.filter((entry) => entry.key !== WHOLE_SECRET && isInDocument(entry, whole));
    if (keys.length > 0) results.push(...(await action(whole, keys)));
  }
  return results;
}

const isInDocument = (entry: LedgerEntry, whole: LedgerEntry) =>
  entry.remoteName === whole.remoteName && isSamePlace(entry, whole);

/** Keys of one document, as the ledger stands. */
function keysOf(work: SyncWork, whole: LedgerEntry): readonly LedgerEntry[] {
  return work.ledger.all().filter((entry) => entry.key !== WHOLE_SECRET && isInDocument(entry, whole));
}

/**
 * By the secret's version. Where that is not ours, somebody may have changed a key of their own; and a version of ours still holds what an earlier write left
 * as it found it. Only in these two cases the value is read, to tell theirs from ours.
 */
async function check(
  context: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly Finding[]> {
  const { work, secrets } = context;
  const found = await secrets.describe(whole.remoteName);
  const drift = findDrift(whole, toState(found), lookOf(work));
  const isOurVersion = drift === undefined || drift === 'tags' || drift === 'key';
  if (!isOurVersion && drift !== 'changed') return [whole, ...keys].map((entry) => ({ entry, drift }));
  const wholeFinding: readonly Finding[] = isOurVersion ? [{ entry: whole, drift }] : [];
  if (isOurVersion && keys.every((entry) => entry.drift === null))
    return [...wholeFinding, ...keys.map((entry) => ({ entry, drift: undefined }))];
  const findings = await checkKeys(context, whole, keys);
  return [...wholeFinding, ...findings];
}

/** Each key by its value. */
async function checkKeys(
  { work, secrets }: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly Finding[]> {
  const value = await secrets.value(whole.remoteName);
  const document = value?.text === undefined ? undefined : parseDocument(value.text);
  if (!value || !document) return keys.map((entry) => ({ entry, drift: 'changed' }));
  const findings = keys.map((entry): Finding => {
    const member = memberValue(document, documentKeyIn(work, entry));
    if (member === undefined) return { entry, drift: 'missing' };
    return { entry, drift: isAsWritten(work, entry, member) ? undefined : 'changed' };
  });
  const ours = findings.filter(({ entry }) => isOwned(entry));
  const isOnlyTheirs = ours.every((finding) => finding.drift === undefined);
  if (isOnlyTheirs)
    await work.ledger.store({
      ...whole,
      remoteVersion: value.version,
      observed: { ...whole.observed, hasForeignKeys: document.size > ours.length },
    });
  return findings;
}

/** The name of a key inside the JSON, which the schema of its own time gave it. */
function documentKeyIn(work: SyncWork, entry: LedgerEntry): string {
  return entry.observed.documentKey ?? work.desired.find((one) => one.key === entry.key)?.documentKey ?? entry.key;
}

async function recover(context: DocumentContext, whole: LedgerEntry): Promise<void> {
  const { work, secrets } = context;
  const { inFlight } = whole;
  if (!inFlight) return;
  const found = await secrets.describe(whole.remoteName);
  const isGone = !found || found.deletionScheduledAt !== undefined;
  if (inFlight.operation === 'delete') {
    if (isGone) await storeRemoved(work, whole);
    else await work.ledger.store(notLanded(whole));
    return;
  }
  if (inFlight.operation === 'restore' && !isGone) {
    await work.ledger.store({ ...inOrder(whole), isClaim: true, remoteVersion: inFlight.baseVersion ?? found.version });
    return;
  }
  const isThere = found !== undefined && (await hasArrived(context, whole, found));
  if (isThere) await storeLanded(work, whole, inFlight);
  else await work.ledger.store(notLanded(whole));
}

/** Whether the version was made and is, or was, current; one that was only staged is promoted if nobody has written since. */
async function hasArrived({ secrets }: DocumentContext, whole: LedgerEntry, found: SecretMetadata): Promise<boolean> {
  const { token, baseVersion } = whole.inFlight ?? {};
  const stages = token === undefined ? undefined : found.versions[token];
  if (token === undefined || !stages) return false;
  if (stages.includes('AWSCURRENT') || stages.includes('AWSPREVIOUS')) return true;
  if (baseVersion === null || baseVersion === undefined || found.version !== baseVersion) return false;
  try {
    await secrets.promote({ name: whole.remoteName, from: baseVersion, to: token });
    return true;
  } catch (raw) {
    const error = toJobError(raw);
    if (error.disposition === 'fail') return false;
    throw error;
  }
}

async function storeLanded(work: SyncWork, whole: LedgerEntry, inFlight: InFlight): Promise<void> {
  const at = new Date(inFlight.at);
  const version = inFlight.token ?? '';
  const base = { version, folderId: work.folder.id, at };
  const rows = new Map(keysOf(work, whole).map((entry) => [entry.key, entry]));
  const keys = Object.entries(inFlight.keys ?? {}).flatMap(([key, content]) => {
    const row = rows.get(key) ?? keyEntry(work, whole, key);
    if (!content) return [removed(row, at)];
    const { documentKey, ...known } = content;
    const observed = documentKey === undefined ? {} : { documentKey };
    return [{ ...written(row, { ...base, ...known, settings: row.settings, observed }), isClaim: false }];
  });
  const settings = inFlight.settings ?? whole.settings;
  const { hasForeignKeys, operation } = inFlight;
  const observed = {
    ...(hasForeignKeys === undefined ? {} : { hasForeignKeys }),
    ...(operation === 'create' ? { isCreated: true, hasForeignKeys: false } : {}),
  };
  const left = Object.entries(inFlight.left ?? {}).flatMap(([key, drift]) => {
    const row = rows.get(key);
    return row ? [drifted(row, drift, at)] : [];
  });
  // The whole comes last: until then the write counts as in flight.
  await work.ledger.storeAll([...keys, ...left]);
  await work.ledger.store(
    written(whole, { ...base, fingerprint: '', revision: work.folder.revision, settings, observed }),
  );
}

export function keyEntry(work: SyncWork, whole: LedgerEntry, key: string): LedgerEntry {
  const { partition, accountId, region, service, syncId, connectionId, remoteName } = whole;
  const origin = {
    id: crypto.randomUUID(),
    syncId,
    connectionId,
    folderId: work.folder.id,
    place: { partition, accountId, region, service },
  };
  return newEntry(origin, { remoteName, key, settings: { keyId: null, tags: {} } });
}

async function storeRemoved(work: SyncWork, whole: LedgerEntry): Promise<void> {
  const now = work.run.now();
  await work.ledger.storeAll([whole, ...keysOf(work, whole)].map((entry) => removed(entry, now)));
}

/** Takes our keys out; the secret itself goes only if we made it and nothing else is in it. */
async function removeKeys(
  context: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly WriteResult[]> {
  const { work, secrets } = context;
  const found = await secrets.describe(whole.remoteName);
  if (!found || found.deletionScheduledAt) {
    await storeRemoved(work, whole);
    return keys.map(() => ({ kind: 'deleted' }));
  }
  const drift = findDrift(whole, toState(found), lookOf(work));
  if (drift === 'foreign') return [await refuse(work, whole, 'no longer carries our tag: somebody else took it over')];
  const isAll = keysOf(work, whole).filter(isOwned).length === keys.length;
  const isOnlyOurs =
    whole.observed.isCreated === true && whole.observed.hasForeignKeys === false && drift === undefined;
  if (isAll && isOnlyOurs) return removeWhole(context, whole, keys);
  return stripKeys(context, whole, keys);
}

async function removeWhole(
  context: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly WriteResult[]> {
  const result = await removeSecret(context, whole);
  if (result.kind !== 'deleted') return [result];
  await storeRemoved(context.work, context.work.ledger.get(whole.id) ?? whole);
  return keys.map(() => ({ kind: 'deleted' }));
}

async function stripKeys(
  context: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly WriteResult[]> {
  const { work, secrets } = context;
  const value = await secrets.value(whole.remoteName);
  const document = value?.text === undefined ? undefined : parseDocument(value.text);
  if (!value || !document) return [await refuse(work, whole, 'does not hold a JSON object any more')];
  const kept = keys.filter(
    (entry) =>
      !work.planOptions.overwritesDrift && isChanged(work, entry, memberValue(document, documentKeyIn(work, entry))),
  );
  const doomed = keys.filter((entry) => !kept.includes(entry));
  const rest = changeDocument(document, {
    set: new Map(),
    remove: new Set(doomed.map((entry) => documentKeyIn(work, entry))),
  });
  const reports = await Promise.all(kept.map((entry) => reportDrift(work, entry, 'changed')));
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
  const tried = await attempt(work, { entry: whole, inFlight }, () =>
    secrets.update({ name: whole.remoteName, token, value: printDocument(rest) }),
  );
  if (tried.result) return [tried.result];
  if (tried.error) return [await settleFailure(work, { before: whole, pending: tried.pending }, tried.error)];
  await storeStripped(work, {
    whole,
    doomed,
    version: token,
    isEmptied: doomed.length === keysOf(work, whole).filter(isOwned).length,
  });
  return [...reports, ...doomed.map((): WriteResult => ({ kind: 'deleted' }))];
}

interface Stripped {
  readonly whole: LedgerEntry;
  readonly doomed: readonly LedgerEntry[];
  readonly version: string;
  /** No key of ours is left: the secret is given up. */
  readonly isEmptied: boolean;
}

async function storeStripped(work: SyncWork, { whole, doomed, version, isEmptied }: Stripped): Promise<void> {
  const now = work.run.now();
  const { settings } = whole;
  const kept = written(whole, {
    version,
    fingerprint: '',
    revision: work.folder.revision,
    settings,
    folderId: work.folder.id,
    at: now,
  });
  await work.ledger.storeAll(doomed.map((entry) => removed(entry, now)));
  await work.ledger.store(isEmptied ? removed(kept, now) : kept);
}

function isChanged(work: SyncWork, entry: LedgerEntry, value: string | undefined): boolean {
  return value !== undefined && !isAsWritten(work, entry, value);
}
