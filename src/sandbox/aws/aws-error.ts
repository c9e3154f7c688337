/**
 * An answer that AWS would give instead of a result. Thrown inside the model, turned into the wire
 * form at its door.
 */
export class AwsError extends Error {
  readonly code: string;
  /** HTTP status; undefined means "what the service uses for this code". */
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, options: { status?: number; retryAfterMs?: number } = {}) {
    // An answer is not a crash: nobody reads its stack, and taking one costs more than the rest of
    // the call.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'AwsError';
    this.code = code;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}
