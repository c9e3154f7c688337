/**
 * The engine's statements against a model, in random order: wishes, ticks that die before they
 * queue anything, lost and repeated deliveries, workers that die or come back late, leases that run
 * out, an emptied queue. Whatever happened, once the trouble is over every wish is served, exactly
 * the wishes that were made are recorded, and no two runs were ever accepted for one lease.
 */
import { randomUUID } from 'node:crypto';

import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Claim } from '../../../src/db/engine/claim.ts';
import { JobError } from '../../../src/errors.ts';
import { addConnection, rowOf, runsOf, useEngine } from '../../integration/engine/support.ts';

const RUNS = Number(process.env['KEYFERRY_TEST_RUNS'] ?? 60);

type Step =
  | { readonly do: 'request' | 'flush' | 'expire-dispatch' | 'expire-run' }
  | { readonly do: 'outside'; readonly job: number }
  | { readonly do: 'tick'; readonly diesFirst: boolean }
  | { readonly do: 'deliver'; readonly again: boolean }
  | { readonly do: 'settle'; readonly which: number; readonly how: 'succeeded' | 'retry' | 'continued' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom({ do: 'request' as const }, { do: 'flush' as const }),
  fc.constantFrom({ do: 'expire-dispatch' as const }, { do: 'expire-run' as const }),
  fc.record({ do: fc.constant('outside' as const), job: fc.nat(4) }),
  fc.record({ do: fc.constant('tick' as const), diesFirst: fc.boolean() }),
  fc.record({ do: fc.constant('deliver' as const), again: fc.boolean() }),
  fc.record({
    do: fc.constant('settle' as const),
    which: fc.nat(10),
    how: fc.constantFrom('succeeded' as const, 'retry' as const, 'continued' as const),
  }),
);

const engine = useEngine();

/**
 * One subject, the queue that is handed to workers, and every run that was ever claimed: dead
 * workers come back as well.
 */
class Model {
  readonly outside = new Set<number>();
  readonly accepted = new Set<string>();
  readonly claims: Claim<'validate'>[] = [];
  queue = 0;
  requests = 1;

  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }

  async take(one: Step): Promise<void> {
    const { work, requests, database: open } = engine().stores;
    switch (one.do) {
      case 'request':
        await requests.open({ orgId: 'acme', kind: 'validate', subjectId: this.id, actor: 'model', parameters: {} });
        this.requests += 1;
        return;
      case 'outside':
        // The job is delivered at once, and again whenever the same number comes: a stalled or
        // retried delivery.
        expect(await work.recordWish(this.#wish(one.job))).toBeDefined();
        this.outside.add(one.job);
        return;
      case 'flush':
        this.queue = 0;
        return;
      case 'tick': {
        const { subjects } = await work.dispatchDue('validate', 100);
        if (!one.diesFirst) this.queue += subjects.length;
        return;
      }
      case 'deliver':
        return this.#deliver(one.again);
      case 'settle':
        return this.#settle(one);
      case 'expire-dispatch':
      case 'expire-run':
        await open.db.execute(
          one.do === 'expire-run'
            ? sql`update keyferry.connections set run_lease_until = now() - interval '1 second'
              where id = ${this.id} and run_lease_until is not null`
            : sql`update keyferry.connections set dispatch_lease_until = now() - interval '1 second'
              where id = ${this.id} and dispatch_lease_until is not null`,
        );
    }
  }

  #wish(job: number) {
    return {
      kind: 'validate' as const,
      requestKind: 'validate' as const,
      subjectId: this.id,
      actor: 'outside',
      reason: 'requested' as const,
      source: { queue: 'validate', jobId: `${this.id}-${String(job)}`, timestamp: 1 },
    };
  }

  async #deliver(again: boolean): Promise<void> {
    if (this.queue === 0) return;
    if (!again) this.queue -= 1;
    const claim = await engine().stores.work.claim('validate', {
      subjectId: this.id,
      runId: randomUUID(),
      jobId: 'job',
    });
    if (claim) this.claims.push(claim);
  }

  async #settle({ which, how }: Extract<Step, { do: 'settle' }>): Promise<void> {
    const claim = this.claims[this.claims.length - 1 - (which % Math.max(1, this.claims.length))];
    if (!claim) return;
    const { runToken } = (await this.#row()) as { runToken: unknown };
    const isSettled = await engine().stores.work.settle({
      kind: 'validate',
      subjectId: this.id,
      runId: claim.runId,
      outcome:
        how === 'succeeded'
          ? { status: how }
          : how === 'continued'
            ? { status: how, at: new Date() }
            : { status: how, error: new JobError('DB_UNAVAILABLE') },
      changes: {},
      servedRevision: claim.subject.wantedRevision,
      attempt: 0,
      nextDueAt: how === 'succeeded' ? null : new Date(),
      requestIds: claim.requestIds,
      awsCalls: {},
    });
    // Only who holds the lease is heard, and only once.
    expect(isSettled).toBe(runToken === claim.runId);
    if (!isSettled) return;
    expect(this.accepted.has(claim.runId)).toBe(false);
    this.accepted.add(claim.runId);
  }

  async #row(): Promise<Record<string, unknown>> {
    const row = await rowOf(engine().stores, this.id);
    return { ...row, runToken: row.run_token };
  }

  async checkAlways(): Promise<void> {
    const running = (await runsOf(engine().stores, this.id)).filter((run) => run.status === 'running');
    const { runToken } = await this.#row();
    expect(running.map((run) => run.id)).toEqual(runToken === null ? [] : [runToken]);
  }

  /** The trouble is over: leases run out, ticks tick, workers work. */
  async drain(): Promise<void> {
    for (let round = 0; round < 6; round += 1) {
      await this.take({ do: 'expire-run' });
      await this.take({ do: 'expire-dispatch' });
      await this.take({ do: 'tick', diesFirst: false });
      await this.take({ do: 'deliver', again: false });
      await this.take({ do: 'settle', which: 0, how: 'succeeded' });
    }
  }

  async checkAtTheEnd(): Promise<void> {
    const row = await this.#row();
    expect(row.done_revision).toBe(row.wanted_revision);
    expect(row).toMatchObject({
      run_token: null,
      run_lease_until: null,
      dispatch_lease_until: null,
      next_due_at: null,
    });
    const requests = await engine().stores.database.db.execute(
      sql`select done_at, source_job_id from keyferry.requests where subject_id = ${this.id}`,
    );
    // One request may stand for several jobs.
    const recorded = requests.filter((one) => one['source_job_id'] !== null).length;
    expect(recorded).toBeGreaterThanOrEqual(Math.min(1, this.outside.size));
    expect(recorded).toBeLessThanOrEqual(this.outside.size);
    expect(requests.filter((one) => one['source_job_id'] === null)).toHaveLength(this.requests);
    expect(requests.filter((one) => one['done_at'] === null)).toEqual([]);
  }
}

test('whatever the order of wishes, deaths, losses and repetitions, every wish is served and nothing runs twice under one lease', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await engine().stores.database.db.execute(sql`delete from keyferry.connections`);
      const model = new Model((await addConnection(engine().stores, randomUUID())).id);
      for (const one of steps) {
        await model.take(one);
        await model.checkAlways();
      }
      await model.drain();
      await model.checkAlways();
      await model.checkAtTheEnd();
    }),
    { numRuns: RUNS },
  );
}, 240_000);
