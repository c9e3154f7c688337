/**
 * The AWS calls of one run: every attempt, counted under `service.Operation`. Also which operations
 * change something.
 */
export interface CallLog {
  record(operation: string): void;
  /** A sync wrote again what the ledger already shows as written. */
  recordRewrite(): void;
  /** Calls so far, as `ssm.PutParameter` → count. */
  readonly counts: Readonly<Record<string, number>>;
  /** Rewrites so far. One may take several calls, or none of those that probe a permission. */
  readonly rewrites: number;
}

export function createCallLog(onRecord: () => void = () => undefined): CallLog {
  const counts: Record<string, number> = {};
  let rewrites = 0;
  return {
    counts,
    get rewrites() {
      return rewrites;
    },
    recordRewrite: () => {
      rewrites += 1;
    },
    record: (operation) => {
      counts[operation] = (counts[operation] ?? 0) + 1;
      onRecord();
    },
  };
}

/** What a reader of a run's calls must know: whose they are, and whether some may be missing. */
export function callsNote(run: { readonly status: string; readonly repeats: number | null }): string | undefined {
  if (run.status === 'abandoned') return 'at least: its worker may have made more in its last moments';
  return run.repeats === null || run.repeats === 0 ? undefined : `in ${String(run.repeats + 1)} runs`;
}

/**
 * AssumeRole creates nothing that lasts beyond its session, and KMS keeps no data keys, so these
 * may be repeated like reads.
 */
const readOperation = /^(Get|List|Describe|BatchGet|Simulate|Validate)|^(AssumeRole|GenerateDataKey|Decrypt)$/;

/**
 * Whatever is not known to be a read counts as a change: it is guarded by the lease and never
 * repeated blindly.
 */
export function isMutation(operationName: string): boolean {
  return !readOperation.test(operationName);
}
