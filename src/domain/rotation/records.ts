/** What is on record about a rotation, and what may be asked of it, as people see it. Pure data. */
export type KeyState = 'pending' | 'active' | 'retiring' | 'inactive' | 'deleted' | 'foreign';

/** A row of `rotation_keys`. */
export interface KnownKey {
  readonly accessKeyId: string;
  readonly state: KeyState;
  readonly createdAt: Date;
  readonly publishedAt: Date | null;
  /**
   * While it retires: active at least until then. Once inactive: deleted then. Null before it is
   * replaced.
   */
  readonly retireAfter: Date | null;
  readonly lastUsedAt: Date | null;
}

/** A step of the machine that was taken and recorded. */
export interface RotationStep {
  readonly at: Date;
  readonly phase: string;
  readonly step: string;
  readonly accessKeyId: string | null;
  readonly detail: string | null;
  /** The run that took it; null for what a person did. */
  readonly runId: string | null;
}

/** A key that consumers already hold. */
export interface AdoptedKeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** How a rotation that is asked for differs from a scheduled one. */
export interface RotationWish {
  /** Retires the old key without quiet time and hold. */
  readonly emergency?: boolean;
  /** Cuts consumers off: neither dependents nor quiet nor hold are waited for. */
  readonly revokeNow?: boolean;
  /** Names or ids of dependent syncs that are not waited for. */
  readonly skipSync?: readonly string[];
}
