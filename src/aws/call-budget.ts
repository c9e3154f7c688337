/**
 * The call budget of one process: asks the shared ledger for tokens on behalf of all its runs and
 * hands them out fairly, the subject that was served least first, so that a sync of five secrets
 * does not queue behind one of five thousand. Short waits happen here; a long one ends the run's
 * slice, and the subject is dispatched again.
 */
import { setTimeout } from 'node:timers/promises';

import { type BudgetedCall, type BudgetLedger, type CallBudget, dueInMs } from '../domain/call-budget.ts';
import { JobError, toJobError } from '../errors.ts';

/** Tokens are fetched this long ahead of their due time. */
const MAX_WAIT_MS = 3_000;
/**
 * The longest wait in place, as a multiple of that, from arrival to the expected token. At 1.3
 * calls a second all writers of one sync fit into it: a caller that gives up just before its turn
 * only makes its run come again.
 */
const PATIENCE = 2;
/**
 * Under steady load, up to this much is fetched beyond the present demand: a statement per call
 * would cost more than the call.
 */
const PREFETCH_SECONDS = 0.25;
/** How long a prefetched token is valid: afterwards AWS's bucket has refilled anyway. */
const TOKEN_LIFE_MS = 1_000;
const MAX_WAITING_LINES = 1_000;
/**
 * A subject that joins, or comes back after idling, starts at most this many calls ahead: enough
 * for a small sync to finish.
 */
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

/**
 * The calls of one operation group that wait in one account and region, and the tokens fetched for
 * them.
 */
interface WaitingLine {
  readonly call: BudgetedCall;
  readonly waiting: Waiter[];
  readonly served: Map<string, number>;
  /**
   * The least-served count among recently served subjects: a subject gets no credit for the time it
   * was idle.
   */
  level: number;
  /** Fetched and due, not yet used. */
  spare: { count: number; untilMs: number };
  /** Fetched and not yet due. */
  promised: number;
  /** Ends the wait for the next of them: they were given back. */
  wakeUp: () => void;
  /** Settles once the ledger knows of all refusals: tokens granted before that came too early. */
  recorded: Promise<unknown>;
  isPumping: boolean;
  /** How many tokens to fetch at least, and when the last were fetched. */
  prefetch: number;
  fetchedMs: number;
}

interface BudgetTools {
  readonly ledger: BudgetLedger;
  readonly maxWaitMs: number;
  nowMs(): number;
}

export function createCallBudget(ledger: BudgetLedger, options: CallBudgetOptions = {}): CallBudget {
  const tools: BudgetTools = {
    ledger,
    maxWaitMs: options.maxWaitMs ?? MAX_WAIT_MS,
    nowMs: options.nowMs ?? (() => performance.now()),
  };
  const lines = new Map<string, WaitingLine>();
  return {
    take(call, signal) {
      const line = lineOf(lines, call);
      if (line.waiting.length === 0 && takeSpare(line, tools.nowMs())) return Promise.resolve();
      return wait(tools, line, { subjectId: call.subjectId, signal });
    },
    async throttled(call) {
      const line = lineOf(lines, call);
      const returned = giveBack(line, tools.nowMs());
      const recorded = ledger.throttled(call, returned);
      line.recorded = Promise.allSettled([line.recorded, recorded]);
      line.wakeUp();
      await recorded;
    },
  };
}

/** Only accounts whose calls wait or were just made have a line, so there are few at a time. */
function lineOf(lines: Map<string, WaitingLine>, call: BudgetedCall): WaitingLine {
  const key = `${call.accountId}|${call.region}|${call.group.name}`;
  const line = lines.get(key) ?? {
    call,
    waiting: [],
    served: new Map(),
    level: 0,
    spare: { count: 0, untilMs: 0 },
    promised: 0,
    wakeUp: () => undefined,
    recorded: Promise.resolve(),
    isPumping: false,
    prefetch: 0,
    fetchedMs: Number.NEGATIVE_INFINITY,
  };
  lines.delete(key);
  lines.set(key, line);
  const [oldestKey, oldest] = lines.entries().next().value ?? [];
  if (lines.size > MAX_WAITING_LINES && oldestKey !== undefined && oldest && !oldest.isPumping) lines.delete(oldestKey);
  return line;
}

function takeSpare(line: WaitingLine, nowMs: number): boolean {
  if (line.spare.count < 1 || line.spare.untilMs < nowMs) return false;
  line.spare.count -= 1;
  return true;
}

/** Tokens promised before a refusal came too fast. Returns how many of them go back unused. */
function giveBack(line: WaitingLine, nowMs: number): number {
  const returned = line.promised + (line.spare.untilMs < nowMs ? 0 : line.spare.count);
  line.promised = 0;
  line.prefetch = 0;
  line.spare = { count: 0, untilMs: 0 };
  return returned;
}

function wait(
  tools: BudgetTools,
  line: WaitingLine,
  asker: { readonly subjectId: string; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal, subjectId } = asker;
    const leave = () => {
      signal.removeEventListener('abort', abort);
      const at = line.waiting.indexOf(waiter);
      if (at >= 0) line.waiting.splice(at, 1);
    };
    const waiter: Waiter = {
      subjectId,
      sinceMs: tools.nowMs(),
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
    join(line, subjectId);
    line.waiting.push(waiter);
    if (!line.isPumping) void pump(tools, line);
  });
}

/**
 * A subject that joins or comes back starts slightly ahead of the present level, not where it left,
 * or it would starve the others.
 */
function join(line: WaitingLine, subjectId: string): void {
  if (line.waiting.some((waiter) => waiter.subjectId === subjectId)) return;
  line.served.set(subjectId, Math.max(servedOf(line, subjectId), line.level - HEAD_START));
}

function servedOf(line: WaitingLine, subjectId: string): number {
  return line.served.get(subjectId) ?? Number.NEGATIVE_INFINITY;
}

/** Hands out tokens until nothing waits. One pump per line. */
async function pump(tools: BudgetTools, line: WaitingLine): Promise<void> {
  line.isPumping = true;
  try {
    // Calls of one turn are asked for together.
    await Promise.resolve();
    while (line.waiting.length > 0) await handOutBatch(tools, line);
  } catch (error) {
    for (const waiter of [...line.waiting]) waiter.reject(toJobError(error));
  } finally {
    line.isPumping = false;
    if (line.waiting.length === 0) {
      line.served.clear();
      line.level = 0;
    }
  }
}

async function handOutBatch(tools: BudgetTools, line: WaitingLine): Promise<void> {
  await line.recorded;
  const wanted = Math.max(line.waiting.length, line.prefetch);
  const reservation = await tools.ledger.grant(line.call, wanted, tools.maxWaitMs);
  const startMs = tools.nowMs();
  adaptPrefetch(line, { nowMs: startMs, wanted, ratePerSecond: reservation.ratePerSecond });
  if (reservation.granted < 1) {
    for (const waiter of [...line.waiting]) waiter.reject(usedUp(line, dueInMs(reservation, 1)));
    return;
  }
  line.promised = reservation.granted;
  for (let n = 1; n <= reservation.granted; n += 1) {
    await sleep(line, startMs + dueInMs(reservation, n) - tools.nowMs());
    if (line.promised === 0) return;
    line.promised -= 1;
    serveOne(tools, line);
    sendAway(tools, line, 1_000 / reservation.ratePerSecond);
  }
}

/** Doubles while tokens are used as fast as they arrive; resets after a pause. */
function adaptPrefetch(
  line: WaitingLine,
  fetched: { readonly nowMs: number; readonly wanted: number; readonly ratePerSecond: number },
): void {
  const isBusy = fetched.nowMs - line.fetchedMs < PREFETCH_SECONDS * 1_000;
  line.fetchedMs = fetched.nowMs;
  line.prefetch = isBusy ? Math.min(fetched.wanted * 2, Math.floor(fetched.ratePerSecond * PREFETCH_SECONDS)) : 0;
}

function serveOne(tools: BudgetTools, line: WaitingLine): void {
  const [next] = inTurn(line);
  if (next) {
    const served = servedOf(line, next.subjectId);
    line.level = Math.max(line.level, served);
    line.served.set(next.subjectId, served + 1);
    next.resolve();
    return;
  }
  const nowMs = tools.nowMs();
  line.spare = { count: (line.spare.untilMs < nowMs ? 0 : line.spare.count) + 1, untilMs: nowMs + TOKEN_LIFE_MS };
}

function inTurn(line: WaitingLine): readonly Waiter[] {
  return [...line.waiting].sort(
    (a, b) => servedOf(line, a.subjectId) - servedOf(line, b.subjectId) || a.sinceMs - b.sinceMs,
  );
}

/** Callers whose token would come too late; each retries when the others have theirs. */
function sendAway(tools: BudgetTools, line: WaitingLine, everyMs: number): void {
  const nowMs = tools.nowMs();
  let ahead = 0;
  for (const waiter of inTurn(line)) {
    const expectedMs = (ahead + 1) * everyMs;
    if (nowMs - waiter.sinceMs + expectedMs > PATIENCE * tools.maxWaitMs) waiter.reject(usedUp(line, expectedMs));
    else ahead += 1;
  }
}

function usedUp({ call }: WaitingLine, retryAfterMs: number): JobError {
  return new JobError('AWS_THROTTLED', {
    message: `The request rate of AWS for ${call.group.name} is used up; keyferry waits.`,
    retryAfterMs: Math.ceil(retryAfterMs),
  });
}

/** Until then, or until the line's tokens are given back. */
async function sleep(line: WaitingLine, ms: number): Promise<void> {
  if (ms <= 0) return;
  const woken = new AbortController();
  line.wakeUp = () => {
    woken.abort();
  };
  await setTimeout(ms, undefined, { signal: woken.signal }).catch(() => undefined);
}
