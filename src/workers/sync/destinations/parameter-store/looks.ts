/**
 * Fresh reads of parameters: does it exist, and is it owned? One precedes every overwrite and every
 * deletion.
 *
 *   DescribeParameters, 50 names, narrowed to our tag → ours, with version, type and key
 *   what it leaves out: GetParameters                 → missing, or
 *                       ListTagsForResource           → ours (the search lags), somebody else's
 *
 * Where DescribeParameters is denied, the second and third step do all of it.
 */
import type { Described, ParameterMetadata, ParameterStore } from '../../../../aws/parameter-store.ts';
import { defined } from '../../../../domain/defined.ts';
import { isOurs, OWNERSHIP_TAG, ownershipTags, whoseTags } from '../../../../domain/ownership.ts';
import { type Inventory, isFresh, type RemoteState } from '../../../../domain/sync/inventory.ts';
import { PARAMETERS_PER_CALL, PARAMETERS_PER_LOOK } from '../../../../domain/destinations/parameter-store.ts';
import { type JobError, toJobError } from '../../../../errors.ts';
import { chunk, forEachPooled } from '../../../../concurrency/pool.ts';
import type { SyncJob } from '../../job.ts';

/** How old a read may be when the write that relies on it is prepared. */
const LOOK_MAX_AGE_MS = 5_000;
const CONCURRENT_CALLS = 4;

export interface LookContext {
  readonly job: SyncJob;
  readonly store: ParameterStore;
}

export interface ParameterLooks {
  /** Names in the order in which they will be read: 50 share a call. */
  expect(names: readonly string[]): void;
  /** At most LOOK_MAX_AGE_MS old. Says whether an existing parameter is owned. */
  look(name: string): Promise<RemoteState>;
  /** The next read of this name asks AWS again. */
  forget(name: string): void;
  /** Without age limit: all of these names now. */
  lookAll(names: readonly string[]): Promise<Inventory>;
}

type Looked = { readonly state: RemoteState; readonly error?: undefined } | { readonly error: JobError };
type Batch = Promise<ReadonlyMap<string, Looked>>;

export function createLooks(context: LookContext): ParameterLooks {
  const kept = new Map<string, { readonly atMs: number; readonly batch: Batch }>();
  let parts = new Map<string, readonly string[]>();
  const nowMs = () => context.job.run.now().getTime();
  const isKept = (name: string) => nowMs() - (kept.get(name)?.atMs ?? Number.NEGATIVE_INFINITY) <= LOOK_MAX_AGE_MS;
  const start = (name: string): Batch => {
    const names = [name, ...(parts.get(name) ?? []).filter((other) => other !== name && !isKept(other))];
    const batch = lookAt(context, names);
    for (const one of names) kept.set(one, { atMs: nowMs(), batch });
    return batch;
  };
  return {
    expect(names) {
      parts = new Map(chunk(names, PARAMETERS_PER_LOOK).flatMap((part) => part.map((name) => [name, part] as const)));
    },
    async look(name) {
      const batch = isKept(name) ? kept.get(name)?.batch : undefined;
      try {
        return stateOf(await (batch ?? start(name)), name);
      } catch (error) {
        kept.delete(name);
        throw error;
      }
    },
    forget: (name) => kept.delete(name),
    async lookAll(names) {
      const looked = await lookAt(context, names);
      return new Map(names.map((name) => [name, stateOf(looked, name)]));
    },
  };
}

function stateOf(looked: ReadonlyMap<string, Looked>, name: string): RemoteState {
  const found = looked.get(name);
  if (found?.error) throw found.error;
  return found?.state ?? { exists: false };
}

async function lookAt(context: LookContext, names: readonly string[]): Batch {
  const ours = await describeOurs(context, names);
  const looked = new Map<string, Looked>();
  for (const [name, metadata] of ours?.found ?? []) looked.set(name, { state: { ...toState(metadata), isOurs: true } });
  const others = names.filter((name) => !looked.has(name));
  const seen = await inspectAll(context, others);
  await forEachPooled(others, poolOf(context), async (name) => {
    looked.set(name, await identify(context, name, seen.get(name) ?? { exists: false }));
  });
  context.job.run.scope.signal.throwIfAborted();
  return looked;
}

/**
 * Undefined where the role may not describe: DescribeParameters cannot be limited to names, and
 * narrow roles leave it out.
 */
export async function describeOurs(context: LookContext, names: readonly string[]): Promise<Described | undefined> {
  const { job, store } = context;
  const tag = { key: OWNERSHIP_TAG, values: ownershipTags(job.owner) };
  const found = new Map<string, ParameterMetadata>();
  let isComplete = true;
  try {
    await forEachPooled(chunk(names, PARAMETERS_PER_LOOK), poolOf(context), async (part) => {
      const described = await store.describe(part, tag);
      isComplete &&= described.isComplete;
      for (const [name, metadata] of described.found) found.set(name, metadata);
    });
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code === 'AWS_ACCESS_DENIED') return undefined;
    throw error;
  }
  job.run.scope.signal.throwIfAborted();
  return { found, isComplete };
}

/** Undefined where the role may not describe. */
export async function listOurs({ job, store }: LookContext): Promise<Inventory | undefined> {
  const inventory = new Map<string, RemoteState>();
  try {
    for await (const page of store.list({ key: OWNERSHIP_TAG, values: ownershipTags(job.owner) })) {
      for (const [name, metadata] of page) inventory.set(name, { ...toState(metadata), isOurs: true });
    }
    return inventory;
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code === 'AWS_ACCESS_DENIED') return undefined;
    throw error;
  }
}

/** Versions by ten; says nothing about ownership. */
export async function inspectAll(context: LookContext, names: readonly string[]): Promise<Inventory> {
  const inventory = new Map<string, RemoteState>();
  await forEachPooled(chunk(names, PARAMETERS_PER_CALL), poolOf(context), async (part) => {
    const found = await context.store.inspect(part);
    for (const name of part) {
      const metadata = found.get(name);
      inventory.set(name, metadata ? toState(metadata) : { exists: false });
    }
  });
  context.job.run.scope.signal.throwIfAborted();
  return inventory;
}

/** A missing parameter has no owner; one that was just written may only seem missing. */
async function identify({ job, store }: LookContext, name: string, state: RemoteState): Promise<Looked> {
  const isLagging = () => job.ledger.all().some((entry) => entry.remoteName === name && isFresh(entry, job.run.now()));
  if (!state.exists && !isLagging()) return { state };
  try {
    const tags = await store.tagsOf(name);
    if (state.exists) return { state: { ...state, tags } };
    return { state: isOurs(whoseTags(tags, job.owner)) ? state : { exists: true, version: '', tags } };
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code === 'AWS_NOT_FOUND') return { state: { exists: false } };
    if (error.disposition !== 'fail') throw error;
    return { error };
  }
}

const poolOf = ({ job }: LookContext) => ({
  concurrency: CONCURRENT_CALLS,
  mayStart: () => !job.run.scope.signal.aborted,
});

export function toState(metadata: ParameterMetadata): Extract<RemoteState, { exists: true }> {
  const { version, type, lastModified, keyId } = metadata;
  return {
    exists: true,
    version,
    ...defined({ type, lastModified, keyId }),
  };
}
