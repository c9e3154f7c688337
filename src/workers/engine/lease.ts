/**
 * Keeps one run's lease: renews it, aborts the run when it is lost, and answers whether there is
 * time left for one more mutation. The local deadline counts from before each renewal was sent, so
 * it never outlasts the database's. A machine that was suspended sees that by its wall clock alone;
 * then the database is asked before the mutation, because that clock may as well have been set.
 */
import { CALL_DEADLINE_MS, RUN_LEASE_SECONDS } from '../../domain/lease.ts';
import { JobError } from '../../errors.ts';
import { elapsedMs, type Moment } from './moment.ts';

const RENEW_EVERY_MS = 10_000;

export interface Lease {
  readonly signal: AbortSignal;
  /** Rejects with LEASE_LOST, or with LEASE_SHUTDOWN while the worker stops. */
  beforeMutation(): Promise<void>;
  abort(reason: JobError): void;
  /** Stops renewing. */
  end(): void;
}

export interface LeaseInput {
  /**
   * Seconds that the lease has now, undefined when it is lost. Throws when the database does not
   * answer.
   */
  renew(): Promise<number | undefined>;
  /** Before the claim was sent. */
  readonly claimedAt: Moment;
  /** True once the worker was asked to stop. */
  isStopping(): boolean;
  /** Throws while nothing may be changed at AWS. */
  requireUnguarded?: (() => void) | undefined;
  now(): Moment;
}

const LEASE_MS = RUN_LEASE_SECONDS * 1_000;

export function holdLease(input: LeaseInput): Lease {
  const controller = new AbortController();
  let heldSince = input.claimedAt;
  const lose = () => {
    controller.abort(new JobError('LEASE_LOST'));
  };
  const timer = setInterval(() => void renew(), RENEW_EVERY_MS);

  async function renew(): Promise<void> {
    const sentAt = input.now();
    try {
      const seconds = await input.renew();
      if (seconds === undefined) lose();
      else heldSince = sentAt;
    } catch {
      // The database may come back before the lease runs out.
      if (input.now().monotonicMs - heldSince.monotonicMs > LEASE_MS) lose();
    }
  }

  function requireLease(): void {
    input.requireUnguarded?.();
    if (input.isStopping()) throw new JobError('LEASE_SHUTDOWN');
    const isOver = isTooLate(input.now().monotonicMs - heldSince.monotonicMs);
    if (controller.signal.aborted || isOver) throw new JobError('LEASE_LOST');
  }

  const isDoubtful = () => isTooLate(elapsedMs(heldSince, input.now()));

  return {
    signal: controller.signal,
    async beforeMutation() {
      requireLease();
      if (!isDoubtful()) return;
      await renew();
      requireLease();
      if (isDoubtful()) throw new JobError('LEASE_LOST');
    },
    abort: (reason) => {
      controller.abort(reason);
    },
    end: () => {
      clearInterval(timer);
    },
  };
}

/** How long after a claim or renewal it is too late to send another mutation. */
function isTooLate(sinceMs: number): boolean {
  return LEASE_MS - sinceMs <= CALL_DEADLINE_MS;
}
