/** Whether a sync may take over an object that exists and is not owned by its ledger. Pure. */
import { errorTable } from '../../errors.ts';
import { isOurs, type Owner, whoseTags } from '../ownership.ts';
import { type RemoteState, SECURE } from './inventory.ts';
import type { LedgerEntry } from './ledger.ts';

export type Existing = Extract<RemoteState, { exists: true }>;

export interface TakeoverOptions {
  readonly onExisting: 'fail' | 'adopt';
  readonly owner: Owner;
}

const OTHER_SYNC = 'exists and carries the tag of another sync';
const OTHER_INSTALLATION = 'exists and belongs to another keyferry installation';

/** What to do where `onExisting: adopt` changes nothing. */
const nextSteps: Readonly<Record<string, string>> = {
  [OTHER_SYNC]:
    'Choose another name. If that sync is gone, remove the tag keyferry:sync at AWS and allow taking the object over with `onExisting: adopt`.',
  [OTHER_INSTALLATION]:
    'Choose another name. If that installation is gone, remove the tag keyferry:sync at AWS and allow taking the object over with `onExisting: adopt`.',
};

export function conflictNextStep(reason: string): string {
  return nextSteps[reason] ?? errorTable.SYNC_CONFLICT.nextStep;
}

/** Why the object is not taken over; undefined when it may be. */
export function findTakeoverProblem(
  state: Existing,
  options: TakeoverOptions,
  entry: Pick<LedgerEntry, 'observed'> | undefined,
): string | undefined {
  const whose = whoseTags(state.tags ?? {}, options.owner);
  if (whose === 'other-installation') return OTHER_INSTALLATION;
  if (whose === 'other-sync' && !state.formerOwner) return OTHER_SYNC;
  if (state.managedBy !== undefined) return `exists and is managed by ${state.managedBy}`;
  const isBelieved = isOurs(whose) && entry?.observed.wasOurs === true;
  if (options.onExisting === 'fail' && !isBelieved && !isLeftAsWritten(state)) return describeForeign(state, whose);
  if (state.type !== undefined && state.type !== SECURE)
    return `exists as ${state.type}, which keyferry never writes into; delete it first`;
  return undefined;
}

/** What to do with the object that has a name which was to be created. */
export type TakenName =
  /** It is owned, and scheduled for deletion. */
  | { readonly next: 'restore' }
  /** `isScheduled`: to be restored first. */
  | { readonly next: 'take-over'; readonly isScheduled: boolean }
  | { readonly next: 'refuse'; readonly reason: string };

export function judgeTaken(
  state: Existing,
  options: TakeoverOptions,
  entry: Pick<LedgerEntry, 'observed'> | undefined,
): TakenName {
  const isScheduled = state.deletionScheduledAt !== undefined;
  if (isScheduled && isOurs(whoseTags(state.tags ?? {}, options.owner))) return { next: 'restore' };
  if (isScheduled && !isLeftAsWritten(state))
    return { next: 'refuse', reason: 'is scheduled for deletion and is not managed by this sync' };
  const reason = findTakeoverProblem(state, options, entry);
  return reason === undefined ? { next: 'take-over', isScheduled } : { next: 'refuse', reason };
}

/** A deleted sync of the same folder left it, and nobody has written it since. */
export function isLeftAsWritten({ formerOwner, version }: Existing): boolean {
  return formerOwner?.isSameFolder === true && formerOwner.lastVersion === version;
}

/**
 * Tags that a deleted sync set and nobody has changed since: only these may go when its object is
 * taken over.
 */
export function leftTags({ formerOwner, tags = {} }: Existing): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(formerOwner?.tags ?? {}).filter(([key, value]) => tags[key] === value));
}

function describeForeign({ formerOwner }: Existing, whose: ReturnType<typeof whoseTags>): string {
  // Anybody who may set tags can set the ownership tag.
  if (isOurs(whose)) return 'carries the tag of this sync, which has no record of it';
  if (formerOwner?.isSameFolder) return 'was left by a deleted sync of this folder and has changed since';
  return formerOwner ? 'was left by a deleted sync of another folder' : 'exists and is not managed by this sync';
}
