/**
 * Truth of status: a sync that says `succeeded` with drift `none` must be right. What its ledger
 * owns, what its folder holds and what AWS holds are the same objects. Names, values, types and
 * tags are read from the sandbox and mapped here, without the product's own code.
 */
import type { LedgerEntry } from '../../../src/domain/sync/ledger.ts';
import type { Outcome } from '../../../src/domain/run.ts';
import type { SyncRow } from '../../../src/db/engine/subjects.ts';
import type { FolderRow } from '../../../src/db/folders.ts';
import type { AwsSandbox } from '../../../src/sandbox/aws/index.ts';

const OWNER_TAG = 'keyferry:sync';

export interface SourceSecret {
  readonly value: string;
  readonly revision: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Everything that the verdict rests on. */
export interface Statement {
  readonly sandbox: AwsSandbox;
  readonly sync: SyncRow;
  /** The ownership tag in its present and its earlier form. */
  readonly ownerTags: readonly string[];
  readonly entries: readonly LedgerEntry[];
  /** `revision`: of the folder, or of all that a recursive sync reads. */
  readonly folder: Pick<FolderRow, 'id' | 'projectId' | 'environment' | 'secretPath' | 'revision'>;
  readonly secrets: ReadonlyMap<string, SourceSecret>;
}

interface FoundObject {
  readonly arn: string;
  readonly value: string | undefined;
  readonly type: string;
  readonly tags: Readonly<Record<string, string>>;
}

function saysAllIsWell({ syncStatus, drift }: SyncRow): boolean {
  return syncStatus === 'succeeded' && drift === 'none';
}

/** What is not as the sync's status says; empty is how it should be. */
export function findUntruths(said: Statement): readonly string[] {
  if (!saysAllIsWell(said.sync)) return [];
  const owned = said.entries.filter(isPresent);
  return [
    ...owned.flatMap((entry) => findWrong(said, entry)),
    ...findStrays(said, owned),
    ...(isAtRevision(said) ? compareWithFolder(said, owned) : findForgotten(said)),
    ...said.entries.filter(({ inFlight }) => inFlight !== null).map(({ remoteName }) => `${remoteName} is in flight`),
  ];
}

/**
 * An entry counts as unchanged when the ledger knows its object: written, answered, without drift
 * or error. A check that reports entries as checked has called AWS.
 */
export function findUnfounded(
  { outcome, calls }: { readonly outcome: Outcome; readonly calls: number },
  entries: readonly LedgerEntry[],
): readonly string[] {
  const isKnown = (entry: LedgerEntry): boolean =>
    isPresent(entry) && entry.key !== '' && entry.inFlight === null && entry.drift === null && entry.errorCode === null;
  const known = entries.filter(isKnown).length;
  const { counts } = outcome;
  const unchanged = counts?.unchanged ?? 0;
  const checked = 'result' in outcome ? ((outcome.result as { readonly checked?: number }).checked ?? 0) : 0;
  return [
    ...(unchanged > known ? [`${String(unchanged)} entries count as unchanged, ${String(known)} are known`] : []),
    ...(checked > 0 && calls === 0 ? [`${String(checked)} entries count as checked without a call`] : []),
  ];
}

/** Present, written and live. */
function isPresent({ remoteVersion, deletedAt, status }: LedgerEntry): boolean {
  return remoteVersion !== null && deletedAt === null && (status === 'synced' || status === 'failed');
}

function isAtRevision({ sync, folder }: Statement): boolean {
  return sync.syncedRevision === folder.revision && sync.syncedVersion === sync.version;
}

/** An automatic sync that is behind its folder must have a time at which it catches up. */
function findForgotten({ sync }: Statement): readonly string[] {
  const mustCatchUp = sync.isAutoSyncEnabled && sync.pausedAt === null && sync.wantedRevision > sync.doneRevision;
  return mustCatchUp && sync.nextDueAt === null ? ['it is behind its folder and never due'] : [];
}

function findWrong(said: Statement, entry: LedgerEntry): readonly string[] {
  const found = findObject(said.sandbox, entry);
  if (!found) return [`${entry.remoteName} is not at AWS`];
  const isMarked = said.ownerTags.includes(found.tags[OWNER_TAG] ?? '');
  const secret = said.secrets.get(entry.key);
  const isKnown = secret !== undefined && entry.folderId === said.folder.id && entry.syncedRevision === secret.revision;
  const value = isDocumentOf(said, entry) ? memberOf(found.value, entry) : found.value;
  return [
    ...(isMarked ? [] : [`${entry.remoteName} does not carry the tag of the sync`]),
    ...(entry.service === 'ssm' && found.type !== 'SecureString' ? [`${entry.remoteName} is a ${found.type}`] : []),
    ...(isKnown && value !== secret.value ? [`${entry.remoteName} does not hold the value of ${entry.key}`] : []),
    ...Object.entries(entry.settings.tags)
      .filter(([key, tag]) => found.tags[key] !== tag)
      .map(([key]) => `${entry.remoteName} lacks the tag ${key}`),
    ...findWrongReplicas(said, entry),
  ];
}

/** Under the key that was set for their region; an alias counts as itself. */
function findWrongReplicas({ sandbox, sync }: Statement, { accountId, remoteName, settings }: LedgerEntry) {
  const { replicaKeys = {} } = sync.syncOptions;
  return (settings.replicaRegions ?? []).flatMap((region) => {
    const replica = sandbox.inspect.secret({ accountId, region, name: remoteName });
    if (replica === undefined) return [`${remoteName} has no replica in ${region}`];
    const isRight = (replica.kmsKeyId ?? '').endsWith(replicaKeys[region] ?? '');
    return isRight ? [] : [`the replica of ${remoteName} in ${region} has another key`];
  });
}

function findObject(sandbox: AwsSandbox, entry: LedgerEntry): FoundObject | undefined {
  const address = { accountId: entry.accountId, region: entry.region, name: entry.remoteName };
  if (entry.service === 'ssm') return sandbox.inspect.parameter(address);
  const secret = sandbox.inspect.secret(address);
  return secret === undefined || secret.deletedAt !== undefined ? undefined : { ...secret, type: 'secret' };
}

/** Keys of a JSON secret have a row for the secret as a whole beside them. */
function isDocumentOf({ entries }: Statement, { key, remoteName, service }: LedgerEntry): boolean {
  return (
    key !== '' && service === 'secretsmanager' && entries.some((one) => one.key === '' && one.remoteName === remoteName)
  );
}

function memberOf(text: string | undefined, { key, observed }: LedgerEntry): string | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = (JSON.parse(text) as Record<string, unknown>)[observed.documentKey ?? key];
    return typeof value === 'string' ? value : JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** What carries the tag of the sync, and the ledger neither owns nor reports as left behind. */
function findStrays({ sandbox, entries, ownerTags }: Statement, owned: readonly LedgerEntry[]): readonly string[] {
  const recorded = [...owned, ...entries.filter(({ status }) => status === 'skipped')];
  const known = new Set(recorded.map((entry) => findObject(sandbox, entry)?.arn));
  const places = new Map(entries.map((entry) => [`${entry.accountId} ${entry.region}`, entry]));
  return [...places.values()].flatMap(({ accountId, region }) => {
    const live = sandbox.inspect.secrets({ accountId, region }).filter(({ deletedAt }) => deletedAt === undefined);
    return [...sandbox.inspect.parameters({ accountId, region }), ...live]
      .filter(({ tags, arn }) => ownerTags.includes(tags[OWNER_TAG] ?? '') && !known.has(arn))
      .map(({ arn }) => `${arn} carries the tag of the sync and is not on record`);
  });
}

function compareWithFolder(said: Statement, owned: readonly LedgerEntry[]): readonly string[] {
  const { sync, secrets } = said;
  const wanted = new Set([...secrets.keys()].map((key) => `${nameOf(said, key)} ${key}`));
  const held = new Set(owned.filter(({ key }) => key !== '').map(({ remoteName, key }) => `${remoteName} ${key}`));
  const missing = [...wanted].filter((name) => !held.has(name));
  const surplus = sync.syncOptions.disableSecretDeletion ? [] : [...held].filter((name) => !wanted.has(name));
  const behind = owned.filter(({ key, syncedRevision }) => {
    const secret = secrets.get(key);
    return secret !== undefined && secret.revision !== syncedRevision;
  });
  return [
    ...missing.map((name) => `${name} is in the folder and not owned`),
    ...surplus.map((name) => `${name} is owned and not in the folder`),
    ...behind.map(({ remoteName, key }) => `${remoteName} holds an earlier value of ${key}`),
  ];
}

/**
 * The documented rule: prefix, then the key through the schema; a JSON secret has one name for all.
 */
function nameOf({ sync, folder }: Statement, key: string): string {
  const config = sync.destinationConfig;
  if ('secretName' in config) return config.secretName;
  const prefix = 'path' in config ? config.path : (config.prefix ?? '');
  const [path = '', name = ''] = key.includes(':') ? key.split(':') : ['', key];
  const full = [...folder.secretPath.split('/'), ...path.split('/')].filter((level) => level !== '');
  const schema = sync.syncOptions.keySchema ?? '{{secretKey}}';
  const start = path === '' || /\{\{(path|folder)\}\}/.test(schema) ? '' : `${path}/`;
  return (
    prefix +
    start +
    schema
      .replaceAll('{{environment}}', folder.environment)
      .replaceAll('{{project}}', folder.projectId)
      .replaceAll('{{path}}', full.join('/'))
      .replaceAll('{{folder}}', full.at(-1) ?? '')
      .replace('{{secretKey}}', name)
  );
}
