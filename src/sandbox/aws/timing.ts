/**
 * How late AWS is: propagation, lagging lists, latency. `immediate` is AWS without distributed
 * systems (for tests of logic); `late-last-use` adds only the delay of a key's last use, which
 * decisions about old keys depend on; `realistic` draws every delay from the seeded ranges below.
 * docs/sandbox.md lists the figures and their sources.
 */
import type { SandboxRandom } from './random.ts';

/** Milliseconds, both ends included. */
export type DelayRange = readonly [minMs: number, maxMs: number];

export interface SandboxTiming {
  /** From CreateAccessKey until the key works; drawn per key, service and region. */
  keyVisibleMs: DelayRange;
  /**
   * Chance that a call inside that window is accepted all the same (propagation is not monotonic).
   */
  keyFlapProbability: number;
  /** How long a deactivated or deleted key keeps working. */
  keyRevokedMs: DelayRange;
  /** How long ListAccessKeys shows the state before a change. */
  listAccessKeysMs: DelayRange;
  /** From a use of a key until GetAccessKeyLastUsed reports it. */
  lastUsedMs: DelayRange;
  /** Count keys as ListAccessKeys sees them, so that concurrent creations can exceed two. */
  racyKeyQuota: boolean;
  /** From an edit of a trust or identity policy until it counts. */
  policyMs: DelayRange;
  /** How long parameter reads miss a write. */
  parameterReadMs: DelayRange;
  /** How long a deleted parameter's name cannot be created again. */
  parameterRecreateMs: number;
  /** Chance that a page of parameters comes back empty with a NextToken. */
  emptyPageProbability: number;
  /**
   * How many parameters a listing examines per page before it stops with what matched so far; 0:
   * all of them.
   */
  pageScanLimit: number;
  /** How stale ListSecrets is. */
  listSecretsMs: DelayRange;
  /** From ReplicateSecretToRegions until the replica is there. */
  replicationMs: DelayRange;
  /** How long a force-deleted secret's name cannot be created again. */
  forceDeleteTombstoneMs: DelayRange;
  /** Real milliseconds that every call takes before it acts. */
  latencyMs: DelayRange;
}

export type TimingPreset = 'immediate' | 'late-last-use' | 'realistic';

/** Single figures, and the preset that has the others; default 'immediate'. */
export type TimingOption = TimingPreset | (Partial<SandboxTiming> & { readonly preset?: TimingPreset });

const NONE: DelayRange = [0, 0];
/** AWS gives no bound for how late a last use shows. */
const LAST_USED: DelayRange = [60_000, 3_600_000];

const IMMEDIATE: SandboxTiming = {
  keyVisibleMs: NONE,
  keyFlapProbability: 0,
  keyRevokedMs: NONE,
  listAccessKeysMs: NONE,
  lastUsedMs: NONE,
  racyKeyQuota: false,
  policyMs: NONE,
  parameterReadMs: NONE,
  parameterRecreateMs: 0,
  emptyPageProbability: 0,
  pageScanLimit: 0,
  listSecretsMs: NONE,
  replicationMs: NONE,
  forceDeleteTombstoneMs: NONE,
  latencyMs: NONE,
};

const REALISTIC: SandboxTiming = {
  keyVisibleMs: [0, 15_000],
  keyFlapProbability: 0.2,
  keyRevokedMs: [3_000, 4_000],
  listAccessKeysMs: [0, 10_000],
  lastUsedMs: LAST_USED,
  racyKeyQuota: true,
  policyMs: [1_000, 20_000],
  parameterReadMs: [0, 500],
  parameterRecreateMs: 30_000,
  emptyPageProbability: 0.05,
  pageScanLimit: 100,
  listSecretsMs: [0, 300_000],
  replicationMs: [1_000, 30_000],
  forceDeleteTombstoneMs: [5_000, 120_000],
  latencyMs: NONE,
};

const PRESETS: Readonly<Record<TimingPreset, SandboxTiming>> = {
  immediate: IMMEDIATE,
  'late-last-use': { ...IMMEDIATE, lastUsedMs: LAST_USED },
  realistic: REALISTIC,
};

export function resolveTiming(option: TimingOption = 'immediate'): SandboxTiming {
  if (typeof option === 'string') return PRESETS[option];
  const { preset = 'immediate', ...figures } = option;
  return { ...PRESETS[preset], ...figures };
}

export function drawDelayMs(range: DelayRange, random: SandboxRandom): number {
  const [min, max] = range;
  return max === 0 ? 0 : Math.round(min + random.next() * (max - min));
}
