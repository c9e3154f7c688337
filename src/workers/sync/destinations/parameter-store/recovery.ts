/**
 * What became of a write to a parameter whose answer was lost. Only the value proves it: a version
 * can be somebody else's, and a takeover sets the ownership tag before the value.
 */
import { isOurs as isOursTag, whoseTags } from '../../../../domain/ownership.ts';
import { landed, notLanded, removed } from '../../../../domain/sync/entry.ts';
import type { RemoteState } from '../../../../domain/sync/inventory.ts';
import type { InFlight, LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { toJobError } from '../../../../errors.ts';
import type { LookContext } from './looks.ts';
import { fingerprintOf } from '../../values.ts';

interface Lost {
  readonly entry: LedgerEntry;
  readonly inFlight: InFlight;
  readonly state: RemoteState;
}

/** `state` is read after the write was lost. */
export async function recoverParameter(context: LookContext, entry: LedgerEntry, state: RemoteState): Promise<void> {
  const { inFlight } = entry;
  if (!inFlight) return;
  const found = await findLanded(context, { entry, inFlight, state });
  await context.job.ledger.store(found ?? notLanded(entry));
}

/** The row that the write left at AWS, or undefined when it never got there. */
async function findLanded(context: LookContext, lost: Lost): Promise<LedgerEntry | undefined> {
  const { entry, inFlight, state } = lost;
  if (inFlight.operation === 'delete') return state.exists ? undefined : removed(entry, context.job.run.now());
  if (!state.exists) return undefined;
  const version = inFlight.operation === 'create' ? '1' : String(Number(inFlight.baseVersion) + 1);
  if (Number(state.version) < Number(version) || !(await hasLanded(context, lost, version))) return undefined;
  // The date counts only while nobody has written since.
  const { id: folderId } = context.job.folder;
  const isLast = state.version === version && state.lastModified !== undefined;
  return landed(entry, version, isLast ? { folderId, lastModified: state.lastModified } : { folderId });
}

async function hasLanded(context: LookContext, lost: Lost, version: string): Promise<boolean> {
  if (lost.inFlight.operation === 'create') {
    const tags = await context.store.tagsOf(lost.entry.remoteName);
    if (!isOursTag(whoseTags(tags, context.job.owner))) return false;
  }
  return (await isOurValue(context, lost, version)) ?? lost.inFlight.operation !== 'adopt';
}

/**
 * Reads the version that the lost write would have made, the only case in which a value is read
 * from AWS. Undefined without permission to read it: then the next version right after the write
 * counts as keyferry's, except for a parameter that was still somebody else's. That one is written
 * again.
 */
async function isOurValue(
  { job, store }: LookContext,
  { entry, inFlight }: Lost,
  version: string,
): Promise<boolean | undefined> {
  try {
    const found = (await store.read([`${entry.remoteName}:${version}`])).get(entry.remoteName);
    if (!found) return false;
    const settings = inFlight.settings ?? entry.settings;
    return fingerprintOf(job, entry, { value: found.value, settings }) === inFlight.fingerprint;
  } catch (raw) {
    const error = toJobError(raw);
    if (error.disposition === 'fail') return undefined;
    throw error;
  }
}
