/**
 * How one call reaches AWS. Every attempt passes, in this order: the call budget, the lease guard
 * (mutations), the call counter, a deadline. Failures, and answers without the fields that AWS
 * always sends, are classified; a read is repeated once after a transient failure, any other call
 * only where AWS certainly did nothing. The SDK itself never retries. A mutation with an unclear
 * outcome is never repeated here: the caller knows how to find out what happened.
 */
import { setMaxListeners } from 'node:events';

import { isMutation } from '../domain/call-log.ts';
import { isBaseFault } from '../domain/connection/base-identity.ts';
import { type BudgetedCall, type CallBudget, quotaGroupOf } from '../domain/call-budget.ts';
import type { QuotaGroup } from '../domain/quota-group.ts';
import { JobError } from '../errors.ts';
import { annotate, inSpan } from '../observe/trace.ts';
import { requireAnswer } from './answers.ts';
import { type CallSignal, createCallEnd } from './call-signal.ts';
import { type FailedCall, toAwsError } from './errors.ts';
import { toAsked } from './foreign-text.ts';
import type { AwsService } from './services.ts';
import type { CallScope } from './session.ts';

export type CallOutcome = 'ok' | 'throttled' | 'denied' | 'failed' | 'unreachable';

/** What all calls of a process share. */
export interface CallSettings {
  readonly budget: CallBudget | undefined;
  readonly deadlineMs: number;
  onCall(call: { readonly service: AwsService; readonly operation: string; readonly outcome: CallOutcome }): void;
  /**
   * Called after each call of the worker's own identity whose result shows whether it can be used.
   */
  onBaseCall?(fault: JobError | undefined): void;
  nowMs(): number;
  random(): number;
}

/** What one session's calls share. */
export interface CallContext {
  readonly service: AwsService;
  /** Signed by the worker's own identity. */
  readonly isBase?: boolean;
  /** Signed by a session of an assumed role. */
  readonly isSession?: boolean;
  /** The quota group to use instead of the operation's own. */
  readonly quotaGroup?: QuotaGroup;
  readonly scope: CallScope;
  /** The account and region that AWS charges; undefined where calls are too few to count. */
  charged(): { readonly accountId: string; readonly region: string } | undefined;
  /** Gets the credentials that the call is signed with; what that costs is counted for this run. */
  prepare?(): Promise<unknown>;
  /**
   * Drops credentials that AWS refused, for this reason, and that were obtained before this moment;
   * absent where nothing can be renewed.
   */
  forgetCredentials?(sinceMs: number, reason: JobError): void;
}

export interface CallAttempt {
  readonly signal: CallSignal;
  /** Called last before the request leaves. */
  beforeSend(): Promise<void>;
  end(): void;
}

export type SendOnce = (attempt: CallAttempt) => Promise<unknown>;

export interface CallRequest {
  readonly operationName: string;
  readonly input: unknown;
  readonly send: SendOnce;
}

interface Call extends FailedCall {
  readonly settings: CallSettings;
  readonly context: CallContext;
}

export async function performCall(
  settings: CallSettings,
  context: CallContext,
  request: CallRequest,
): Promise<unknown> {
  const call: Call = {
    settings,
    context,
    operation: `${context.service}.${request.operationName}`,
    isMutation: isMutation(request.operationName),
    isBase: context.isBase === true,
    isSession: context.isSession === true,
  };
  const repeats = new Map<RepeatName, number>();
  for (;;) {
    const startedAtMs = settings.nowMs();
    const result = await inSpan(
      { name: call.operation, kind: 'client', attributes: spanAttributes(call, request) },
      async () => {
        const answer = await attemptOnce(call, request);
        report(call, request.operationName, answer);
        return answer;
      },
    );
    if (!('error' in result)) {
      if (call.isBase === true) settings.onBaseCall?.(undefined);
      return result.output;
    }
    const repeat = repeatFor(result.error, call);
    const done = repeat ? (repeats.get(repeat.name) ?? 0) : 0;
    if (!repeat || !result.isOwn || done >= repeat.limit) {
      if (call.isBase === true && isBaseFault(result.error)) settings.onBaseCall?.(result.error);
      throw result.error;
    }
    repeats.set(repeat.name, done + 1);
    if (repeat.name === 'expired') context.forgetCredentials?.(startedAtMs, result.error);
    await pause(repeat.delayMs(settings.random(), result.error), context.scope.signal);
  }
}

type Result =
  { readonly output: unknown } | { readonly error: JobError; readonly isOwn: boolean; readonly isSent: boolean };

async function attemptOnce(call: Call, { input, send }: CallRequest): Promise<Result> {
  const attempt = startAttempt(call);
  try {
    const work = async () => {
      await call.context.prepare?.();
      const output = await send(attempt);
      requireAnswer({ operation: call.operation, input, output });
      return output;
    };
    return { output: await Promise.race([work(), attempt.aborted]) };
  } catch (raw) {
    // A JobError comes from the budget, the guard, the deadline or the credentials of this call,
    // and has had its own repeats.
    return {
      error: toAwsError(raw, { ...call, asked: toAsked(input) }),
      isOwn: !(raw instanceof JobError),
      isSent: attempt.isSent(),
    };
  } finally {
    attempt.end();
  }
}

function startAttempt(call: Call): CallAttempt & { readonly aborted: Promise<never>; isSent(): boolean } {
  const { scope } = call.context;
  const { signal, aborted, abort, throwIfAborted } = createCallEnd();
  let timer: NodeJS.Timeout | undefined;
  let isSent = false;
  const stop = () => {
    const reason = toStop(scope.signal.reason);
    abort(isSent && call.isMutation ? ambiguous(reason, call) : reason);
  };
  // A run may have any number of calls in flight.
  setMaxListeners(0, scope.signal);
  if (scope.signal.aborted) stop();
  else scope.signal.addEventListener('abort', stop, { once: true });
  return {
    signal,
    aborted,
    isSent: () => isSent,
    async beforeSend() {
      await takeBudget(call, scope.signal);
      throwIfAborted();
      if (call.isMutation) await scope.beforeMutation();
      throwIfAborted();
      isSent = true;
      timer = setTimeout(() => {
        abort(timedOut(call));
      }, call.settings.deadlineMs);
      scope.calls.record(call.operation);
    },
    end() {
      clearTimeout(timer);
      scope.signal.removeEventListener('abort', stop);
    },
  };
}

async function takeBudget(call: Call, signal: AbortSignal): Promise<void> {
  const budgeted = toBudgeted(call);
  if (budgeted) await call.settings.budget?.take(budgeted, signal);
}

function toBudgeted({ context, operation }: Call): BudgetedCall | undefined {
  const group = context.quotaGroup ?? quotaGroupOf(operation);
  const charged = context.charged();
  return group && charged && { ...charged, group, subjectId: context.scope.subjectId };
}

function toStop(reason: unknown): JobError {
  if (reason instanceof JobError) return reason;
  return new JobError('LEASE_LOST', { message: 'The run was stopped.', cause: reason });
}

function ambiguous(stop: JobError, call: Call): JobError {
  return new JobError(stop.code, {
    message: stop.publicMessage,
    disposition: stop.disposition,
    context: { ...stop.context, operation: call.operation, isAmbiguous: true },
    cause: stop,
  });
}

function timedOut(call: Call): JobError {
  const seconds = String(call.settings.deadlineMs / 1_000);
  return new JobError('AWS_UNREACHABLE', {
    message: `AWS did not answer ${call.operation} within ${seconds} s.`,
    context: { operation: call.operation, awsError: 'TimeoutError', ...(call.isMutation ? { isAmbiguous: true } : {}) },
  });
}

function spanAttributes({ context }: Call, { operationName }: { readonly operationName: string }) {
  return { 'rpc.system': 'aws-api', 'rpc.service': context.service, 'rpc.method': operationName };
}

function report(call: Call, operationName: string, result: Result): void {
  if ('error' in result && !result.isSent) {
    annotate({ 'keyferry.outcome': 'not-sent', 'error.type': result.error.code });
    return;
  }
  const { service } = call.context;
  const outcome = 'error' in result ? outcomeOf(result.error) : 'ok';
  annotate({ 'keyferry.outcome': outcome, ...('error' in result && { 'error.type': result.error.code }) });
  call.settings.onCall({ service, operation: operationName, outcome });
  if (!('error' in result) || !result.isOwn || result.error.code !== 'AWS_THROTTLED') return;
  const budgeted = toBudgeted(call);
  // The budget is updated in the background; the call does not wait for it.
  if (budgeted) call.settings.budget?.throttled(budgeted).catch(() => undefined);
}

function outcomeOf(error: JobError): CallOutcome {
  if (error.code === 'AWS_THROTTLED') return 'throttled';
  if (error.code === 'AWS_UNREACHABLE') return 'unreachable';
  return /DENIED|REFUSED|KEY_UNKNOWN|SECRET_WRONG/.test(error.code) ? 'denied' : 'failed';
}

type RepeatName = 'expired' | 'too-many-updates' | 'throttled' | 'clock' | 'transient-read';

interface Repeat {
  readonly name: RepeatName;
  readonly limit: number;
  delayMs(random: number, error: JobError): number;
}

const between = (low: number, high: number) => (random: number) => low + (high - low) * random;

const expired: Repeat = { name: 'expired', limit: 1, delayMs: () => 0 };
const tooManyUpdates: Repeat = { name: 'too-many-updates', limit: 3, delayMs: between(100, 500) };
// The budget has recorded the refusal and makes the repeat wait its turn.
const throttled: Repeat = {
  name: 'throttled',
  limit: 2,
  delayMs: (random, error) => Math.max(between(100, 400)(random), Math.min(error.retryAfterMs ?? 0, 2_000)),
};
// The SDK has just corrected its clock by the server's.
const clock: Repeat = { name: 'clock', limit: 1, delayMs: () => 0 };
const transientRead: Repeat = { name: 'transient-read', limit: 1, delayMs: between(50, 150) };

/**
 * In-place repeats, by name: in all but the last, AWS refused the request before it had any effect.
 */
function repeatFor(error: JobError, call: Call): Repeat | undefined {
  const isRenewable = error.code === 'CONNECTION_TOKEN_EXPIRED' || error.code === 'CONNECTION_BASE_REFUSED';
  if (isRenewable && call.context.forgetCredentials) return expired;
  if (error.context.awsError === 'TooManyUpdates') return tooManyUpdates;
  if (error.code === 'AWS_THROTTLED' && call.settings.budget) return throttled;
  if (error.context.clockSkewCorrected === true) return clock;
  if (!call.isMutation && (error.code === 'AWS_UNAVAILABLE' || error.code === 'AWS_UNREACHABLE')) return transientRead;
  return undefined;
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0 || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener('abort', done, { once: true });
  });
}
