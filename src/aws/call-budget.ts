/**
 * The call budget of one process: asks the shared ledger for tokens on behalf of all its runs and hands them out fairly, the subject that was
 * served least first, so that a sync of five secrets does not queue behind one of five thousand. Short waits happen here; a long one is the run's,
 * which gives its place back and comes again.
 */
import { type BudgetedCall, type BudgetLedger, type CallBudget, dueInMs } from '../domain/call-budget.ts';
import { JobError, toJobError } from '../errors.ts';

/** Longer than this nobody waits in place. */
const MAX_WAIT_MS = 3_000;
/** Where calls follow each other closely, up to this much is fetched beyond the demand of the moment: a statement per call would cost more than the call. */
const PREFETCH_SECONDS = 0.25;
/** What a prefetched token is worth: afterwards AWS has forgotten it, too. */
const TOKEN_LIFE_MS = 1_000;
const MAX_LANES = 1_000;
/** A subject that joins is ahead by this many calls: enough for a small sync to pass. */
const HEAD_START = 5;

export interface CallBudgetOptions {
  readonly maxWaitMs?: number;
  readonly nowMs?: () => number;
}

interface Waiter {
  readonly subjectId: string;
  readonly sinceMs: number;
  resolve(): void;
  reject(error: JobError): void;
}

interface Lane {
  readonly call: BudgetedCall;
  readonly waiting: Waiter[];
  readonly served: Map<string, number>;
  /** Fetched and due, not yet used. */
  spare: { count: number; untilMs: number };
  isPumping: boolean;
  /** How many tokens to fetch at least, and when the last were fetched. */
  prefetch: number;
  fetchedMs: number;
}

interface Desk {
  readonly ledger: BudgetLedger;
  readonly maxWaitMs: number;
  nowMs(): number;
}

export function createCallBudget(ledger: BudgetLedger, options: CallBudgetOptions = {}): CallBudget {
  const desk: Desk = {
    ledger,
    maxWaitMs: options.maxWaitMs ?? MAX_WAIT_MS,
    nowMs: options.nowMs ?? (() => performance.now()),
  };
  const lanes = new Map<string, Lane>();
  return {
    take(call, signal) {
      const lane = laneOf(lanes, call);
      if (lane.waiting.length === 0 && takeSpare(lane, desk.nowMs())) return Promise.resolve();
      return wait(desk, lane, { subjectId: call.subjectId, signal });
    },
    throttled: (call) => ledger.throttled(call),
  };
}

/** Lanes are few at a time: only accounts whose calls wait or were just made. */
function laneOf(lanes: Map<string, Lane>, call: BudgetedCall): Lane {
  const key = `${call.accountId}|${call.region}|${call.group.name}`;
  const lane = lanes.get(key) ?? {
    call,
    waiting: [],
    served: new Map(),
    spare: { count: 0, untilMs: 0 },
    isPumping: false,
    prefetch: 0,
    fetchedMs: Number.NEGATIVE_INFINITY,
  };
  lanes.delete(key);
  lanes.set(key, lane);
  const [oldestKey, oldest] = lanes.entries().next().value ?? [];
  if (lanes.size > MAX_LANES && oldestKey !== undefined && oldest && !oldest.isPumping) lanes.delete(oldestKey);
  return lane;
}

function takeSpare(lane: Lane, nowMs: number): boolean {
  if (lane.spare.count < 1 || lane.spare.untilMs < nowMs) return false;
  lane.spare.count -= 1;
  return true;
}

function wait(
  desk: Desk,
  lane: Lane,
  asker: { readonly subjectId: string; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal, subjectId } = asker;
    const leave = () => {
      signal.removeEventListener('abort', abort);
      const at = lane.waiting.indexOf(waiter);
      if (at >= 0) lane.waiting.splice(at, 1);
    };
    const waiter: Waiter = {
      subjectId,
      sinceMs: desk.nowMs(),
      resolve: () => {
        leave();
        resolve();
      },
      reject: (error) => {
        leave();
        reject(error);
      },
    };
    const abort = () => {
      waiter.reject(toJobError(signal.reason));
    };
    if (signal.aborted) {
      reject(toJobError(signal.reason));
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    welcome(lane, subjectId);
    lane.waiting.push(waiter);
    if (!lane.isPumping) void pump(desk, lane);
  });
}

/** A newcomer starts a little ahead of who was served least, not at zero, or it would starve the others. */
function welcome(lane: Lane, subjectId: string): void {
  const isWaiting = lane.waiting.some((waiter) => waiter.subjectId === subjectId);
  if (isWaiting || lane.served.has(subjectId)) return;
  const others = lane.waiting.map((waiter) => lane.served.get(waiter.subjectId) ?? 0);
  lane.served.set(subjectId, others.length === 0 ? 0 : Math.min(...others) - HEAD_START);
}

/** Hands out tokens until nobody waits. One pump a lane. */
async function pump(desk: Desk, lane: Lane): Promise<void> {
  lane.isPumping = true;
  try {
    // Calls of one turn are asked for together.
    await Promise.resolve();
    while (lane.waiting.length > 0) await handOutBatch(desk, lane);
  } catch (error) {
    for (const waiter of [...lane.waiting]) waiter.reject(toJobError(error));
  } finally {
    lane.isPumping = false;
    if (lane.waiting.length === 0) lane.served.clear();
  }
}

async function handOutBatch(desk: Desk, lane: Lane): Promise<void> {
  const wanted = Math.max(lane.waiting.length, lane.prefetch);
  const reservation = await desk.ledger.grant(lane.call, wanted, desk.maxWaitMs);
  const startMs = desk.nowMs();
  adaptPrefetch(lane, { nowMs: startMs, wanted, ratePerSecond: reservation.ratePerSecond });
  if (reservation.granted < 1) {
    giveUp(desk, lane, { olderThanMs: 0, retryAfterMs: dueInMs(reservation, 1) });
    return;
  }
  for (let n = 1; n <= reservation.granted; n += 1) {
    await sleep(startMs + dueInMs(reservation, n) - desk.nowMs());
    serveOne(desk, lane);
    giveUp(desk, lane, {
      olderThanMs: desk.maxWaitMs,
      retryAfterMs: (lane.waiting.length / reservation.ratePerSecond) * 1_000,
    });
  }
}

/** Doubled while tokens are used up as fast as they come, given up after a pause. */
function adaptPrefetch(
  lane: Lane,
  fetched: { readonly nowMs: number; readonly wanted: number; readonly ratePerSecond: number },
): void {
  const isBusy = fetched.nowMs - lane.fetchedMs < PREFETCH_SECONDS * 1_000;
  lane.fetchedMs = fetched.nowMs;
  lane.prefetch = isBusy ? Math.min(fetched.wanted * 2, Math.floor(fetched.ratePerSecond * PREFETCH_SECONDS)) : 0;
}

function serveOne(desk: Desk, lane: Lane): void {
  const [next] = [...lane.waiting].sort(
    (a, b) => (lane.served.get(a.subjectId) ?? 0) - (lane.served.get(b.subjectId) ?? 0) || a.sinceMs - b.sinceMs,
  );
  if (next) {
    lane.served.set(next.subjectId, (lane.served.get(next.subjectId) ?? 0) + 1);
    next.resolve();
    return;
  }
  const nowMs = desk.nowMs();
  lane.spare = { count: (lane.spare.untilMs < nowMs ? 0 : lane.spare.count) + 1, untilMs: nowMs + TOKEN_LIFE_MS };
}

function giveUp(desk: Desk, lane: Lane, limit: { readonly olderThanMs: number; readonly retryAfterMs: number }): void {
  const nowMs = desk.nowMs();
  for (const waiter of lane.waiting.filter((one) => nowMs - one.sinceMs >= limit.olderThanMs)) {
    waiter.reject(
      new JobError('AWS_THROTTLED', {
        message: `The request rate of AWS for ${lane.call.group.name} is used up; keyferry waits.`,
        retryAfterMs: Math.ceil(limit.retryAfterMs),
      }),
    );
  }
}

function sleep(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
