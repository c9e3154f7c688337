/**
 * A sync against a token bucket like AWS's, in simulated time: the ledger is real, workers and AWS
 * are not.
 */
import { type BudgetKey, type BudgetLedger, dueInMs } from '../../../src/domain/call-budget.ts';

export interface Scene {
  readonly key: BudgetKey;
  readonly writes: number;
  readonly ratePerSecond: number;
  readonly burst: number;
  readonly startSeconds: number;
  /** Processes that share the writes; default one. */
  readonly workers?: number;
  /** Calls per second of other programs of the account at a moment; default none. */
  readonly foreign?: (seconds: number) => number;
  /**
   * How long a call is on its way to AWS, by the seconds since the start: a process that has just
   * started is late with its first calls. Default half the latency.
   */
  readonly late?: (seconds: number) => number;
}

export interface Clock {
  nowSeconds: number;
}

export interface Simulated {
  /** Time taken ÷ what AWS's own bucket allows. */
  readonly timeRatio: number;
  readonly throttledShare: number;
  readonly endSeconds: number;
}

const IN_FLIGHT = 8;
const LATENCY_SECONDS = 0.05;
/** What a refused call waits before it is repeated. */
const REPEAT_SECONDS = 0.25;
const PREFETCH_SECONDS = 0.25;
const MAX_WAIT_MS = 3_000;

type EventKind = 'ask' | 'again' | 'token' | 'arrival' | 'answer' | 'refusal';

interface Event {
  readonly at: number;
  readonly kind: EventKind;
  readonly worker: Worker;
  readonly batch: number;
}

/**
 * As the call budget of a process hands out tokens: batches, fetched while calls wait, given back
 * after a refusal.
 */
interface Worker {
  waiting: number;
  spare: number;
  promised: number;
  batch: number;
  prefetch: number;
  fetchedAt: number;
}

export async function simulateSync(ledger: BudgetLedger, clock: Clock, scene: Scene): Promise<Simulated> {
  const { writes, startSeconds } = scene;
  const aws = createBucket(scene);
  const events: Event[] = [];
  const push = (worker: Worker, kind: EventKind, at: number) => events.push({ at, kind, worker, batch: worker.batch });
  const counts = { left: writes, done: 0, calls: 0, throttled: 0 };
  clock.nowSeconds = startSeconds;
  for (let n = 0; n < (scene.workers ?? 1); n += 1) {
    const worker = { waiting: 0, spare: 0, promised: 0, batch: 0, prefetch: 0, fetchedAt: Number.NEGATIVE_INFINITY };
    for (let call = 0; call < IN_FLIGHT; call += 1) push(worker, 'ask', startSeconds);
  }
  const send = (worker: Worker) => {
    counts.calls += 1;
    const { late = () => LATENCY_SECONDS / 2 } = scene;
    push(worker, 'arrival', clock.nowSeconds + late(clock.nowSeconds - startSeconds));
  };
  const fetch = async (worker: Worker) => {
    if (worker.promised > 0 || worker.waiting === 0) return;
    const wanted = Math.max(worker.waiting, worker.prefetch);
    const reservation = await ledger.grant(scene.key, wanted, MAX_WAIT_MS);
    const isBusy = clock.nowSeconds - worker.fetchedAt < PREFETCH_SECONDS;
    const { granted, ratePerSecond } = reservation;
    worker.prefetch = isBusy ? Math.min(wanted * 2, Math.floor(ratePerSecond * PREFETCH_SECONDS)) : 0;
    worker.fetchedAt = clock.nowSeconds;
    worker.promised = granted;
    for (let n = 1; n <= granted; n += 1) push(worker, 'token', clock.nowSeconds + dueInMs(reservation, n) / 1_000);
    // Too long a wait: each run gives its place back and comes again.
    for (; granted === 0 && worker.waiting > 0; worker.waiting -= 1)
      push(worker, 'again', clock.nowSeconds + dueInMs(reservation, 1) / 1_000);
  };
  const take = async (worker: Worker) => {
    if (worker.spare > 0) {
      worker.spare -= 1;
      send(worker);
      return;
    }
    worker.waiting += 1;
    await fetch(worker);
  };
  const handle: Readonly<Record<EventKind, (event: Event) => Promise<void> | void>> = {
    ask({ worker }) {
      if (counts.left === 0) return;
      counts.left -= 1;
      return take(worker);
    },
    again: ({ worker }) => take(worker),
    token({ worker, batch }) {
      if (batch !== worker.batch) return;
      worker.promised -= 1;
      if (worker.waiting === 0) worker.spare += 1;
      else {
        worker.waiting -= 1;
        send(worker);
      }
      return fetch(worker);
    },
    arrival({ worker }) {
      const kind = aws.accepts(clock.nowSeconds) ? 'answer' : 'refusal';
      push(worker, kind, clock.nowSeconds + LATENCY_SECONDS / 2);
    },
    answer({ worker }) {
      counts.done += 1;
      push(worker, 'ask', clock.nowSeconds);
    },
    async refusal({ worker }) {
      counts.throttled += 1;
      const returned = worker.promised + worker.spare;
      Object.assign(worker, { promised: 0, spare: 0, prefetch: 0, batch: worker.batch + 1 });
      await ledger.throttled(scene.key, returned);
      push(worker, 'again', clock.nowSeconds + REPEAT_SECONDS);
      await fetch(worker);
    },
  };
  while (counts.done < writes) {
    const event = takeEarliest(events);
    clock.nowSeconds = Math.max(clock.nowSeconds, event.at);
    await handle[event.kind](event);
  }
  const { calls, throttled } = counts;
  const idealSeconds = Math.max(1, writes + aws.foreignCalls() - scene.burst) / scene.ratePerSecond;
  return {
    timeRatio: (clock.nowSeconds - startSeconds) / idealSeconds,
    throttledShare: throttled / calls,
    endSeconds: clock.nowSeconds,
  };
}

function takeEarliest(events: Event[]): Event {
  let first = 0;
  events.forEach(({ at }, index) => {
    if (at < (events[first]?.at ?? 0)) first = index;
  });
  const [event] = events.splice(first, 1);
  if (!event) throw new Error('No call is under way, and not all are done.');
  return event;
}

/** AWS's side: `ratePerSecond`, `burst`, and a refusal when it is empty. */
function createBucket({ ratePerSecond, burst, startSeconds, foreign = () => 0 }: Scene) {
  let tokens = burst;
  let at = startSeconds;
  let foreignCalls = 0;
  let owed = 0;
  const passTo = (now: number) => {
    for (; at < now; at = Math.min(now, at + 0.05)) {
      const seconds = Math.min(0.05, now - at);
      tokens = Math.min(burst, tokens + seconds * ratePerSecond);
      owed += foreign(at) * seconds;
      for (; owed >= 1; owed -= 1) {
        if (tokens < 1) continue;
        tokens -= 1;
        foreignCalls += 1;
      }
    }
  };
  return {
    foreignCalls: () => foreignCalls,
    accepts(now: number): boolean {
      passTo(now);
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
