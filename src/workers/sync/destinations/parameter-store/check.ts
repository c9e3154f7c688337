/**
 * The drift check of parameters: 50 a call where the role may describe them, else 10 a call and the
 * tags of one.
 */
import { drifted } from '../../../../domain/sync/entry.ts';
import {
  findDrift,
  findTagDrift,
  type Inventory,
  isFresh,
  isUndecided,
  type RemoteState,
} from '../../../../domain/sync/inventory.ts';
import { type DriftKind, isOwned, type LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { toJobError } from '../../../../errors.ts';
import type { DriftFinding } from '../destination.ts';
import { describeOurs, inspectAll, type LookContext, toState } from './looks.ts';
import { forEachPooled } from '../../../../concurrency/pool.ts';
import { lookOf } from '../../job.ts';

export async function checkParameters(
  context: LookContext,
  entries: readonly LedgerEntry[],
): Promise<readonly DriftFinding[]> {
  const owned = entries.filter(isOwned);
  const ours = await describeOurs(context, toNames(owned));
  const inventory = new Map<string, RemoteState>();
  for (const [name, metadata] of ours?.found ?? []) inventory.set(name, { ...toState(metadata), isOurs: true });
  const others = entries.filter((entry) => !inventory.has(entry.remoteName));
  for (const [name, state] of await inspectAll(context, toNames(others))) inventory.set(name, state);
  const suspects = ours ? others.filter((entry) => isOwned(entry) && inventory.get(entry.remoteName)?.exists) : [];
  const foreign = await confirmForeign(context, suspects);
  const findings = entries.map((entry) => toFinding(context, entry, { inventory, foreign }));
  return sampleTags(context, findings, inventory);
}

const toNames = (entries: readonly LedgerEntry[]): readonly string[] => entries.map((entry) => entry.remoteName);

/**
 * They exist, but the search did not return them as owned: their tags decide. Each verdict is
 * stored immediately, so that a check that has to give up its slot does not read them again. The
 * search may lag behind keyferry's own write: those are left for the next check.
 */
async function confirmForeign(context: LookContext, suspects: readonly LedgerEntry[]): Promise<ReadonlySet<string>> {
  const { job, store } = context;
  const now = job.run.now();
  const foreign = new Set(suspects.filter((entry) => entry.drift === 'foreign').map((entry) => entry.id));
  const open = suspects.filter((entry) => !foreign.has(entry.id) && !isFresh(entry, now));
  const pool = { concurrency: CONCURRENT_LOOKS, mayStart: () => !job.run.scope.signal.aborted };
  await forEachPooled(open, pool, async (entry) => {
    const tags = await tagsUnlessDenied(store, entry.remoteName);
    if (tags !== undefined && findTagDrift(entry, tags, job.owner) !== 'foreign') return;
    foreign.add(entry.id);
    await job.ledger.store(drifted(entry, 'foreign', now));
  });
  job.run.scope.signal.throwIfAborted();
  return foreign;
}

const CONCURRENT_LOOKS = 4;

/** Undefined: the role may not list tags, or the parameter was deleted meanwhile. */
async function tagsUnlessDenied(
  store: LookContext['store'],
  name: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    return await store.tagsOf(name);
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code === 'AWS_ACCESS_DENIED' || error.code === 'AWS_NOT_FOUND') return undefined;
    throw error;
  }
}

interface Seen {
  readonly inventory: Inventory;
  readonly foreign: ReadonlySet<string>;
}

function toFinding({ job }: LookContext, entry: LedgerEntry, { inventory, foreign }: Seen): DriftFinding {
  const state = inventory.get(entry.remoteName) ?? { exists: false };
  const known = state.exists && state.lastModified !== undefined ? { lastModified: state.lastModified } : {};
  if (foreign.has(entry.id)) return { entry, drift: 'foreign', isIdentified: true, ...known };
  const isIdentified = !state.exists || state.isOurs === true;
  if (isUndecided(entry, state, job.run.now()))
    return { entry, drift: undefined, isUndecided: true, isIdentified, ...known };
  const drift = findDrift(entry, state, lookOf(job)) ?? keptDrift(entry, state);
  return { entry, drift, isIdentified, ...known };
}

/** What only the tags can clear. */
function keptDrift({ drift }: LedgerEntry, state: RemoteState): DriftKind | undefined {
  const isForeign = drift === 'foreign' && !(state.exists && state.isOurs === true);
  return drift === 'tags' || isForeign ? drift : undefined;
}

/**
 * AWS returns the tags of one parameter per call: each check reads those of the one that has waited
 * longest.
 */
async function sampleTags(
  context: LookContext,
  findings: readonly DriftFinding[],
  inventory: Inventory,
): Promise<readonly DriftFinding[]> {
  const sample = findings.filter((finding) => needsTags(finding, inventory)).sort((a, b) => tagsAge(a) - tagsAge(b))[0];
  if (!sample) return findings;
  const { entry } = sample;
  const tags = await tagsUnlessDenied(context.store, entry.remoteName);
  // The check's result says how long ago the tags were last seen.
  if (tags === undefined) return findings;
  const seen = { ...entry, tagsCheckedAt: context.job.run.now() };
  const drift = findTagDrift(seen, tags, context.job.owner);
  return findings.map((finding) =>
    finding === sample ? { ...sample, entry: seen, drift, isRowChanged: true } : finding,
  );
}

const tagsAge = ({ entry }: DriftFinding): number => entry.tagsCheckedAt?.getTime() ?? 0;

/** Owned and there, and only its tags were not in the answer. */
function needsTags({ entry, drift }: DriftFinding, inventory: Inventory): boolean {
  const state = inventory.get(entry.remoteName);
  if (!isOwned(entry) || state?.exists !== true) return false;
  if (drift !== undefined && drift !== 'tags' && (drift !== 'foreign' || entry.drift !== 'foreign')) return false;
  return state.isOurs !== true || hasOwnTags(entry);
}

/** Configured tags or metadata, besides the ownership tag. */
function hasOwnTags(entry: LedgerEntry): boolean {
  return Object.keys(entry.settings.tags).length > 0;
}
