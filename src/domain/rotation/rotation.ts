/**
 * What a rotation is: its phases, what a phase remembers (`phase_state`), its keys, and the changes
 * that a step writes. Times are ISO text in the state and milliseconds in arithmetic. Nothing here
 * holds a secret besides `KeyChange`, which the store encrypts.
 */
import { z } from 'zod';

import type { KeyState, KnownKey } from './records.ts';
import { type OpenRequest, readRequests, type RequestedRotation } from './wishes.ts';

export const rotationPhases = [
  'idle',
  'creating',
  'verifying',
  'publishing',
  'quiet',
  'deactivating',
  'hold',
  'deleting',
] as const;
export type RotationPhase = (typeof rotationPhases)[number];

const beforeQuiet: ReadonlySet<RotationPhase> = new Set(['creating', 'verifying', 'publishing']);

/** A cycle is under way whose new key not all consumers have. */
export const isBeforeQuiet = (phase: RotationPhase): boolean => beforeQuiet.has(phase);

/** All consumers have the new key, and the old one is being retired. */
export const isRetiring = (phase: RotationPhase): boolean => phase !== 'idle' && !beforeQuiet.has(phase);

/** A key as ListAccessKeys shows it. */
export interface RemoteKey {
  readonly accessKeyId: string;
  readonly isActive: boolean;
  readonly createdAt: Date;
}

/** What GetAccessKeyLastUsed says; `denied` where the role may not ask. */
export type KeyUse =
  'never' | 'denied' | { readonly at: Date; readonly service: string | undefined; readonly region: string | undefined };

const moment = z.iso.datetime();

/**
 * Typed as what this version knows. Fields of newer versions stay: a worker that is older must not
 * drop them.
 */
const open = <T extends z.ZodRawShape>(fields: T): z.ZodObject<T> => z.looseObject(fields);

const cycle = open({
  startedAt: moment,
  actor: z.string().optional(),
  isEmergency: z.boolean().default(false),
  /** Cuts consumers off: neither dependents nor quiet nor hold are waited for. */
  isRevokeNow: z.boolean().default(false),
  skipSyncs: z.array(z.string()).default([]),
  /** The connection's own access key is what rotates. */
  isSelf: z.boolean().default(false),
  newKeyId: z.string().optional(),
  /** What the new key replaces; in `rotation_keys` as active, retiring, then inactive. */
  oldKeyIds: z.array(z.string()).default([]),
  verify: open({ startedAt: moment, polls: z.number() }).optional(),
  /** The new key is not wanted any more: it is deleted, and the rotation ends with this verdict. */
  rollBack: open({ code: z.string(), message: z.string() }).optional(),
  publishedRevision: z.number().optional(),
  publishedAt: moment.optional(),
  dependentPolls: z.number().default(0),
  /**
   * From here the quiet time counts: when every dependent had the new key, or the old one was
   * re-activated.
   */
  quietFrom: moment.optional(),
  /** Somebody reactivated the old key, or it was not observed for a time: it may be needed. */
  reactivatedAt: moment.optional(),
  /**
   * Emergencies that were asked for before the old key was brought back: they do not shorten this
   * cycle.
   */
  overruled: z.array(z.string()).optional(),
  /** The latest use of an old key that was seen since. */
  foreignUse: open({ at: moment, text: z.string() }).optional(),
  deactivatedAt: moment.optional(),
});
export type Cycle = z.infer<typeof cycle>;

/** A CreateAccessKey that was sent and whose answer is not recorded. */
const intent = open({
  sentAt: moment,
  seen: z.array(z.string()),
  /** How far AWS's clock was ahead of the worker's, and the error of that measurement. */
  clock: open({ aheadMs: z.number(), errorMs: z.number() }),
  /**
   * The one key that the call may have made; from `certainAt` on it is certain that nobody uses it.
   */
  candidate: open({ accessKeyId: z.string(), certainAt: moment, lookAt: moment }).optional(),
});
export type Intent = z.infer<typeof intent>;
export type CandidateKey = NonNullable<Intent['candidate']>;

const phaseState = open({
  cycle: cycle.optional(),
  intent: intent.optional(),
  /** Being made inactive: the key of a lost answer. */
  orphan: open({ accessKeyId: z.string(), isProvenUnused: z.boolean() }).optional(),
  /** Inactive orphans that wait for their deletion. */
  quarantine: z.array(open({ accessKeyId: z.string(), deleteAt: moment, isProvenUnused: z.boolean() })).default([]),
  /** Calls that seemed to have no effect, to be checked once more: AWS itself cannot be fenced. */
  suspects: z.array(intent.extend({ recheckAt: moment })).default([]),
  wait: open({ until: moment, message: z.string() }).optional(),
  block: open({ code: z.string(), message: z.string(), recheckAt: moment }).optional(),
  /** How the last cycle failed; gone when the next begins. */
  failure: open({ code: z.string(), message: z.string() }).optional(),
  /** The keys at AWS were listed since the rotation was created. */
  inspectedAt: moment.optional(),
  /** Actions the role lacks without which the rotation still works, by time alone. */
  missingActions: z.array(z.string()).default([]),
  /** Requests that were acted on, the latest last. */
  served: z.array(z.string()).default([]),
  revokedAt: moment.optional(),
});
export type PhaseState = z.infer<typeof phaseState>;

export function parsePhaseState(stored: unknown): PhaseState {
  return phaseState.parse(stored ?? {});
}

/**
 * Requests stay in `served` as long as they are open: one that is forgotten earlier would be acted
 * on again.
 */
export function withServed(view: RotationView, state: PhaseState, requestIds: readonly string[]): PhaseState {
  const open = new Set(view.requests.map((request) => request.id));
  return { ...state, served: [...new Set([...state.served, ...requestIds])].filter((id) => open.has(id)) };
}

export interface KeyChange {
  readonly accessKeyId: string;
  readonly state: KeyState;
  /** In clear: the store encrypts it. Absent: what is stored stays; deleted keys lose it. */
  readonly secretAccessKey?: string;
  readonly createdAt?: Date;
  readonly publishedAt?: Date;
  readonly retireAfter?: Date;
  readonly lastUsedAt?: Date;
}

/** What one persisted step writes, all in one statement. */
export interface Transition {
  readonly phase: RotationPhase;
  readonly state: PhaseState;
  readonly keys?: readonly KeyChange[];
  readonly changes?: {
    readonly activeAccessKeyId?: string | null;
    readonly lastRotatedAt?: Date;
    readonly nextRotationAt?: Date | null;
    readonly userId?: string;
    readonly accountId?: string;
    readonly pausedAt?: Date;
    readonly isAutoRotationEnabled?: boolean;
  };
  /** A line of the timeline; polls have none. */
  readonly note?: { readonly step: string; readonly accessKeyId?: string; readonly detail?: string };
}

export interface RotationTimes {
  readonly graceMs: number;
  readonly quietMs: number;
  readonly holdMs: number;
}

/** A rotation as the machine sees it. */
export interface RotationView {
  readonly userName: string;
  readonly phase: RotationPhase;
  readonly state: PhaseState;
  readonly keys: readonly KnownKey[];
  readonly times: RotationTimes;
  readonly isPaused: boolean;
  readonly nextRotationAt: Date | null;
  /** Open requests, served or not. */
  readonly requests: readonly OpenRequest[];
  /** What of them was not acted on yet. */
  readonly asked: RequestedRotation;
}

/** The view after a transition was written. */
export function applyTransition(view: RotationView, transition: Transition, now: Date): RotationView {
  const changed = new Map(view.keys.map((key) => [key.accessKeyId, key]));
  for (const key of transition.keys ?? [])
    changed.set(key.accessKeyId, mergeKey(changed.get(key.accessKeyId), key, now));
  const next = transition.changes?.nextRotationAt;
  return {
    ...view,
    phase: transition.phase,
    state: transition.state,
    keys: [...changed.values()],
    isPaused: view.isPaused || transition.changes?.pausedAt !== undefined,
    nextRotationAt: next === undefined ? view.nextRotationAt : next,
    asked: readRequests(view.requests, transition.state),
  };
}

function mergeKey(known: KnownKey | undefined, change: KeyChange, now: Date): KnownKey {
  return {
    accessKeyId: change.accessKeyId,
    state: change.state,
    createdAt: change.createdAt ?? known?.createdAt ?? now,
    publishedAt: change.publishedAt ?? known?.publishedAt ?? null,
    retireAfter: change.retireAfter ?? known?.retireAfter ?? null,
    lastUsedAt: change.lastUsedAt ?? known?.lastUsedAt ?? null,
  };
}
