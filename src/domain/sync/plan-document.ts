/**
 * The plan of a many-to-one sync: one JSON secret whose keys are planned like objects of their own.
 * Keys that are not in the ledger are somebody else's and stay. Pure.
 */
import { type RemoteState, isOursByTag } from './inventory.ts';
import { isOwned, isSamePlace, type LedgerEntry, WHOLE_SECRET } from './ledger.ts';
import { type Plan, type PlanInput, type PlannedEntry, planSync, withoutUnreplaced } from './plan.ts';
import { findTakeoverProblem, isLeftAsWritten } from './takeover.ts';

export interface DocumentPlanInput extends Omit<PlanInput, 'inventory'> {
  readonly remoteName: string;
  /** The secret as a whole; undefined when it was not read. */
  readonly state?: RemoteState | undefined;
  /** The keys it holds; undefined when its value was not read. */
  readonly documentKeys?: ReadonlySet<string> | undefined;
}

/** The row that stands for the secret as a whole. */
export function findWhole(
  ledger: readonly LedgerEntry[],
  input: Pick<DocumentPlanInput, 'remoteName' | 'options'>,
): LedgerEntry | undefined {
  return ledger.find(
    (entry) =>
      entry.key === WHOLE_SECRET && entry.remoteName === input.remoteName && isSamePlace(entry, input.options.place),
  );
}

export function planDocument(input: DocumentPlanInput): Plan {
  const plan = planSync(input);
  const whole = findWhole(input.ledger, input);
  const refusal = findWholeProblem(input, whole);
  const renamed = plan.unchanged.filter(isRenamed).map(toRename);
  const unchanged = plan.unchanged.filter((one) => !isRenamed(one));
  const entries = [...plan.entries, ...renamed].map((one) => (refusal ? refused(one, refusal) : planKey(one, input)));
  return { entries: withoutUnreplaced(entries), unchanged };
}

/**
 * A changed key schema renames the key inside the same secret, which the plan of objects does not
 * see.
 */
function isRenamed({ desired, entry, drift }: PlannedEntry): boolean {
  const oldName = entry?.observed.documentKey;
  return desired !== undefined && oldName !== undefined && oldName !== desired.documentKey && drift === undefined;
}

function toRename(one: PlannedEntry): PlannedEntry {
  const [before, after] = [one.entry?.observed.documentKey ?? '', one.desired?.documentKey ?? ''];
  return { ...one, action: 'update', reason: `${before} is called ${after} in the secret now` };
}

/** Why the secret as a whole may not be written; undefined when it may. */
function findWholeProblem(input: DocumentPlanInput, whole: LedgerEntry | undefined): string | undefined {
  const { state } = input;
  const isOurs = whole !== undefined && isOwned(whole);
  if (!state?.exists || isOurs) return undefined;
  if (whole?.inFlight?.token !== undefined && state.versions?.[whole.inFlight.token]) return undefined;
  const isMarked = isOursByTag(state, input.options.owner) === true;
  if (state.deletionScheduledAt && (isMarked || isLeftAsWritten(state))) return undefined;
  if (state.deletionScheduledAt)
    return 'a secret of this name is scheduled for deletion and is not managed by this sync';
  return findTakeoverProblem(state, input.options, whole);
}

function refused(one: PlannedEntry, reason: string): PlannedEntry {
  return one.action === 'invalid'
    ? one
    : { ...one, action: 'conflict', code: 'SYNC_CONFLICT', reason: `the secret ${reason}` };
}

function planKey(one: PlannedEntry, input: DocumentPlanInput): PlannedEntry {
  const isNewName = one.action === 'create' || (one.action === 'update' && isRenamed(one));
  if (!isNewName || !one.desired || input.documentKeys?.has(one.desired.documentKey) !== true) return one;
  if (ownKeys(input).has(one.desired.documentKey)) return one;
  if (leftKeys(input.state).has(one.desired.documentKey))
    return { ...one, action: 'adopt', reason: 'the key was left by a deleted sync of this folder' };
  // A key left by a crash between a write and its record is the sync's own, not foreign: recovery
  // has settled that before.
  if (input.options.onExisting === 'adopt')
    return { ...one, action: 'adopt', reason: 'the key exists and is not managed by this sync; adoption is allowed' };
  return {
    ...one,
    action: 'conflict',
    code: 'SYNC_CONFLICT',
    reason: 'the key exists in the secret and is not managed by this sync',
  };
}

/**
 * Names inside the secret that a deleted sync of this folder left, if nobody has written the secret
 * since.
 */
export function leftKeys(state: RemoteState | undefined): ReadonlySet<string> {
  const isLeft = state?.exists === true && isLeftAsWritten(state);
  return new Set(isLeft ? state.formerOwner?.documentKeys : []);
}

/** Names inside the secret that the sync owns, by the ledger. */
function ownKeys({ ledger, remoteName, options }: DocumentPlanInput): ReadonlySet<string> {
  const ours = ledger.filter(
    (entry) =>
      entry.remoteName === remoteName &&
      entry.key !== WHOLE_SECRET &&
      isOwned(entry) &&
      isSamePlace(entry, options.place),
  );
  return new Set(ours.map((entry) => entry.observed.documentKey ?? entry.key));
}
