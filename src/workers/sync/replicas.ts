/**
 * AWS replicates after it has answered: whether the replicas of what was written are complete is
 * asked at the end of a round.
 */
import { driftMessage, drifted } from '../../domain/sync/entry.ts';
import { areReplicasInSync, findDrift, type RemoteState } from '../../domain/sync/inventory.ts';
import { isOwned, type LedgerEntry } from '../../domain/sync/ledger.ts';
import { faultOf, ownReplicas, type Replicas, type ReplicaWish, wantedReplicas } from '../../domain/sync/replicas.ts';
import { openDestination } from './destinations/open.ts';
import { isHere, lookOf, type SyncJob } from './job.ts';

/**
 * One DescribeSecret for each secret with replicas that was not seen complete since its last write.
 * True while AWS still replicates one of them.
 */
export async function confirmReplicas(job: SyncJob): Promise<boolean> {
  const unconfirmed = job.ledger.all().filter((entry) => isHere(job, entry) && isUnconfirmed(entry));
  if (unconfirmed.length === 0) return false;
  const destination = openDestination(job, job.target.kind);
  const states = await destination.inspect(unconfirmed.map((entry) => entry.remoteName));
  const verdicts = unconfirmed.map((entry) => judge(job, entry, states.get(entry.remoteName) ?? { exists: false }));
  await job.ledger.storeAll(verdicts.filter((verdict) => verdict !== undefined));
  return verdicts.some((verdict) => verdict === undefined);
}

function isUnconfirmed(entry: LedgerEntry): boolean {
  const hasReplicas = (entry.settings.replicaRegions ?? []).length > 0;
  return hasReplicas && isOwned(entry) && entry.inFlight === null && entry.observed.areReplicasInSync !== true;
}

/** The row to store; undefined while AWS still replicates. */
function judge(job: Pick<SyncJob, 'owner' | 'run'>, entry: LedgerEntry, state: RemoteState): LedgerEntry | undefined {
  if (areReplicasInSync(entry, state) === true)
    return { ...entry, observed: { ...entry.observed, areReplicasInSync: true } };
  const drift = findDrift(entry, state, lookOf(job));
  if (drift === undefined) return undefined;
  if (drift !== 'replica' || !state.exists) return drifted(entry, drift, job.run.now());
  const message = `${driftMessage(entry, drift)} ${reasonsOf(entry, state.replicas ?? {})}`;
  return { ...drifted(entry, drift, job.run.now()), errorMessage: message };
}

function reasonsOf(entry: LedgerEntry, replicas: Replicas): string {
  const broken = wantedReplicas(entry.settings).filter((wish) => faultOf(wish, replicas) !== undefined);
  return broken.map((wish) => `${wish.region}: ${reasonOf(entry, wish, replicas)}.`).join(' ');
}

/** By what AWS is known to say, never its own text. */
function reasonOf(entry: LedgerEntry, wish: ReplicaWish, replicas: Replicas): string {
  const { message = '', status } = replicas[wish.region] ?? {};
  if (status === undefined) return 'there is no replica';
  if (status === 'Failed' && /already exists/i.test(message))
    return 'another secret of this name exists there; delete it or give up the replica';
  if (status === 'Failed' && /kms/i.test(message)) return 'its KMS key cannot be used there';
  if (status === 'Failed')
    return 'AWS reports that the replication failed; `aws secretsmanager describe-secret` shows why';
  return ownReplicas(entry).includes(wish.region)
    ? 'the replica has another KMS key than was set'
    : 'the replica has another KMS key, and keyferry did not make it; remove it with `aws secretsmanager remove-regions-from-replication`';
}
