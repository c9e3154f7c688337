/** Operations that share a rate at AWS, and what is known of that rate. */
export interface QuotaGroup {
  readonly name: string;
  /** Calls per second to start with. */
  readonly initialRate: number;
  /** What learning never exceeds. */
  readonly maxRate: number;
  /** Calls that may be made back to back after a pause. */
  readonly burst: number;
}

/** `[initialRate, maxRate, burst]` */
export function quotaGroup(name: string, [initialRate, maxRate, burst]: readonly [number, number, number]): QuotaGroup {
  return { name, initialRate, maxRate, burst };
}
