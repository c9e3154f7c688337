/** Lengths of the leases, known to the statements that set them and to the workers that live by them. */

/** How long a dispatched row waits for its job before it is due again. */
export const DISPATCH_LEASE_SECONDS = 60;
/** How long a run may go without renewing. */
export const RUN_LEASE_SECONDS = 30;
