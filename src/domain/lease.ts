/**
 * Lengths of the leases and of a call, known to the statements that set them and to the workers
 * that live by them.
 */

/** How long a dispatched row waits for its job before it is due again. */
export const DISPATCH_LEASE_SECONDS = 60;
/** How long a run may go without renewing. */
export const RUN_LEASE_SECONDS = 30;
/**
 * How long a call to AWS may take. A mutation starts only if the run lease outlives it, and the
 * window of a lost call contains it.
 */
export const CALL_DEADLINE_MS = 10_000;
/**
 * A pull is not renewed: its lease outlives its few requests, of 10 s each, and the writes after
 * them.
 */
export const PULL_LEASE_SECONDS = 120;
