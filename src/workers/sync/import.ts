/**
 * Import: what exists at the destination under the sync's names goes into the folder. Nothing at AWS changes, and what was imported does not become
 * ours by it: taking over stays an explicit choice (`--on-existing adopt`).
 */
import type { SecretMetadata } from '../../aws/secrets-manager.ts';
import type { SecretName } from '../../db/folders.ts';
import { whoseTags } from '../../domain/ownership.ts';
import { parseDocument, memberValue } from '../../domain/sync/document.ts';
import { settingsFor } from '../../domain/sync/desired.ts';
import { newEntry } from '../../domain/sync/entry.ts';
import type { EntrySettings, LedgerEntry } from '../../domain/sync/ledger.ts';
import { SECRETS_PER_READ } from '../../domain/destinations/secrets-manager.ts';
import { isStorable } from '../../domain/text.ts';
import { sourceKeyOf } from '../../domain/sync/target.ts';
import { chunk } from '../../concurrency/pool.ts';
import { fingerprintOf } from './values.ts';
import type { SyncWork } from './work.ts';

export type ImportBehavior = 'prioritize-source' | 'prioritize-destination';

export interface ImportResult {
  /** Keys written into the folder. */
  readonly imported: readonly string[];
  /** Keys whose value in the folder was kept. */
  readonly kept: readonly string[];
  /** Keys that a rotation manages: nobody else writes them. */
  readonly managed: readonly string[];
  /** Names that hold nothing to import: empty, binary, no JSON object, or a key that PostgreSQL cannot hold. */
  readonly unreadable: readonly string[];
  /** Names that another sync, an AWS service or a rotation writes: their values are never imported. */
  readonly others: readonly string[];
}

export interface Found {
  readonly key: string;
  readonly remoteName: string;
  /** Undefined when there is no text to import. */
  readonly value: string | undefined;
  readonly version: string;
  /** Somebody else writes it. */
  readonly isOthers?: boolean;
}

export interface ImportMode {
  readonly behavior: ImportBehavior;
  /** It is the first run's own import, not one that a person asked for. */
  readonly isInitial: boolean;
}

export async function importSecrets(work: SyncWork, { behavior, isInitial }: ImportMode): Promise<ImportResult> {
  const all = await readDestination(work);
  const found = all.filter((one) => one.isOthers !== true);
  const mayBeEmpty = work.target.kind.holdsAllKeys;
  const readable = found.filter((one) => one.value !== undefined && (mayBeEmpty || one.value !== ''));
  const present = new Map((await work.deps.folders.names(work.folder.id)).map((secret) => [secret.key, secret]));
  const managed = readable.filter((one) => isManaged(present.get(one.key))).map((one) => one.key);
  const isKept = (one: Found) =>
    managed.includes(one.key) || (behavior === 'prioritize-source' && present.has(one.key));
  const wanted = readable.filter((one) => !isKept(one));
  const changes = wanted.map(({ key, value }) => ({ key, value: value ?? '' }));
  const change = isInitial
    ? await work.deps.folders.importInto(work.folder, changes, { syncId: work.sync.id, runId: work.run.id })
    : await work.deps.folders.change(work.folder, changes, 'merge');
  if (work.planOptions.onExisting === 'fail') await noteEqual(work, wanted, change.revision);
  return {
    imported: wanted.map((one) => one.key),
    kept: readable.filter((one) => isKept(one) && !managed.includes(one.key)).map((one) => one.key),
    managed,
    unreadable: found.filter((one) => !readable.includes(one)).map((one) => one.remoteName),
    others: all.filter((one) => one.isOthers === true).map((one) => one.remoteName),
  };
}

function isManaged(secret: SecretName | undefined): boolean {
  return secret !== undefined && secret.managedBy !== null;
}

/** Foreign objects that hold the same value now: nothing is to be done for them until the source changes. */
async function noteEqual(work: SyncWork, imported: readonly Found[], revision: number): Promise<void> {
  const known = new Set(work.ledger.all().map((entry) => `${entry.remoteName}\n${entry.key}`));
  const fresh = imported.filter((one) => !known.has(`${one.remoteName}\n${one.key}`));
  await work.ledger.storeAll(fresh.map((one) => toEqualEntry(work, one, revision)));
}

function toEqualEntry(work: SyncWork, found: Found, revision: number): LedgerEntry {
  const isKey = work.target.kind.holdsAllKeys;
  const settings: EntrySettings = isKey ? { keyId: null, tags: {} } : settingsFor({ metadata: {} }, work);
  const origin = {
    id: crypto.randomUUID(),
    syncId: work.sync.id,
    connectionId: work.connection.id,
    folderId: work.folder.id,
    place: work.place,
  };
  return {
    ...newEntry(origin, { remoteName: found.remoteName, key: found.key, settings }),
    status: 'skipped',
    errorMessage:
      'Imported; it exists and is not ours. Allow taking it over with --on-existing adopt so that changes can follow.',
    remoteVersion: found.version,
    fingerprint: fingerprintOf(work, found, { value: found.value ?? '', settings }),
    syncedRevision: revision,
  };
}

/** Values of the objects that the sync's names give. */
export async function readDestination(work: SyncWork): Promise<readonly Found[]> {
  switch (work.target.kind.id) {
    case 'parameter-store':
      return readParameters(work);
    case 'secrets-manager':
      return readSecrets(work);
    case 'json-secret':
      return readDocument(work);
  }
}

async function readParameters(work: SyncWork): Promise<readonly Found[]> {
  const { namePrefix, schema } = work.target;
  const start = namePrefix + schema.prefix;
  const path = start.slice(0, start.lastIndexOf('/')) || '/';
  const found: Found[] = [];
  for await (const page of work.deps.openParameterStore(work.session).readPath(path)) {
    for (const [remoteName, { value, version }] of page) {
      const key = sourceKeyOf(work.target, remoteName);
      if (key !== undefined) found.push({ key, remoteName, value, version });
    }
  }
  const names = found.map((one) => one.remoteName);
  const held = await work.deps.entries.heldByOthers(work.sync.id, work.place, names);
  return found.map((one) => (held.has(one.remoteName) ? toOthers(one.key, { ...one, name: one.remoteName }) : one));
}

async function readSecrets(work: SyncWork): Promise<readonly Found[]> {
  const secrets = work.deps.openSecretsManager(work.session);
  const keys = new Map<string, string>();
  const found: Found[] = [];
  for await (const page of secrets.list({ prefix: work.target.namePrefix + work.target.schema.prefix })) {
    for (const one of page) {
      const key = one.deletionScheduledAt ? undefined : sourceKeyOf(work.target, one.name);
      if (key !== undefined && isOthers(work, one)) found.push(toOthers(key, one));
      else if (key !== undefined) keys.set(one.name, key);
    }
  }
  for (const names of chunk([...keys.keys()], SECRETS_PER_READ)) {
    const values = await secrets.values(names);
    for (const name of names) {
      const value = values.get(name);
      found.push({ key: keys.get(name) ?? name, remoteName: name, value: value?.text, version: value?.version ?? '' });
    }
  }
  return found;
}

/** Their values belong into another folder, or change by themselves. */
function isOthers(work: SyncWork, { tags, managedBy }: SecretMetadata): boolean {
  const whose = whoseTags(tags, work.owner);
  return managedBy !== undefined || whose === 'other-sync' || whose === 'other-installation';
}

function toOthers(key: string, { name, version }: Pick<SecretMetadata, 'name' | 'version'>): Found {
  return { key, remoteName: name, value: undefined, version, isOthers: true };
}

async function readDocument(work: SyncWork): Promise<readonly Found[]> {
  const remoteName = work.target.namePrefix;
  const secrets = work.deps.openSecretsManager(work.session);
  const there = await secrets.describe(remoteName);
  if (there && isOthers(work, there)) return [toOthers(remoteName, there)];
  const value = await secrets.value(remoteName);
  if (!value) return [];
  const document = value.text === undefined ? undefined : parseDocument(value.text);
  if (!document) return [{ key: remoteName, remoteName, value: undefined, version: value.version }];
  return [...document.keys()].flatMap((name) => {
    const key = sourceKeyOf(work.target, name);
    if (key === undefined) return [];
    return [
      { key, remoteName, value: isStorable(name) ? memberValue(document, name) : undefined, version: value.version },
    ];
  });
}
