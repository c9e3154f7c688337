/**
 * Whose key is it, and may a new one be made? Pure decisions over what ListAccessKeys shows and
 * what keyferry knows.
 *
 * Decision table of `decideSurvey`, in order (leftover: ours and never published). Keys whose
 * deletion AWS confirmed do not count, though the list may still show them.
 *
 *   at AWS                                       | decision
 *   ---------------------------------------------|-----------------------------------------------
 *   any key that is neither ours nor the         | blocked KEY_FOREIGN: its id, state, age and
 *     connection's own, active or inactive       |   last use (adopt it, or remove it)
 *   an orphan of ours that somebody re-activated | it is theirs now: foreign
 *   a leftover                                   | delete it, look again
 *   0 keys                                       | create; nothing to retire
 *   1 key: ours and active, or the connection's  | create; it is retired afterwards
 *   1 key: our quarantined orphan                | create; it is deleted after its day
 *   2 keys: 1 active, 1 quarantined and proven   | delete the orphan at once, look again
 *     unused                                     |
 *   2 keys: 1 active, 1 quarantined, not proven  | wait for its day to end, then delete it; an
 *                                                |   emergency does not wait
 *   2 or more keys that may be in use            | blocked KEY_FOREIGN: no room, and neither may go
 */
import { counted } from '../counted.ts';
import { CALL_DEADLINE_MS } from '../lease.ts';
import { QUARANTINE_MS } from './waits.ts';
import type { Intent, KeyUse, PhaseState, RemoteKey } from './rotation.ts';
import type { KnownKey } from './records.ts';

/** AWS allows two keys a user, inactive ones included. */
const KEYS_PER_USER = 2;

export interface KeyOwners {
  readonly now: Date;
  readonly remote: readonly RemoteKey[];
  readonly known: readonly KnownKey[];
  readonly quarantine: PhaseState['quarantine'];
  /** The access key that the connection itself signs with, if it is of that kind. */
  readonly connectionKeyId: string | undefined;
  /** Keys that another rotation or connection of this installation holds. */
  readonly heldElsewhere: readonly string[];
}

export type Survey =
  | { readonly decision: 'create'; readonly oldKeyIds: readonly string[]; readonly isSelf: boolean }
  | { readonly decision: 'delete'; readonly accessKeyId: string }
  | { readonly decision: 'wait'; readonly until: string; readonly accessKeyId: string }
  | { readonly decision: 'block'; readonly foreign: readonly RemoteKey[] };

/** `gone`: its deletion was answered, the list is behind. */
type Owner = 'live' | 'leftover' | 'quarantined' | 'foreign' | 'gone';

function ownerOf(key: RemoteKey, owners: KeyOwners): Owner {
  const state = owners.known.find((known) => known.accessKeyId === key.accessKeyId)?.state;
  if (owners.heldElsewhere.includes(key.accessKeyId)) return 'foreign';
  const quarantined = owners.quarantine.find((one) => one.accessKeyId === key.accessKeyId);
  if (quarantined) return key.isActive && isListCertain(quarantined, owners.now) ? 'foreign' : 'quarantined';
  switch (state) {
    case 'pending':
      return 'leftover';
    case 'deleted':
      return 'gone';
    case 'active':
    case 'retiring':
    case 'inactive':
      return 'live';
    case 'foreign':
      return 'foreign';
    case undefined:
      return key.accessKeyId === owners.connectionKeyId ? 'live' : 'foreign';
  }
}

/** Soon after it was made inactive the list may still show it active. */
function isListCertain(quarantined: PhaseState['quarantine'][number], now: Date): boolean {
  return now.getTime() >= Date.parse(quarantined.deleteAt) - QUARANTINE_MS + RECOVERY_DELAY_MS;
}

/** `hurry`: an emergency, which skips every wait that it can. */
export function decideSurvey(owners: KeyOwners, hurry: 'emergency' | 'none'): Survey {
  const of = (owner: Owner) => owners.remote.filter((key) => ownerOf(key, owners) === owner);
  const foreign = of('foreign');
  if (foreign.length > 0) return { decision: 'block', foreign };
  const [leftover] = of('leftover');
  if (leftover) return { decision: 'delete', accessKeyId: leftover.accessKeyId };
  const live = of('live');
  if (live.length >= KEYS_PER_USER) return { decision: 'block', foreign: live };
  if (owners.remote.length - of('gone').length >= KEYS_PER_USER) return makeRoom(of('quarantined'), owners, hurry);
  const oldKeyIds = live.map((key) => key.accessKeyId);
  return { decision: 'create', oldKeyIds, isSelf: oldKeyIds.some((id) => id === owners.connectionKeyId) };
}

function makeRoom(quarantined: readonly RemoteKey[], owners: KeyOwners, hurry: 'emergency' | 'none'): Survey {
  const ids = new Set(quarantined.map((key) => key.accessKeyId));
  const entries = owners.quarantine.filter((one) => ids.has(one.accessKeyId));
  const unused = entries.find(
    (one) => one.isProvenUnused || hurry === 'emergency' || new Date(one.deleteAt) <= owners.now,
  );
  if (unused) return { decision: 'delete', accessKeyId: unused.accessKeyId };
  const [first] = entries.toSorted((a, b) => a.deleteAt.localeCompare(b.deleteAt));
  return first
    ? { decision: 'wait', until: first.deleteAt, accessKeyId: first.accessKeyId }
    : { decision: 'block', foreign: owners.remote };
}

/** Keys at AWS that no known owner holds; `rotation create` warns about them. */
export function foreignKeys(owners: KeyOwners): readonly RemoteKey[] {
  return owners.remote.filter((key) => ownerOf(key, owners) === 'foreign');
}

/**
 * AWS reports uses late and gives no bound: a key that was used is expected to show it within this
 * time.
 */
const LAST_USE_LAG_MS = 4 * 3_600_000;
/**
 * Without permission to read the last use, nothing proves that a key is unused, and time alone
 * decides.
 */
const UNKNOWN_USE_MS = 24 * 3_600_000;

/**
 * From when on an unknown key without a use counts as unused, by the worker's clock. A database
 * that lost its last commits may have forgotten that it published the key; but a published key was
 * verified, and that use shows.
 */
export function unusedCertainAt({ createdAt }: RemoteKey, use: 'never' | 'denied', clock: Intent['clock']): Date {
  const lagMs = use === 'never' ? LAST_USE_LAG_MS : UNKNOWN_USE_MS;
  return new Date(createdAt.getTime() + lagMs - clock.aheadMs + clock.errorMs);
}

/** ListAccessKeys may lag: the result of a lost call is not checked sooner. */
export const RECOVERY_DELAY_MS = 30_000;
/**
 * A call leaves within this of its intent, or not at all: waiting for the budget or for PostgreSQL
 * must not carry it out of the window below.
 */
export const SEND_WITHIN_MS = 5_000;
/** What an abandoned run had in flight is checked once more. */
export const RECHECK_AFTER_MS = 15 * 60_000;

export type Recovery =
  | { readonly decision: 'none' }
  /** Exactly one unknown key in the window; whether it was used is asked next. */
  | { readonly decision: 'candidate'; readonly accessKeyId: string }
  | { readonly decision: 'ambiguous'; readonly candidates: readonly RemoteKey[] };

/**
 * Is there a key that a lost answer made? Only a key created while the call could run may be it;
 * one created before or after is somebody else's, and as soon as two are unknown nobody can tell
 * which.
 */
export function decideRecovery(intent: Intent, owners: KeyOwners): Recovery {
  const unknown = owners.remote.filter(
    (key) =>
      !intent.seen.includes(key.accessKeyId) &&
      !owners.known.some((known) => known.accessKeyId === key.accessKeyId) &&
      ownerOf(key, owners) === 'foreign' &&
      !owners.heldElsewhere.includes(key.accessKeyId),
  );
  const fitting = unknown.filter((key) => fits(intent, key));
  const [only] = fitting;
  if (only === undefined) return { decision: 'none' };
  return unknown.length === 1
    ? { decision: 'candidate', accessKeyId: only.accessKeyId }
    : { decision: 'ambiguous', candidates: unknown };
}

function fits(intent: Intent, key: RemoteKey): boolean {
  const { aheadMs, errorMs } = intent.clock;
  const sentAt = Date.parse(intent.sentAt) + aheadMs;
  const createdAt = key.createdAt.getTime();
  return createdAt >= sentAt - errorMs && createdAt <= sentAt + SEND_WITHIN_MS + CALL_DEADLINE_MS + errorMs;
}

/** `AKIA… (active, 412 days old, last used 2026-01-02 by s3 in eu-west-1)`. */
export function describeKey(key: RemoteKey, use: KeyUse, now: Date): string {
  const days = Math.max(0, Math.floor((now.getTime() - key.createdAt.getTime()) / 86_400_000));
  return `${key.accessKeyId} (${key.isActive ? 'active' : 'inactive'}, ${counted(days, 'day')} old, ${describeUse(use)})`;
}

export function describeUse(use: KeyUse): string {
  if (use === 'never') return 'never used';
  if (use === 'denied') return 'last use unknown';
  const by = use.service === undefined ? '' : ` by ${use.service}`;
  const where = use.region === undefined ? '' : ` in ${use.region}`;
  return `last used ${use.at.toISOString().slice(0, 16)}Z${by}${where}`;
}
