/** The search for everything that carries the tag of a sync, by the page. */
import { OWNERSHIP_TAG, ownershipTags } from '../../../../domain/ownership.ts';
import type { Inventory, RemoteState } from '../../../../domain/sync/inventory.ts';
import { toJobError } from '../../../../errors.ts';
import { type SecretContext, toState } from './writes.ts';

/**
 * Undefined where the role may not list: ListSecrets cannot be limited to names, and narrow roles
 * leave it out.
 */
export async function listOurs({ job, secrets }: SecretContext): Promise<Inventory | undefined> {
  const found = new Map<string, RemoteState>();
  try {
    for await (const page of secrets.list({ tagKey: OWNERSHIP_TAG, tagValues: ownershipTags(job.owner) })) {
      for (const one of page) found.set(one.name, toState(one));
    }
    return found;
  } catch (raw) {
    const error = toJobError(raw);
    if (error.code === 'AWS_ACCESS_DENIED') return undefined;
    throw error;
  }
}
