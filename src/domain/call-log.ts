/** Counts the AWS calls of one run: every attempt, under `service.Operation`. */
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
