/**
 * Where entries lie. A sync that moved still has entries under its old connection, region or
 * mapping: they are read, recovered and deleted there, through the connection that wrote them. They
 * wait while that connection is not valid, and are left behind once it is deleted or reaches
 * another account.
 */
import type { ConnectionRow } from '../../db/engine/subjects.ts';
import { isOwned, isSamePlace, type LedgerEntry, type AwsLocation, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import { type AnyKind, kindOfEntry } from '../../domain/destinations/registry.ts';
import { isNameOf } from '../../domain/sync/target.ts';
import { toJobError } from '../../errors.ts';
import type { Destination } from './destinations/destination.ts';
import { openDestination } from './destinations/open.ts';
import { openSession, type SyncJob } from './job.ts';

export interface EntryGroup {
  /** The job, seen from this group's place. */
  readonly job: SyncJob;
  readonly destination: Destination;
  readonly entries: readonly LedgerEntry[];
}

/** Why the connection that wrote an entry cannot be used. */
export interface Obstacle {
  readonly reason: string;
  /** Set where a valid connection would reach the entry again: it waits. */
  readonly waitsFor?: { readonly code: 'CONNECTION_INVALID' | 'CONNECTION_PENDING'; readonly connection: string };
}

export interface Unreachable extends Obstacle {
  readonly entries: readonly LedgerEntry[];
}

/** Entries by the place and kind of their objects, each with the means to reach it. */
export async function groupByPlace(
  job: SyncJob,
  entries: readonly LedgerEntry[],
): Promise<{ readonly groups: readonly EntryGroup[]; readonly unreachable: readonly Unreachable[] }> {
  const kindOf = createKinds(job);
  const parts = new Map<string, Part>();
  for (const entry of entries) {
    const kind = kindOf(entry);
    const connectionId = isSamePlace(entry, job.place) ? job.connection.id : entry.connectionId;
    const name = [
      kind.id,
      isInTarget(job, entry, kind),
      connectionId,
      entry.partition,
      entry.accountId,
      entry.region,
    ].join('\n');
    const part = parts.get(name) ?? { kind, entries: [] };
    part.entries.push(entry);
    parts.set(name, part);
  }
  const groups = await Promise.all([...parts.values()].map((part) => openGroup(job, part)));
  return { groups: groups.filter((one) => 'destination' in one), unreachable: groups.filter((one) => 'reason' in one) };
}

/**
 * What of the ledger lies where the sync does not write any more: a former place, path or mapping.
 */
export function findFormer(job: Pick<SyncJob, 'ledger' | 'target' | 'place'>): readonly LedgerEntry[] {
  const kindOf = createKinds(job);
  return job.ledger.all().filter((entry) => isOwned(entry) && !isInTarget(job, entry, kindOf(entry)));
}

function createKinds(job: Pick<SyncJob, 'ledger'>): (entry: LedgerEntry) => AnyKind {
  const wholes = job.ledger.all().filter((entry) => entry.key === WHOLE_SECRET);
  const documents = new Set(wholes.map(documentKey));
  return (entry) => kindOfEntry(entry.service, { isMember: documents.has(documentKey(entry)) });
}

interface Part {
  readonly kind: AnyKind;
  readonly entries: LedgerEntry[];
}

/** Whether the session of the run reaches it, which is narrowed to the present target. */
function isInTarget({ target, place }: Pick<SyncJob, 'target' | 'place'>, entry: LedgerEntry, kind: AnyKind): boolean {
  return kind.id === target.kind.id && isSamePlace(entry, place) && isNameOf(target, entry.remoteName);
}

const documentKey = (entry: LedgerEntry): string => `${entry.accountId}\n${entry.region}\n${entry.remoteName}`;

async function openGroup(job: SyncJob, { kind, entries }: Part): Promise<EntryGroup | Unreachable> {
  const [first] = entries;
  if (!first || isInTarget(job, first, kind)) return { job, entries, destination: openDestination(job, kind) };
  const connection = isSamePlace(first, job.place) ? job.connection : await findConnection(job, first);
  if ('reason' in connection) return { ...connection, entries };
  const { partition, accountId, region, service } = first;
  const place: AwsLocation = { partition, accountId, region, service };
  const session = await openSession(job, connection, kind.scopeOfPrefix(sharedPrefix(entries), { region }));
  const there: SyncJob = { ...job, place, connection, session, planOptions: { ...job.planOptions, place } };
  return { job: there, entries, destination: openDestination(there, kind) };
}

/** The longest beginning that all names share. */
function sharedPrefix(entries: readonly LedgerEntry[]): string {
  const [first, ...others] = entries.map((entry) => entry.remoteName);
  return others.reduce((prefix, name) => commonPrefix(prefix, name), first ?? '');
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}

/** The connection that wrote the entry, or why it cannot be used. */
async function findConnection(
  job: Pick<SyncJob, 'deps' | 'sync'>,
  entry: LedgerEntry,
): Promise<ConnectionRow | Obstacle> {
  try {
    const connection = await job.deps.connections.byId(entry.connectionId);
    if (connection.orgId !== job.sync.orgId) return gone;
    return findObstacle(connection, entry) ?? connection;
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code === 'CONNECTION_NOT_FOUND') return gone;
    throw error;
  }
}

const gone: Obstacle = { reason: 'its connection is gone' };

function findObstacle({ status, accountId, name }: ConnectionRow, entry: LedgerEntry): Obstacle | undefined {
  if (accountId !== null && accountId !== entry.accountId)
    return { reason: `its connection ${name} reaches another account now` };
  if (status === 'invalid')
    return {
      reason: `its connection ${name} is not valid`,
      waitsFor: { code: 'CONNECTION_INVALID', connection: name },
    };
  if (status === 'pending' || accountId === null)
    return {
      reason: `its connection ${name} is not validated yet`,
      waitsFor: { code: 'CONNECTION_PENDING', connection: name },
    };
  return undefined;
}
