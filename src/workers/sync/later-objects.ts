/**
 * Objects at AWS that carry this sync's tag although neither its ledger nor its folder knows them:
 * keyferry created them after the backup of this database. They become rows with the drift
 * `later-create`, which only a person decides. Only the comparison of a new epoch looks for them,
 * and later ones while such a row is open.
 */
import { drifted, leftBehind, removed } from '../../domain/sync/entry.ts';
import type { RemoteState } from '../../domain/sync/inventory.ts';
import { isOwned, type LedgerEntry, stateOf } from '../../domain/sync/ledger.ts';
import type { Existing } from '../../domain/sync/takeover.ts';
import { labelOf, sourceKeyOf } from '../../domain/sync/target.ts';
import { makeEntry } from './apply.ts';
import type { Destination } from './destinations/destination.ts';
import { isHere, type SyncJob } from './job.ts';
import type { Round } from './progress.ts';

export async function noteLaterObjects(round: Round, destination: Destination): Promise<void> {
  if (!destination.listOurs) return;
  const listed = await destination.listOurs();
  if (!listed) {
    round.advance({ isLookDenied: true });
    return;
  }
  const { job } = round;
  const rows = job.ledger.all().filter((entry) => isHere(job, entry));
  const isThere = (name: string): boolean => isLive(listed.get(name));
  const gone = rows.filter((entry) => entry.drift === 'later-create' && !isThere(entry.remoteName));
  const known = new Set(rows.filter(isOnRecord).map((entry) => entry.remoteName));
  const wanted = new Set(job.desired.map((one) => one.remoteName));
  const names = [...listed.keys()].filter((name) => isThere(name) && !known.has(name) && !wanted.has(name));
  const held = await job.deps.entries.heldByOthers(job.sync.id, job.place, names);
  const now = job.run.now();
  await job.ledger.storeAll([
    ...gone.map((entry) => removed(entry, now)),
    ...names.map((name) => toRow(job, { name, state: listed.get(name), isHeld: held.has(name) })),
  ]);
}

export function isLive(state: RemoteState | undefined): state is Existing {
  return state?.exists === true && state.deletionScheduledAt === undefined;
}

/** Owned, in flight, or reported as left behind. */
function isOnRecord(entry: LedgerEntry): boolean {
  return isOwned(entry) || entry.inFlight !== null || stateOf(entry) === 'left-behind';
}

interface Later {
  readonly name: string;
  readonly state: RemoteState | undefined;
  /** Another sync has the name on record. */
  readonly isHeld: boolean;
}

/** An object under a name that this sync does not give today is reported, and no run deletes it. */
function toRow(job: SyncJob, { name, state, isHeld }: Later): LedgerEntry {
  const now = job.run.now();
  const sourceKey = isHeld ? undefined : sourceKeyOf(job.target, name);
  const key = sourceKey ?? labelOf(job.target, name);
  const isSame = (entry: LedgerEntry) => isHere(job, entry) && entry.remoteName === name && entry.key === key;
  const { id } = job.ledger.all().find(isSame) ?? { id: crypto.randomUUID() };
  const version = state?.exists === true ? state.version : null;
  const entry = { ...makeEntry(job, { remoteName: name, key }), id, remoteVersion: version };
  if (sourceKey !== undefined) return drifted({ ...entry, isClaim: true }, 'later-create', now);
  const outside = drifted(entry, 'later-create', now);
  const message = `${name} was created after this database was backed up, under a name that this sync does not give today. Delete it at AWS, or point the sync at it again.`;
  return { ...leftBehind(outside, message, now), errorCode: 'SYNC_DRIFTED' };
}
