/**
 * Keeps one run's lease: renews it, aborts the run when it is lost, and answers whether there is time left for one more mutation. The local deadline
 * counts from before each renewal was sent, on the monotonic clock, so it never outlasts the database's.
 */
import { CALL_DEADLINE_MS, RUN_LEASE_SECONDS } from '../../domain/lease.ts';
import { JobError } from '../../errors.ts';

const RENEW_EVERY_MS = 10_000;

export interface Lease {
  readonly signal: AbortSignal;
  /** Throws LEASE_LOST, or LEASE_SHUTDOWN while the worker stops. */
  beforeMutation(): void;
  abort(reason: JobError): void;
  /** Stops renewing. */
  end(): void;
}

export interface LeaseInput {
  /** Seconds that the lease has now, undefined when it is lost. Throws when the database does not answer. */
  renew(): Promise<number | undefined>;
  /** `performance.now()` before the claim was sent. */
  readonly claimedAtMs: number;
  /** True once the worker was asked to stop. */
  isStopping(): boolean;
  /** Throws while nothing may be changed at AWS. */
  requireUnguarded?: (() => void) | undefined;
  /** Monotonic milliseconds. */
  monotonicMs(): number;
}

export function holdLease(input: LeaseInput): Lease {
  const controller = new AbortController();
  let heldUntilMs = input.claimedAtMs + RUN_LEASE_SECONDS * 1_000;
  const lose = () => {
    controller.abort(new JobError('LEASE_LOST'));
  };
  const timer = setInterval(() => void beat(), RENEW_EVERY_MS);

  async function beat(): Promise<void> {
    const sentAtMs = input.monotonicMs();
    try {
      const seconds = await input.renew();
      if (seconds === undefined) lose();
      else heldUntilMs = sentAtMs + seconds * 1_000;
    } catch {
      // The database may come back before the lease runs out.
      if (input.monotonicMs() > heldUntilMs) lose();
    }
  }

  return {
    signal: controller.signal,
    beforeMutation() {
      input.requireUnguarded?.();
      if (input.isStopping()) throw new JobError('LEASE_SHUTDOWN');
      if (controller.signal.aborted || heldUntilMs - input.monotonicMs() <= CALL_DEADLINE_MS)
        throw new JobError('LEASE_LOST');
    },
    abort: (reason) => {
      controller.abort(reason);
    },
    end: () => {
      clearInterval(timer);
    },
  };
}
