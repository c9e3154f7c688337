/**
 * Where entries lie. A sync that moved still has entries under its old connection, region or mapping: they are looked at, recovered and deleted
 * there, through the connection that wrote them, or told as left behind when that can no longer be used.
 */
import type { ConnectionRow } from '../../db/engine/subjects.ts';
import { isSamePlace, type LedgerEntry, type Place, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import type { PolicyTarget } from '../../domain/policy/policies.ts';
import type { Mapping } from '../../domain/sync/target.ts';
import { toJobError } from '../../errors.ts';
import type { Destination } from './destination.ts';
import { createDocument } from './document.ts';
import { createParameters } from './parameters.ts';
import { createSecrets } from './secrets.ts';
import { openSession, type SyncWork } from './work.ts';

export interface EntryGroup {
  /** The run's work, seen from this group's place. */
  readonly work: SyncWork;
  readonly destination: Destination;
  readonly entries: readonly LedgerEntry[];
}

export interface Unreachable {
  readonly entries: readonly LedgerEntry[];
  readonly reason: string;
}

export function openDestination(work: SyncWork, mapping: Mapping): Destination {
  switch (mapping) {
    case 'parameters':
      return createParameters(work, work.deps.openParameterStore(work.session));
    case 'secrets':
      return createSecrets(work, work.deps.openSecretsManager(work.session));
    case 'document':
      return createDocument(work, work.deps.openSecretsManager(work.session));
  }
}

/** Entries by the place and kind of their objects, each with the means to reach it. */
export async function groupByPlace(
  work: SyncWork,
  entries: readonly LedgerEntry[],
): Promise<{ readonly groups: readonly EntryGroup[]; readonly unreachable: readonly Unreachable[] }> {
  const documents = new Set(
    work.ledger
      .all()
      .filter((entry) => entry.key === WHOLE_SECRET)
      .map(documentKey),
  );
  const parts = new Map<string, LedgerEntry[]>();
  for (const entry of entries) {
    const mapping = mappingOf(entry, documents);
    const connectionId = isSamePlace(entry, work.place) ? work.connection.id : entry.connectionId;
    const name = [
      mapping,
      isInTarget(work, entry, mapping),
      connectionId,
      entry.partition,
      entry.accountId,
      entry.region,
    ].join('\n');
    const part = parts.get(name);
    if (part) part.push(entry);
    else parts.set(name, [entry]);
  }
  const opened = await Promise.all(
    [...parts].map(([name, part]) => openGroup(work, name.split('\n')[0] as Mapping, part)),
  );
  return { groups: opened.filter((one) => 'destination' in one), unreachable: opened.filter((one) => 'reason' in one) };
}

/** Whether the session of the run reaches it, which is narrowed to the present target. */
function isInTarget(work: SyncWork, entry: LedgerEntry, mapping: Mapping): boolean {
  const { target, place } = work;
  if (mapping !== target.mapping || !isSamePlace(entry, place)) return false;
  return mapping === 'document'
    ? entry.remoteName === target.namePrefix
    : entry.remoteName.startsWith(target.namePrefix);
}

const documentKey = (entry: LedgerEntry): string => `${entry.accountId}\n${entry.region}\n${entry.remoteName}`;

function mappingOf(entry: LedgerEntry, documents: ReadonlySet<string>): Mapping {
  if (entry.service === 'ssm') return 'parameters';
  return documents.has(documentKey(entry)) ? 'document' : 'secrets';
}

async function openGroup(
  work: SyncWork,
  mapping: Mapping,
  entries: readonly LedgerEntry[],
): Promise<EntryGroup | Unreachable> {
  const [first] = entries;
  if (!first || isInTarget(work, first, mapping)) return { work, entries, destination: openDestination(work, mapping) };
  const connection = isSamePlace(first, work.place) ? work.connection : await findConnection(work, first);
  if (typeof connection === 'string') return { entries, reason: connection };
  const { partition, accountId, region, service } = first;
  const place: Place = { partition, accountId, region, service };
  const session = openSession(work, connection, oldTarget(mapping, entries));
  const there: SyncWork = { ...work, place, connection, session, planOptions: { ...work.planOptions, place } };
  return { work: there, entries, destination: openDestination(there, mapping) };
}

/** What the session is narrowed to: the longest beginning that all names share. */
function oldTarget(mapping: Mapping, entries: readonly LedgerEntry[]): PolicyTarget & { readonly region: string } {
  const [first, ...others] = entries.map((entry) => entry.remoteName);
  const shared = others.reduce((prefix, name) => commonPrefix(prefix, name), first ?? '');
  const region = entries[0]?.region ?? '';
  if (mapping === 'parameters')
    return { use: 'parameter-store', region, path: shared.slice(0, shared.lastIndexOf('/') + 1) || '/' };
  return { use: 'secrets-manager', region, prefix: shared };
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}

/** The connection that wrote the entry, or why it cannot be used. */
async function findConnection(work: SyncWork, entry: LedgerEntry): Promise<ConnectionRow | string> {
  try {
    const connection = await work.deps.connections.byId(entry.connectionId);
    if (connection.orgId !== work.sync.orgId) return 'its connection is gone';
    if (connection.status === 'invalid' || connection.accountId !== entry.accountId)
      return 'its connection is not valid any more';
    return connection;
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code === 'CONNECTION_NOT_FOUND') return 'its connection is gone';
    throw error;
  }
}
