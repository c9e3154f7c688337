/**
 * The lease of a run on a machine whose clocks do what clocks do: stand still with it, run on
 * without it, jump.
 */
import { afterEach, expect, it, vi } from 'vitest';

import { holdLease, type Lease, type LeaseInput } from '../../../src/workers/engine/lease.ts';

const held: Lease[] = [];
afterEach(() => {
  held.splice(0).forEach((lease) => {
    lease.end();
  });
});

function take(input: Partial<LeaseInput> = {}) {
  const clock = { monotonicMs: 1_000, wallMs: 1_700_000_000_000 };
  const renew = vi.fn<LeaseInput['renew']>(() => Promise.resolve(30));
  const lease = holdLease({
    renew,
    claimedAt: { ...clock },
    isStopping: () => false,
    now: () => ({ ...clock }),
    ...input,
  });
  held.push(lease);
  const pass = (by: { readonly monotonicMs?: number; readonly wallMs?: number }): void => {
    clock.monotonicMs += by.monotonicMs ?? 0;
    clock.wallMs += by.wallMs ?? 0;
  };
  return { lease, renew, pass };
}

const seconds = (n: number) => ({ monotonicMs: n * 1_000, wallMs: n * 1_000 });

it('allows a mutation while it outlives the deadline of a call, without asking the database', async () => {
  const { lease, renew, pass } = take();
  pass(seconds(19));
  await lease.beforeMutation();
  expect(renew).not.toHaveBeenCalled();
});

it('refuses a mutation once too little is left by the monotonic clock, whatever the wall clock says', async () => {
  const { lease, pass } = take();
  pass({ monotonicMs: 20_000, wallMs: -3_600_000 });
  await expect(lease.beforeMutation()).rejects.toMatchObject({ code: 'LEASE_LOST' });
});

it('refuses a mutation after the machine was suspended and another worker took the run over', async () => {
  const { lease, pass } = take({ renew: () => Promise.resolve(undefined) });
  pass({ wallMs: 45_000 });
  await expect(lease.beforeMutation()).rejects.toMatchObject({ code: 'LEASE_LOST' });
  expect(lease.signal.aborted).toBe(true);
});

it('refuses a mutation after the machine was suspended while the database does not answer', async () => {
  const { lease, pass } = take({ renew: () => Promise.reject(new Error('unreachable')) });
  pass({ wallMs: 45_000 });
  await expect(lease.beforeMutation()).rejects.toMatchObject({ code: 'LEASE_LOST' });
});

it('asks the database once after a jump of the wall clock, and goes on with the lease that it still has', async () => {
  const { lease, renew, pass } = take();
  pass({ wallMs: 180_000 });
  await lease.beforeMutation();
  await lease.beforeMutation();
  expect(renew).toHaveBeenCalledTimes(1);
});

it('refuses a mutation when the machine is suspended again before the database’s answer is read', async () => {
  const { lease, renew, pass } = take();
  renew.mockImplementation(() => {
    pass({ wallMs: 45_000 });
    return Promise.resolve(30);
  });
  pass({ wallMs: 45_000 });
  await expect(lease.beforeMutation()).rejects.toMatchObject({ code: 'LEASE_LOST' });
});

it('refuses a mutation when the worker is told to stop while the database is asked', async () => {
  let isStopping = false;
  const { lease, pass } = take({
    isStopping: () => isStopping,
    renew: () => {
      isStopping = true;
      return Promise.resolve(30);
    },
  });
  pass({ wallMs: 45_000 });
  await expect(lease.beforeMutation()).rejects.toMatchObject({ code: 'LEASE_SHUTDOWN' });
});
