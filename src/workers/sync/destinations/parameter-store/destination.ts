/**
 * Parameter Store as a destination. Reads, checks, recovery, writes and deletions are in the files
 * beside it.
 */
import type { ParameterStore } from '../../../../aws/parameter-store.ts';
import { createBatcher } from '../../../../concurrency/batcher.ts';
import { forEachPooled } from '../../../../concurrency/pool.ts';
import type { Inventory, RemoteState } from '../../../../domain/sync/inventory.ts';
import { isOwned } from '../../../../domain/sync/ledger.ts';
import { PARAMETERS_PER_CALL } from '../../../../domain/destinations/parameter-store.ts';
import type { Destination } from '../destination.ts';
import { applyEach, type WriteTask } from '../apply-each.ts';
import { checkParameters } from './check.ts';
import { createLooks, inspectAll, listOurs, type LookContext, type ParameterLooks } from './looks.ts';
import { readParameters } from './read.ts';
import { recoverParameter } from './recovery.ts';
import { removeParameters } from './removal.ts';
import { writeParameter } from './writes.ts';
import { isHere, type SyncJob } from '../../job.ts';

export function createParameters(job: SyncJob, store: ParameterStore): Destination {
  const looks = createLooks({ job, store });
  const context = { job, store, looks };
  const inspect = createBatcher<string, RemoteState>(PARAMETERS_PER_CALL, async (names) => {
    const found = await inspectAll(context, [...new Set(names)]);
    return names.map((name) => found.get(name) ?? { exists: false });
  });
  const writer = {
    concurrency: 8,
    expect: (names: readonly string[]) => {
      looks.expect(names);
    },
    write: (task: WriteTask) => writeParameter(context, task),
  };
  return {
    removalsPerCall: PARAMETERS_PER_CALL,
    expect: writer.expect,
    inspect: (names) => inspectBoth(context, names),
    identify: (names, inventory) => addTags(store, names, inventory),
    check: (entries) => checkParameters(context, entries),
    recover: async (entry) => recoverParameter(context, entry, await inspect(entry.remoteName)),
    listOurs: () => listOurs(context),
    lookInside: () => Promise.resolve(undefined),
    apply: (plan, { slice }) => applyEach({ job, slice, writer }, plan),
    readAll: () => readParameters(job, store),
    remove: (entries) => removeParameters(context, entries),
  };
}

/** What the ledger owns is read with its tag, everything else by version. */
async function inspectBoth(
  context: LookContext & { readonly looks: ParameterLooks },
  names: readonly string[],
): Promise<Inventory> {
  const entries = context.job.ledger.all().filter((entry) => isHere(context.job, entry) && isOwned(entry));
  const owned = new Set(entries.map((entry) => entry.remoteName));
  const [ours, others] = await Promise.all([
    context.looks.lookAll(names.filter((name) => owned.has(name))),
    inspectAll(
      context,
      names.filter((name) => !owned.has(name)),
    ),
  ]);
  return new Map([...ours, ...others]);
}

const CONCURRENT_LOOKS = 8;

async function addTags(store: ParameterStore, names: readonly string[], inventory: Inventory): Promise<Inventory> {
  const identified = new Map(inventory);
  await forEachPooled(names, { concurrency: CONCURRENT_LOOKS, mayStart: () => true }, async (name) => {
    const state = inventory.get(name);
    if (state?.exists) identified.set(name, { ...state, tags: await store.tagsOf(name) });
  });
  return identified;
}
