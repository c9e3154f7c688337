/**
 * A JSON secret that carries this sync's tag although its ledger does not know it: keyferry made
 * it, or took it over, after the backup of this database. It becomes a row with the drift
 * `later-create`, and what it holds of the folder's keys is compared like every later write.
 * Members that the folder lacks stay as they are: they carry no tags, so they may be somebody
 * else's.
 */
import { nameKey } from '../../domain/sync/plan.ts';
import { settingsFor } from '../../domain/sync/desired.ts';
import { drifted, inOrder, leftBehind, removed } from '../../domain/sync/entry.ts';
import { isOursByTag } from '../../domain/sync/inventory.ts';
import { isLater, isOwned, isSamePlace, type LedgerEntry, WHOLE_SECRET } from '../../domain/sync/ledger.ts';
import { findWhole } from '../../domain/sync/plan-document.ts';
import type { Existing } from '../../domain/sync/takeover.ts';
import { makeEntry } from './apply.ts';
import type { Destination } from './destinations/destination.ts';
import { isLive } from './later-objects.ts';
import type { SyncJob } from './job.ts';

export async function noteLaterDocument(job: SyncJob, destination: Destination): Promise<void> {
  if (!job.target.kind.holdsAllKeys) return;
  const remoteName = job.target.namePrefix;
  const known = wholeOf(job);
  if (known && (isOwned(known) || known.inFlight !== null) && known.drift !== 'later-create') return;
  const inventory = await destination.inspect([remoteName]);
  const state = inventory.get(remoteName);
  if (!isLive(state)) {
    if (known?.drift === 'later-create') await job.ledger.store(removed(known, job.run.now()));
    return;
  }
  if ((known && isOwned(known)) || isOursByTag(state, job.owner) !== true) return;
  const held = await job.deps.entries.heldByOthers(job.sync.id, job.place, [remoteName]);
  if (held.has(remoteName)) return;
  const members = await destination.lookInside(inventory);
  await job.ledger.storeAll([toWhole(job, state), ...toMembers(job, state, members)]);
}

/** When nothing in it waits for a decision any more, it is a secret of this sync like any other. */
export async function settleLaterDocument(job: Pick<SyncJob, 'ledger' | 'target' | 'planOptions'>): Promise<void> {
  const whole = wholeOf(job);
  if (whole?.drift !== 'later-create' || !isOwned(whole)) return;
  const waits = job.ledger
    .all()
    .some((entry) => entry.key !== WHOLE_SECRET && isIn(whole, entry) && isLater(entry.drift));
  if (!waits) await job.ledger.store({ ...inOrder(whole), fingerprint: '' });
}

const wholeOf = (job: Pick<SyncJob, 'ledger' | 'target' | 'planOptions'>): LedgerEntry | undefined =>
  findWhole(job.ledger.all(), { remoteName: job.target.namePrefix, options: job.planOptions });

const isIn = (whole: LedgerEntry, entry: LedgerEntry): boolean =>
  entry.remoteName === whole.remoteName && isSamePlace(entry, whole);

/** Whoever made it: it is never deleted as a whole, and read before it is written. */
function toWhole(job: SyncJob, state: Existing): LedgerEntry {
  const now = job.run.now();
  const remoteName = job.target.namePrefix;
  const row = makeEntry(job, { remoteName, key: WHOLE_SECRET });
  const { id } = wholeOf(job) ?? row;
  const settings = settingsFor({ metadata: {} }, job);
  const observed = { isCreated: false, hasForeignKeys: true };
  const whole = { ...row, id, settings, observed, remoteVersion: state.version };
  if (job.desired.length > 0) return drifted({ ...whole, isClaim: true }, 'later-create', now);
  const message = `${remoteName} was created after this database was backed up, and the folder has no key for it. Import it with \`keyferry sync import ${job.sync.name}\`, or delete it at AWS.`;
  return { ...leftBehind(drifted(whole, 'later-create', now), message, now), errorCode: 'SYNC_DRIFTED' };
}

function toMembers(job: SyncJob, state: Existing, members: ReadonlySet<string> = new Set()): readonly LedgerEntry[] {
  const remoteName = job.target.namePrefix;
  const rows = new Map(job.ledger.all().map((entry) => [nameKey(entry), entry]));
  return job.desired
    .filter((desired) => !desired.problem && members.has(desired.documentKey))
    .map((desired) => {
      const row = makeEntry(job, { remoteName, key: desired.key });
      const { id } = rows.get(nameKey({ remoteName, key: desired.key })) ?? row;
      const observed = { documentKey: desired.documentKey };
      return drifted({ ...row, id, observed, remoteVersion: state.version }, 'later-write', job.run.now());
    });
}
