/**
 * A JSON secret as a destination: reads, drift and recovery; its writes are in `apply.ts`, its
 * deletion in `removal.ts`.
 */
import type { SecretMetadata, SecretsManager } from '../../../../aws/secrets-manager.ts';
import { defined } from '../../../../domain/defined.ts';
import { memberValue, parseDocument } from '../../../../domain/sync/document.ts';
import { drifted, inOrder, notLanded, removed, written } from '../../../../domain/sync/entry.ts';
import { findDrift, isUndecided } from '../../../../domain/sync/inventory.ts';
import {
  type InFlight,
  isOfSettings,
  isOwned,
  type LedgerEntry,
  WHOLE_SECRET,
} from '../../../../domain/sync/ledger.ts';
import { toJobError } from '../../../../errors.ts';
import type { Destination, DriftFinding } from '../destination.ts';
import { isAsWritten } from './content.ts';
import { applyDocument } from './apply.ts';
import { lookInside, readDocument } from './read.ts';
import { removeKeys } from './removal.ts';
import { documentKeyIn, isInDocument, keyEntry, keysOf, storeRemoved } from './rows.ts';
import type { DocumentContext } from './result.ts';
import { toState } from '../secrets-manager/writes.ts';
import { lookOf, type SyncJob } from '../../job.ts';

/** All keys of a JSON secret go in one write. */
const NO_LIMIT = 1_000_000;

export function createDocument(job: SyncJob, secrets: SecretsManager): Destination {
  const context: DocumentContext = { job, secrets };
  return {
    removalsPerCall: NO_LIMIT,
    inspect: async (names) =>
      new Map(await Promise.all(names.map(async (name) => [name, toState(await secrets.describe(name))] as const))),
    identify: (_names, inventory) => Promise.resolve(inventory),
    check: (entries) => perDocument(job, entries, (whole, keys) => check(context, whole, keys)),
    recover: (entry) => recover(context, entry),
    lookInside: (inventory) => lookInside(job, secrets, inventory),
    apply: (plan, options) => applyDocument({ job, secrets, ...options }, plan),
    readAll: () => readDocument(job, secrets),
    remove: (entries) => perDocument(job, entries, (whole, keys) => removeKeys(context, whole, keys)),
  };
}

/**
 * Keys with the row of the secret that holds them; a secret that is among the entries itself may
 * come without keys.
 */
async function perDocument<T>(
  job: SyncJob,
  entries: readonly LedgerEntry[],
  action: (whole: LedgerEntry, keys: readonly LedgerEntry[]) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const wholes = job.ledger.all().filter((entry) => entry.key === WHOLE_SECRET);
  const results: T[] = [];
  for (const whole of wholes) {
    const keys = entries.filter((entry) => entry.key !== WHOLE_SECRET && isInDocument(entry, whole));
    if (keys.length > 0 || entries.some(({ id }) => id === whole.id)) results.push(...(await action(whole, keys)));
  }
  return results;
}

/**
 * By the secret's version. If keyferry did not write it, somebody may have changed a key of their
 * own; and a version that keyferry wrote still holds what an earlier write left as it found it.
 * Only in these two cases the value is read, to find out who owns which key.
 */
async function check(
  context: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly DriftFinding[]> {
  const { job, secrets } = context;
  const state = toState(await secrets.describe(whole.remoteName));
  if (isUndecided(whole, state, job.run.now()))
    return [whole, ...keys].map((entry) => ({ entry, drift: undefined, isUndecided: true }));
  const drift = findDrift(whole, state, lookOf(job));
  const isOurVersion = drift === undefined || isOfSettings(drift);
  if (!isOurVersion && drift !== 'changed') return [whole, ...keys].map((entry) => ({ entry, drift }));
  const wholeFinding: readonly DriftFinding[] = isOurVersion ? [{ entry: whole, drift }] : [];
  if (isOurVersion && keys.every((entry) => entry.drift === null))
    return [...wholeFinding, ...keys.map((entry) => ({ entry, drift: undefined }))];
  const findings = await checkKeys(context, whole, keys);
  return [...wholeFinding, ...findings];
}

/** Each key by its value. */
async function checkKeys(
  { job, secrets }: DocumentContext,
  whole: LedgerEntry,
  keys: readonly LedgerEntry[],
): Promise<readonly DriftFinding[]> {
  const value = await secrets.value(whole.remoteName);
  const document = value?.text === undefined ? undefined : parseDocument(value.text);
  if (!value || !document) return keys.map((entry) => ({ entry, drift: 'changed' }));
  const findings = keys.map((entry): DriftFinding => {
    const member = memberValue(document, documentKeyIn(job, entry));
    if (member === undefined) return { entry, drift: 'missing' };
    return { entry, drift: isAsWritten(job, entry, member) ? undefined : 'changed' };
  });
  const ours = findings.filter(({ entry }) => isOwned(entry));
  const isOnlyTheirs = ours.every((finding) => finding.drift === undefined);
  if (isOnlyTheirs)
    await job.ledger.store({
      ...whole,
      remoteVersion: value.version,
      observed: { ...whole.observed, hasForeignKeys: document.size > ours.length },
    });
  return findings;
}

async function recover(context: DocumentContext, whole: LedgerEntry): Promise<void> {
  const { job, secrets } = context;
  const { inFlight } = whole;
  if (!inFlight) return;
  const found = await secrets.describe(whole.remoteName);
  const isGone = !found || found.deletionScheduledAt !== undefined;
  if (inFlight.operation === 'delete') {
    if (isGone) await storeRemoved(job, whole);
    else await job.ledger.store(notLanded(whole));
    return;
  }
  if (inFlight.operation === 'restore' && !isGone) {
    await job.ledger.store({ ...inOrder(whole), isClaim: true, remoteVersion: inFlight.baseVersion ?? found.version });
    return;
  }
  const isThere = found !== undefined && (await hasArrived(context, whole, found));
  if (isThere) await storeLanded(job, whole, inFlight);
  else await job.ledger.store(notLanded(whole));
}

/**
 * Whether the version was made and is, or was, current; one that was only staged is promoted if
 * nobody has written since.
 */
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

async function storeLanded(job: SyncJob, whole: LedgerEntry, inFlight: InFlight): Promise<void> {
  const at = new Date(inFlight.at);
  const version = inFlight.token ?? '';
  const base = { version, folderId: job.folder.id, at };
  const rows = new Map(keysOf(job, whole).map((entry) => [entry.key, entry]));
  const keys = Object.entries(inFlight.keys ?? {}).flatMap(([key, content]) => {
    const row = rows.get(key) ?? keyEntry(job, whole, key);
    if (!content) return [removed(row, at)];
    const { documentKey, ...known } = content;
    const observed = documentKey === undefined ? {} : { documentKey };
    return [{ ...written(row, { ...base, ...known, settings: row.settings, observed }), isClaim: false }];
  });
  const settings = inFlight.settings ?? whole.settings;
  const { hasForeignKeys, operation } = inFlight;
  const observed = {
    ...defined({ hasForeignKeys }),
    ...(operation === 'create' ? { isCreated: true, hasForeignKeys: false } : {}),
  };
  const left = Object.entries(inFlight.left ?? {}).flatMap(([key, drift]) => {
    const row = rows.get(key);
    return row ? [drifted(row, drift, at)] : [];
  });
  // The whole comes last: until then the write counts as in flight.
  await job.ledger.storeAll([...keys, ...left]);
  await job.ledger.store(
    written(whole, { ...base, fingerprint: '', revision: job.folder.revision, settings, observed }),
  );
}
