/**
 * Objects whose tag names another sync: was that sync one of this installation, and is it deleted?
 */
import { createBatcher } from '../../concurrency/batcher.ts';
import type { MarkedObject, Tombstones } from '../../db/sync/tombstones.ts';
import { OWNERSHIP_TAG, type Owner, parseOwnershipTag, whoseTags } from '../../domain/ownership.ts';
import type { FormerOwner, Inventory, RemoteState } from '../../domain/sync/inventory.ts';
import type { AwsLocation } from '../../domain/sync/ledger.ts';
import type { Existing } from '../../domain/sync/takeover.ts';

export type FindFormerOwner = (object: MarkedObject) => Promise<FormerOwner | undefined>;

const BATCH = 200;

interface Asker {
  readonly owner: Owner;
  readonly orgId: string;
  readonly folderId: string;
  readonly place: AwsLocation;
}

export function createFormerOwners(tombstones: Tombstones, { owner, ...asker }: Asker): FindFormerOwner {
  const finder = { installationId: owner.installationId, ...asker };
  return createBatcher<MarkedObject, FormerOwner | undefined>(BATCH, async (objects) => {
    const found = await tombstones.find(finder, objects);
    return objects.map((object) => found.get(object.remoteName));
  });
}

interface FormerOwnersContext {
  readonly owner: Owner;
  readonly findFormerOwner: FindFormerOwner;
}

/** The state with its former owner, where there is one. */
export async function withFormerOwner(
  { owner, findFormerOwner }: FormerOwnersContext,
  remoteName: string,
  state: Existing,
): Promise<Existing> {
  const value = state.tags?.[OWNERSHIP_TAG];
  if (value === undefined || whoseTags(state.tags ?? {}, owner) !== 'other-sync') return state;
  const { installationId, syncId } = parseOwnershipTag(value);
  const formerOwner = await findFormerOwner({ remoteName, syncId, isOfInstallation: installationId !== undefined });
  return formerOwner ? { ...state, formerOwner } : state;
}

export async function withFormerOwners(context: FormerOwnersContext, inventory: Inventory): Promise<Inventory> {
  const named = [...inventory].map(async ([name, state]): Promise<readonly [string, RemoteState]> => [
    name,
    state.exists ? await withFormerOwner(context, name, state) : state,
  ]);
  return new Map(await Promise.all(named));
}
