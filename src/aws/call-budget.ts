/**
 * The call budget of one process: asks the shared ledger for tokens on behalf of all its runs and hands them out fairly, the subject that was
 * served least first, so that a sync of five secrets does not queue behind one of five thousand. Short waits happen here; a long one is the run's,
 * which gives its place back and comes again.
 */
import { setTimeout } from 'node:timers/promises';

import { type BudgetedCall, type BudgetLedger, type CallBudget, dueInMs } from '../domain/call-budget.ts';
import { JobError, toJobError } from '../errors.ts';

/** Tokens are fetched this long ahead of their due time. */
const MAX_WAIT_MS = 3_000;
/**
 * Nobody waits in place longer than so many times that, from its arrival to the token that it can expect. All lanes of one sync fit into it at 1.3 calls
 * a second: who gives up although its turn is near only makes its run come again.
 */
const PATIENCE = 2;
/** Where calls follow each other closely, up to this much is fetched beyond the demand of the moment: a statement per call would cost more than the call. */
const PREFETCH_SECONDS = 0.25;
/** What a prefetched token is worth: afterwards AWS has forgotten it, too. */
const TOKEN_LIFE_MS = 1_000;
const MAX_LANES = 1_000;
/** A subject that joins, or comes back from a rest, is ahead by this many calls at most: enough for a small sync to pass. */
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
  /** The least that anybody who was just served had been served: what a subject missed while it rested is not made up for. */
  level: number;
  /** Fetched and due, not yet used. */
  spare: { count: number; untilMs: number };
  /** Fetched and not yet due. */
  promised: number;
  /** Ends the wait for the next of them. */
  wakeUp: () => void;
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
    async throttled(call) {
      const lane = laneOf(lanes, call);
      const returned = giveBack(lane, desk.nowMs());
      // The next tokens are asked for when the ledger knows.
      await ledger.throttled(call, returned).finally(() => {
        lane.wakeUp();
      });
    },
  };
}

/** Lanes are few at a time: only accounts whose calls wait or were just made. */
function laneOf(lanes: Map<string, Lane>, call: BudgetedCall): Lane {
  const key = `${call.accountId}|${call.region}|${call.group.name}`;
  const lane = lanes.get(key) ?? {
    call,
    waiting: [],
    served: new Map(),
    level: 0,
    spare: { count: 0, untilMs: 0 },
    promised: 0,
    wakeUp: () => undefined,
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

/** What was promised before a refusal came too fast. Returns how many tokens go back unused. */
function giveBack(lane: Lane, nowMs: number): number {
  const returned = lane.promised + (lane.spare.untilMs < nowMs ? 0 : lane.spare.count);
  lane.promised = 0;
  lane.prefetch = 0;
  lane.spare = { count: 0, untilMs: 0 };
  return returned;
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

/** Whoever joins or comes back starts a little ahead of the present level, not where it left, or it would starve the others. */
function welcome(lane: Lane, subjectId: string): void {
  if (lane.waiting.some((waiter) => waiter.subjectId === subjectId)) return;
  lane.served.set(subjectId, Math.max(servedOf(lane, subjectId), lane.level - HEAD_START));
}

function servedOf(lane: Lane, subjectId: string): number {
  return lane.served.get(subjectId) ?? Number.NEGATIVE_INFINITY;
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
    if (lane.waiting.length === 0) {
      lane.served.clear();
      lane.level = 0;
    }
  }
}

async function handOutBatch(desk: Desk, lane: Lane): Promise<void> {
  const wanted = Math.max(lane.waiting.length, lane.prefetch);
  const reservation = await desk.ledger.grant(lane.call, wanted, desk.maxWaitMs);
  const startMs = desk.nowMs();
  adaptPrefetch(lane, { nowMs: startMs, wanted, ratePerSecond: reservation.ratePerSecond });
  if (reservation.granted < 1) {
    for (const waiter of [...lane.waiting]) waiter.reject(usedUp(lane, dueInMs(reservation, 1)));
    return;
  }
  lane.promised = reservation.granted;
  for (let n = 1; n <= reservation.granted; n += 1) {
    await sleep(lane, startMs + dueInMs(reservation, n) - desk.nowMs());
    if (lane.promised === 0) return;
    lane.promised -= 1;
    serveOne(desk, lane);
    sendAway(desk, lane, 1_000 / reservation.ratePerSecond);
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
  const [next] = inTurn(lane);
  if (next) {
    const served = servedOf(lane, next.subjectId);
    lane.level = Math.max(lane.level, served);
    lane.served.set(next.subjectId, served + 1);
    next.resolve();
    return;
  }
  const nowMs = desk.nowMs();
  lane.spare = { count: (lane.spare.untilMs < nowMs ? 0 : lane.spare.count) + 1, untilMs: nowMs + TOKEN_LIFE_MS };
}

function inTurn(lane: Lane): readonly Waiter[] {
  return [...lane.waiting].sort(
    (a, b) => servedOf(lane, a.subjectId) - servedOf(lane, b.subjectId) || a.sinceMs - b.sinceMs,
  );
}

/** Those whose token would come too late; each comes again when the others have theirs. */
function sendAway(desk: Desk, lane: Lane, everyMs: number): void {
  const nowMs = desk.nowMs();
  let ahead = 0;
  for (const waiter of inTurn(lane)) {
    const expectedMs = (ahead + 1) * everyMs;
    if (nowMs - waiter.sinceMs + expectedMs > PATIENCE * desk.maxWaitMs) waiter.reject(usedUp(lane, expectedMs));
    else ahead += 1;
  }
}

function usedUp({ call }: Lane, retryAfterMs: number): JobError {
  return new JobError('AWS_THROTTLED', {
    message: `The request rate of AWS for ${call.group.name} is used up; keyferry waits.`,
    retryAfterMs: Math.ceil(retryAfterMs),
  });
}

/** Until then, or until the lane's tokens are given back. */
async function sleep(lane: Lane, ms: number): Promise<void> {
  if (ms <= 0) return;
  const woken = new AbortController();
  lane.wakeUp = () => {
    woken.abort();
  };
  await setTimeout(ms, undefined, { signal: woken.signal }).catch(() => undefined);
}
