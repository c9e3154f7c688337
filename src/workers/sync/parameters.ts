/** Parameter Store as a destination: looks, recovery and deletion; the writes are in `parameter-writes.ts`. */
import type { ParameterStore } from '../../aws/parameter-store.ts';
import { isOurs, whoseTags } from '../../domain/ownership.ts';
import { landed, notLanded, removed } from '../../domain/sync-entry.ts';
import { findDrift, findTagDrift, type Inventory, type RemoteState } from '../../domain/sync-inventory.ts';
import { type DriftKind, type InFlight, isOwned, type LedgerEntry } from '../../domain/sync-ledger.ts';
import { PARAMETERS_PER_CALL } from '../../domain/sync-rules.ts';
import { toJobError } from '../../errors.ts';
import { createBatcher } from '../../batcher.ts';
import { type Destination, type Finding, refuse, reportDrift, settleFailure, type WriteResult } from './destination.ts';
import { type ParameterContext, toState, writeParameter } from './parameter-writes.ts';
import { chunk, forEachPooled } from './pool.ts';
import { fingerprintOf } from './values.ts';
import { lookOf, type SyncWork } from './work.ts';

export function createParameters(work: SyncWork, store: ParameterStore): Destination {
  const look = createBatcher<string, RemoteState>(PARAMETERS_PER_CALL, async (names) => {
    const found = await store.inspect([...new Set(names)]);
    return names.map((name) => toState(found.get(name)));
  });
  const context: ParameterContext = { work, store, look };
  const inspect = (names: readonly string[]) => inspectAll(context, names);
  return {
    concurrency: 8,
    removalsPerCall: PARAMETERS_PER_CALL,
    inspect,
    identify: (names, inventory) => addTags(store, names, inventory),
    check: (entries) => check(context, entries),
    recover: (entry) => recover(context, entry),
    write: (task) => writeParameter(context, task),
    remove: (entries) => remove(context, entries),
  };
}

const CONCURRENT_LOOKS = 4;

async function inspectAll(
  { work, store }: Pick<ParameterContext, 'work' | 'store'>,
  names: readonly string[],
): Promise<Inventory> {
  const inventory = new Map<string, RemoteState>();
  const { signal } = work.run.scope;
  await forEachPooled(
    chunk(names, PARAMETERS_PER_CALL),
    { concurrency: CONCURRENT_LOOKS, mayStart: () => !signal.aborted },
    async (part) => {
      const found = await store.inspect(part);
      for (const name of part) inventory.set(name, toState(found.get(name)));
    },
  );
  signal.throwIfAborted();
  return inventory;
}

async function addTags(store: ParameterStore, names: readonly string[], inventory: Inventory): Promise<Inventory> {
  const identified = new Map(inventory);
  for (const name of names) {
    const state = inventory.get(name);
    if (state?.exists) identified.set(name, { ...state, tags: await store.tagsOf(name) });
  }
  return identified;
}

async function check({ work, store }: ParameterContext, entries: readonly LedgerEntry[]): Promise<readonly Finding[]> {
  const inventory = await inspectAll(
    { work, store },
    entries.map((entry) => entry.remoteName),
  );
  const look = lookOf(work);
  const findings = entries.map((entry): Finding => {
    const state = inventory.get(entry.remoteName) ?? { exists: false };
    const known = state.exists && state.lastModified !== undefined ? { lastModified: state.lastModified } : {};
    return { entry, drift: findDrift(entry, state, look) ?? keptDrift(entry), ...known };
  });
  const isThere = ({ entry }: Finding) => isOwned(entry) && inventory.get(entry.remoteName)?.exists === true;
  const sample = findings
    .filter(
      (finding) => isThere(finding) && (finding.drift === undefined || finding.drift === keptDrift(finding.entry)),
    )
    .sort((a, b) => tagsAge(a) - tagsAge(b))[0];
  if (!sample) return findings;
  const sampled = await checkTags({ work, store }, sample);
  return findings.map((finding) => (finding === sample ? sampled : finding));
}

/** What only a look at the tags can clear. */
function keptDrift({ drift }: LedgerEntry): DriftKind | undefined {
  return drift === 'tags' || drift === 'foreign' ? drift : undefined;
}

const tagsAge = ({ entry }: Finding): number => entry.tagsCheckedAt?.getTime() ?? 0;

/** AWS tells the tags of one parameter a call: each check looks at the one that has waited longest. */
async function checkTags(
  { work, store }: Pick<ParameterContext, 'work' | 'store'>,
  finding: Finding,
): Promise<Finding> {
  try {
    const tags = await store.tagsOf(finding.entry.remoteName);
    const entry = { ...finding.entry, tagsCheckedAt: work.run.now() };
    return { ...finding, entry, drift: findTagDrift(entry, tags, work.owner), isSample: true };
  } catch (raw) {
    const error = toJobError(raw);
    // Without the permission tags are not looked at; the check's result tells how long ago that was. What was deleted meanwhile is found by the next check.
    if (error.code === 'AWS_ACCESS_DENIED' || error.code === 'AWS_NOT_FOUND') return finding;
    throw error;
  }
}

/** What became of a write whose answer was lost: by version and tag, and where these leave it open, by the value's fingerprint. */
async function recover({ work, store, look }: ParameterContext, entry: LedgerEntry): Promise<void> {
  const { inFlight } = entry;
  if (!inFlight) return;
  const state = await look(entry.remoteName);
  await work.ledger.store((await findLanded({ work, store }, { entry, inFlight, state })) ?? notLanded(entry));
}

interface Lost {
  readonly entry: LedgerEntry;
  readonly inFlight: InFlight;
  readonly state: RemoteState;
}

/** The row that the write left at AWS, or undefined when it never got there. */
async function findLanded(
  context: Pick<ParameterContext, 'work' | 'store'>,
  lost: Lost,
): Promise<LedgerEntry | undefined> {
  const { entry, inFlight, state } = lost;
  if (inFlight.operation === 'delete') return state.exists ? undefined : removed(entry, context.work.run.now());
  if (!state.exists) return undefined;
  const version = inFlight.operation === 'create' ? '1' : String(Number(inFlight.baseVersion) + 1);
  if (Number(state.version) < Number(version) || !(await hasLanded(context, lost, version))) return undefined;
  // The date counts only while nobody has written since.
  const { id: folderId } = context.work.folder;
  const isLast = state.version === version && state.lastModified !== undefined;
  return landed(entry, version, isLast ? { folderId, lastModified: state.lastModified } : { folderId });
}

/** A new parameter by its tag, a new version by its value. */
async function hasLanded(
  context: Pick<ParameterContext, 'work' | 'store'>,
  lost: Lost,
  version: string,
): Promise<boolean> {
  if (lost.inFlight.operation !== 'create') return isOurValue(context, lost, version);
  const tags = await context.store.tagsOf(lost.entry.remoteName);
  return isOurs(whoseTags(tags, context.work.owner));
}

/** Reads the very version that the lost write would have made, the one case in which a value of AWS is looked at. */
async function isOurValue(
  { work, store }: Pick<ParameterContext, 'work' | 'store'>,
  { entry, inFlight }: Lost,
  version: string,
): Promise<boolean> {
  try {
    const found = (await store.read([`${entry.remoteName}:${version}`])).get(entry.remoteName);
    if (!found) return false;
    return (
      fingerprintOf(work, entry, { value: found.value, settings: inFlight.settings ?? entry.settings }) ===
      inFlight.fingerprint
    );
  } catch (raw) {
    const error = toJobError(raw);
    // Without the right to read it, the next version right after our write is taken for ours.
    if (error.disposition === 'fail') return true;
    throw error;
  }
}

async function remove(context: ParameterContext, entries: readonly LedgerEntry[]): Promise<readonly WriteResult[]> {
  const { store } = context;
  const states = await store.inspect(entries.map((entry) => entry.remoteName));
  const verdicts = await Promise.all(
    entries.map((entry) => judgeRemoval(context, entry, toState(states.get(entry.remoteName)))),
  );
  const doomed = entries.filter((_, index) => verdicts[index] === undefined);
  const result = await deleteParameters(context, doomed);
  const results = new Map(doomed.map((entry, index) => [entry.id, result[index]]));
  return entries.map((entry, index) => verdicts[index] ?? results.get(entry.id) ?? { kind: 'unchanged' });
}

/** Undefined: it is ours and there, so it is deleted. */
async function judgeRemoval(
  { work, store }: ParameterContext,
  entry: LedgerEntry,
  state: RemoteState,
): Promise<WriteResult | undefined> {
  if (!state.exists) {
    await work.ledger.store(removed(entry, work.run.now()));
    return { kind: 'deleted' };
  }
  const drift = findDrift(entry, state, lookOf(work));
  if (!drift) return undefined;
  if (!work.planOptions.overwritesDrift) return reportDrift(work, entry, drift);
  const tags = await store.tagsOf(entry.remoteName);
  return isOurs(whoseTags(tags, work.owner))
    ? undefined
    : refuse(work, entry, 'no longer carries our tag: somebody else took it over');
}

type Deleting = Pick<ParameterContext, 'work' | 'store'>;

async function deleteParameters(
  { work, store }: Deleting,
  entries: readonly LedgerEntry[],
): Promise<readonly WriteResult[]> {
  if (entries.length === 0) return [];
  const inFlight = {
    operation: 'delete' as const,
    runId: work.run.id,
    at: work.run.now().toISOString(),
    baseVersion: null,
  };
  const pending = entries.map((entry) => ({ ...entry, inFlight: { ...inFlight, baseVersion: entry.remoteVersion } }));
  await work.ledger.storeAll(pending);
  try {
    await store.delete(entries.map((entry) => entry.remoteName));
  } catch (raw) {
    const error = toJobError(raw);
    if (entries.length > 1 && error.code === 'AWS_ACCESS_DENIED') return deleteSingly({ work, store }, entries);
    return Promise.all(
      entries.map((entry, index) => settleFailure(work, { before: entry, pending: pending[index] ?? entry }, error)),
    );
  }
  await work.ledger.storeAll(entries.map((entry) => removed(entry, work.run.now())));
  return entries.map(() => ({ kind: 'deleted' }));
}

/** One name that may not be deleted refuses the whole call; singly, only that one stays. */
async function deleteSingly(context: Deleting, entries: readonly LedgerEntry[]): Promise<readonly WriteResult[]> {
  const results: WriteResult[] = [];
  for (const entry of entries) results.push(...(await deleteParameters(context, [entry])));
  return results;
}
