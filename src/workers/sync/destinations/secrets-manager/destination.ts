/**
 * Secrets Manager, one secret per key, as a destination: reads, recovery and deletion; the writes
 * are in `writes.ts`.
 */
import type { SecretMetadata, SecretsManager } from '../../../../aws/secrets-manager.ts';
import { mustCompare } from '../../../../domain/installation.ts';
import { inOrder, landed, notLanded, removed } from '../../../../domain/sync/entry.ts';
import { findDrift, isFresh, isUndecided, type RemoteState } from '../../../../domain/sync/inventory.ts';
import type { LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { OWNERSHIP_LOST } from '../../../../domain/sync/plan.ts';
import { ownReplicas } from '../../../../domain/sync/replicas.ts';
import { toJobError } from '../../../../errors.ts';
import type { Destination, DriftFinding } from '../destination.ts';
import { attempt, deferFresh, refuse, reportDrift, settleFailure, settleThrown, type WriteResult } from '../journal.ts';
import { forEachPooled } from '../../../../concurrency/pool.ts';
import { applyEach, type WriteTask } from '../apply-each.ts';
import { listOurs } from './looks.ts';
import { readSecrets } from './read.ts';
import { type SecretContext, toState, writeSecret } from './writes.ts';
import { lookOf, type SyncJob } from '../../job.ts';

const CONCURRENT_LOOKS = 8;
const CONCURRENT_REMOVALS = 8;
/** ListSecrets lags by up to 5 minutes: it is not asked about what was written within this time. */
const LIST_LAG_MS = 10 * 60_000;
/** How many of them are read one by one when a person asks. */
const MAX_FRESH_LOOKS = 20;

export function createSecrets(job: SyncJob, secrets: SecretsManager): Destination {
  const context: SecretContext = { job, secrets };
  const writer = { concurrency: 8, write: (task: WriteTask) => writeSecret(context, task) };
  return {
    removalsPerCall: CONCURRENT_REMOVALS,
    inspect: (names) => describeAll(context, names),
    identify: (_names, inventory) => Promise.resolve(inventory),
    check: (entries) => check(context, entries),
    recover: (entry) => recover(context, entry),
    listOurs: () => listOurs(context),
    lookInside: () => Promise.resolve(undefined),
    apply: (plan, { slice }) => applyEach({ job, slice, writer }, plan),
    readAll: () => readSecrets(job, secrets),
    remove: (entries) => removeSecrets(context, entries),
  };
}

async function describeAll(
  { job, secrets }: SecretContext,
  names: readonly string[],
): Promise<Map<string, RemoteState>> {
  const states = new Map<string, RemoteState>();
  const mayStart = () => !job.run.scope.signal.aborted;
  await forEachPooled(names, { concurrency: CONCURRENT_LOOKS, mayStart }, async (name) => {
    states.set(name, toState(await secrets.describe(name)));
  });
  return states;
}

/**
 * By the page, narrowed to the ownership tag. Whatever looks different there is read again by
 * itself, since the list lags.
 */
async function check(context: SecretContext, entries: readonly LedgerEntry[]): Promise<readonly DriftFinding[]> {
  const look = lookOf(context.job);
  const mayBeUnlisted = (entry: LedgerEntry) => look.now.getTime() - (entry.writtenAt?.getTime() ?? 0) <= LIST_LAG_MS;
  const fresh = entries.filter(mayBeUnlisted).slice(0, freshLooks(context.job));
  const settled = entries.filter((entry) => !mayBeUnlisted(entry));
  const listed = settled.length > 0 ? await listOurs(context) : undefined;
  const driftIn = (entry: LedgerEntry, state: RemoteState | undefined) =>
    findDrift(entry, state ?? { exists: false }, look);
  // ListSecrets says nothing about replication.
  const hasReplicas = ({ settings }: LedgerEntry) => (settings.replicaRegions ?? []).length > 0;
  const doubtful = settled.filter(
    (entry) => hasReplicas(entry) || driftIn(entry, listed?.get(entry.remoteName)) !== undefined,
  );
  const confirmed = await describeAll(
    context,
    [...doubtful, ...fresh].map((entry) => entry.remoteName),
  );
  return [...settled, ...fresh].map((entry) => {
    const state = confirmed.get(entry.remoteName);
    if (state === undefined) return { entry, drift: undefined };
    return { entry, drift: findDrift(entry, state, look), isUndecided: isUndecided(entry, state, look.now) };
  });
}

/** How many fresh secrets are read one by one; the first check in a new epoch leaves none out. */
function freshLooks({ run, sync, installation }: SyncJob): number {
  if (mustCompare(sync, installation.epochStartedAt)) return Number.POSITIVE_INFINITY;
  return run.isDirect ? MAX_FRESH_LOOKS : 0;
}

async function recover({ job, secrets }: SecretContext, entry: LedgerEntry): Promise<void> {
  const { inFlight } = entry;
  if (!inFlight) return;
  const found = await secrets.describe(entry.remoteName);
  await job.ledger.store(findLanded(job, entry, found) ?? notLanded(entry));
}

function findLanded(
  job: Pick<SyncJob, 'run' | 'folder'>,
  entry: LedgerEntry,
  found: SecretMetadata | undefined,
): LedgerEntry | undefined {
  const { inFlight } = entry;
  const isGone = !found || found.deletionScheduledAt !== undefined;
  switch (inFlight?.operation) {
    case undefined:
      return undefined;
    case 'delete':
      return isGone ? removed(entry, job.run.now()) : undefined;
    case 'restore':
      return isGone
        ? undefined
        : { ...inOrder(entry), isClaim: true, remoteVersion: inFlight.baseVersion ?? found.version };
    case 'create':
    case 'update':
    case 'adopt':
      return inFlight.token !== undefined && found?.versions[inFlight.token]
        ? landed(entry, inFlight.token, { folderId: job.folder.id })
        : undefined;
  }
}

/** Concurrently; if one throws, the others still finish. */
async function removeSecrets(context: SecretContext, entries: readonly LedgerEntry[]): Promise<readonly WriteResult[]> {
  const { job } = context;
  const settled = entries.map((entry) =>
    removeSecret(context, entry).catch((error: unknown) =>
      settleThrown(job, [job.ledger.get(entry.id) ?? entry], toJobError(error)),
    ),
  );
  await Promise.allSettled(settled);
  return Promise.all(settled);
}

export async function removeSecret(context: SecretContext, entry: LedgerEntry): Promise<WriteResult> {
  const { job, secrets } = context;
  const found = await secrets.describe(entry.remoteName);
  if (!found && isFresh(entry, job.run.now())) return deferFresh(job, entry);
  if (!found || found.deletionScheduledAt) {
    await job.ledger.store(removed(entry, job.run.now()));
    return { kind: 'deleted' };
  }
  const drift = findDrift(entry, toState(found), lookOf(job));
  if (drift === 'foreign') return refuse(job, entry, OWNERSHIP_LOST);
  if (drift && !job.planOptions.overwritesDrift) return reportDrift(job, entry, drift);
  const tried = await attempt(job, { entry, inFlight: { operation: 'delete', baseVersion: entry.remoteVersion } }, () =>
    deleteWithReplicas(context, entry, found),
  );
  if (tried.result) return tried.result;
  if (tried.error) return settleFailure(job, { before: entry, pending: tried.pending }, tried.error);
  await job.ledger.store(removed(entry, job.run.now()));
  return { kind: 'deleted' };
}

/**
 * AWS deletes no primary that still has replicas. One that somebody removed cannot be removed
 * again.
 */
async function deleteWithReplicas(
  { job, secrets }: SecretContext,
  entry: LedgerEntry,
  found: SecretMetadata,
): Promise<void> {
  const regions = new Set([...(entry.settings.replicaRegions ?? []), ...ownReplicas(entry)]);
  const replicas = [...regions].filter((region) => found.replicas?.[region] !== undefined);
  if (replicas.length > 0) await secrets.unreplicate(entry.remoteName, replicas);
  await secrets.delete(entry.remoteName, job.options.recoveryDays);
}
