/** The AWS calls of one run: every attempt, counted under `service.Operation`. Also which operations change something. */
export interface CallLog {
  record(operation: string): void;
  /** Calls so far, as `ssm.PutParameter` → count. */
  readonly counts: Readonly<Record<string, number>>;
}

export function createCallLog(): CallLog {
  const counts: Record<string, number> = {};
  return {
    counts,
    record: (operation) => {
      counts[operation] = (counts[operation] ?? 0) + 1;
    },
  };
}

/** AssumeRole creates nothing that lasts beyond its session, so it may be repeated like a read. */
const readOperation = /^(Get|List|Describe|BatchGet|Simulate|Validate)|^AssumeRole$/;

/** Whatever is not known to be a read counts as a change: it is guarded by the lease and never repeated blindly. */
export function isMutation(operationName: string): boolean {
  return !readOperation.test(operationName);
}
