/**
 * The path of a request through the model. In order: route → authenticate → quota → faults and
 * latency → field rules → permissions → the operation → its answer, and one line in the call record
 * whatever happens.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { authenticate } from './authenticate.ts';
import { requireAccess } from './authorize.ts';
import { AwsError } from './aws-error.ts';
import type { SandboxBehaviour } from './behaviour.ts';
import type { WritableCallLog } from './calls.ts';
import type { SandboxClock } from './clock.ts';
import type { FaultAction, FaultPicker } from './faults.ts';
import { IAM_OPERATIONS } from './iam/operations.ts';
import { KMS_OPERATIONS } from './kms/operations.ts';
import type { Principal } from './principal.ts';
import type { Quotas } from './quotas.ts';
import type { SandboxRandom } from './random.ts';
import { SECRETS_MANAGER_OPERATIONS } from './secrets-manager/operations.ts';
import type { Call, Operation, OperationTable, ServiceName } from './service.ts';
import { SSM_OPERATIONS } from './ssm/operations.ts';
import { regionState, type World } from './state.ts';
import { STS_OPERATIONS } from './sts/operations.ts';
import { drawDelayMs, type SandboxTiming } from './timing.ts';
import { findFieldProblems } from './wire/field-rules.ts';
import type { SandboxAnswer, SandboxRequest } from './wire/request.ts';
import { toErrorResponse, toHtmlResponse, toResultResponse, type ResponseContext } from './wire/respond.ts';
import { guessProtocol, routeRequest, type Route } from './wire/route.ts';
import type { OperationModel } from './wire/service-model.ts';

export interface Dispatcher {
  readonly world: World;
  readonly clock: SandboxClock;
  readonly random: SandboxRandom;
  readonly timing: SandboxTiming;
  readonly behaviour: SandboxBehaviour;
  readonly quotas: Quotas;
  readonly faults: FaultPicker;
  readonly calls: WritableCallLog;
  /** How far AWS's clock is ahead of the real one. */
  readonly serverSkewMs: () => number;
  readonly nextRequestId: () => string;
  /** Names that a call in flight is changing. */
  readonly busy: Set<string>;
}

const OPERATIONS: Readonly<Record<ServiceName, OperationTable>> = {
  sts: STS_OPERATIONS,
  iam: IAM_OPERATIONS,
  ssm: SSM_OPERATIONS,
  secretsmanager: SECRETS_MANAGER_OPERATIONS,
  kms: KMS_OPERATIONS,
};

/** A request on its way; `outcome` is what the record will say. */
interface Exchange extends ResponseContext {
  readonly request: SandboxRequest;
  readonly route: Route;
  principal: Principal | undefined;
  parameters: Readonly<Record<string, unknown>>;
  outcome: string;
}

export async function dispatch(sandbox: Dispatcher, request: SandboxRequest): Promise<SandboxAnswer> {
  const context = { requestId: sandbox.nextRequestId(), wallNow: Date.now() + sandbox.serverSkewMs() };
  let route: Route;
  try {
    route = routeRequest(request);
  } catch (error) {
    return toErrorResponse(toAwsError(error), { protocol: guessProtocol(request), service: 'unknown' }, context);
  }
  const exchange: Exchange = { ...context, request, route, principal: undefined, parameters: {}, outcome: 'ok' };
  try {
    return await answer(sandbox, exchange);
  } catch (error) {
    const refusal = toAwsError(error);
    exchange.outcome = refusal.code;
    const { service } = route.model;
    return toErrorResponse(refusal, { protocol: service.protocol, service: service.name }, context);
  } finally {
    record(sandbox, exchange);
  }
}

async function answer(sandbox: Dispatcher, exchange: Exchange): Promise<SandboxAnswer> {
  const { route } = exchange;
  exchange.principal = identify(sandbox, exchange);
  const input = route.readInput();
  exchange.parameters = withoutValues(route.model, input);
  takeQuota(sandbox, exchange);
  const fault = sandbox.faults.isEmpty ? undefined : pickFault(sandbox, exchange);
  if (fault === 'html') {
    exchange.outcome = 'html';
    return toHtmlResponse(exchange);
  }
  if (fault === 'drop-before') {
    exchange.outcome = fault;
    return 'drop';
  }
  throwFault(exchange, fault);
  const waitMs = beforeMs(fault) + drawDelayMs(sandbox.timing.latencyMs, sandbox.random);
  const run = (): object => runOperation(sandbox, exchange, input);
  const output =
    waitMs > 0 || sandbox.busy.size > 0
      ? await runAlone(sandbox.busy, { waitMs, busyName: busyName(exchange, input), run })
      : run();
  return afterEffect(exchange, fault, output);
}

async function afterEffect(exchange: Exchange, fault: FaultAction | undefined, output: object): Promise<SandboxAnswer> {
  if (fault === 'drop-after') {
    exchange.outcome = fault;
    return 'drop';
  }
  const response = toResultResponse(exchange.route.model, output, exchange);
  if (typeof fault !== 'object') return response;
  if ('delayAfterMs' in fault) await sleep(fault.delayAfterMs);
  return 'dripMs' in fault ? { ...response, dripMs: fault.dripMs } : response;
}

function identify(sandbox: Dispatcher, exchange: Exchange): Principal {
  const { route, request, wallNow } = exchange;
  return authenticate({
    world: sandbox.world,
    timing: sandbox.timing,
    random: sandbox.random,
    request,
    claim: route.claim,
    protocol: route.model.service.protocol,
    partition: route.partition,
    operation: route.model.name,
    now: sandbox.clock.now().getTime(),
    wallNow,
  });
}

/**
 * The region that quotas and the record count by: IAM has one per partition, wherever a client was
 * configured for.
 */
function effectiveRegion(route: Route): string {
  return route.model.service.name === 'iam' ? route.partition.iamRegion : route.claim.region;
}

function takeQuota(sandbox: Dispatcher, exchange: Exchange): void {
  const { route, principal } = exchange;
  const accountId = principal?.account.accountId ?? '';
  const now = sandbox.clock.now().getTime();
  const { service, name } = route.model;
  if (sandbox.quotas.take({ service: service.name, operation: name, accountId, region: effectiveRegion(route), now }))
    return;
  throw throttled(route.model, sandbox.quotas.retryAfterMs);
}

function throttled(model: OperationModel, retryAfterMs?: number): AwsError {
  const code = model.service.protocol === 'json' ? 'ThrottlingException' : 'Throttling';
  return new AwsError(code, 'Rate exceeded', retryAfterMs === undefined ? {} : { retryAfterMs });
}

function pickFault(sandbox: Dispatcher, exchange: Exchange): FaultAction | undefined {
  const { route, principal, parameters } = exchange;
  return sandbox.faults.pick({
    service: route.model.service.name,
    operation: route.model.name,
    accountId: principal?.account.accountId,
    principalArn: principal?.arn,
    accessKeyId: route.claim.accessKeyId,
    region: effectiveRegion(route),
    parameters,
  });
}

function throwFault(exchange: Exchange, fault: FaultAction | undefined): void {
  if (fault === 'throttle') throw throttled(exchange.route.model);
  if (typeof fault !== 'object' || !('error' in fault)) return;
  const { code, status, message } = fault.error;
  throw new AwsError(
    code,
    message ?? 'A fault that the sandbox was asked for.',
    status === undefined ? {} : { status },
  );
}

function beforeMs(fault: FaultAction | undefined): number {
  return typeof fault === 'object' && 'delayMs' in fault ? fault.delayMs : 0;
}

interface Act {
  readonly waitMs: number;
  /** What no other request may change meanwhile. */
  readonly busyName: string | undefined;
  readonly run: () => object;
}

/** Waits, then acts; a concurrent request for the same object is refused. */
async function runAlone(busy: Set<string>, act: Act): Promise<object> {
  const name = act.busyName;
  if (name === undefined) {
    await sleep(act.waitMs);
    return act.run();
  }
  if (busy.has(name)) {
    const text = 'There are concurrent updates for a resource that supports one update at a time.';
    throw new AwsError('TooManyUpdates', text);
  }
  if (act.waitMs === 0) return act.run();
  busy.add(name);
  try {
    await sleep(act.waitMs);
    return act.run();
  } finally {
    busy.delete(name);
  }
}

function busyName(exchange: Exchange, input: unknown): string | undefined {
  const { route, principal } = exchange;
  const operation = getOperation(route.model);
  if (!operation.exclusive || findFieldProblems(route.model.check, input) !== undefined) return undefined;
  return `${principal?.account.accountId ?? ''}/${route.claim.region}/${operation.exclusive(input as never)}`;
}

function runOperation(sandbox: Dispatcher, exchange: Exchange, input: unknown): object {
  const { route, principal } = exchange;
  if (!principal) throw new Error('An operation ran without a principal: a defect of the sandbox.');
  return runChecked(toCall(sandbox, route, principal), route.model, input);
}

/** Field rules, permissions, effect: also the way of edits that the fixture handle makes. */
export function runChecked(call: Call, model: OperationModel, input: unknown): object {
  const isJson = model.service.protocol === 'json';
  const problems = findFieldProblems(model.check, input);
  if (problems !== undefined) throw new AwsError(isJson ? 'ValidationException' : 'ValidationError', problems);
  const operation = getOperation(model);
  for (const need of operation.access(call, input as never))
    requireAccess(call, need, isJson ? 'AccessDeniedException' : 'AccessDenied');
  return operation.run(call, input as never);
}

function toCall(sandbox: Dispatcher, route: Route, principal: Principal): Call {
  const { account } = principal;
  const region = effectiveRegion(route);
  return {
    world: sandbox.world,
    timing: sandbox.timing,
    behaviour: sandbox.behaviour,
    random: sandbox.random,
    principal,
    account,
    partition: route.partition,
    region,
    now: sandbox.clock.now().getTime(),
    regionState: regionState(account, region),
  };
}

function getOperation(model: OperationModel): Operation {
  const operation = OPERATIONS[model.service.name][model.name];
  if (!operation) throw new Error(`The sandbox lacks ${model.service.name}.${model.name}, which its table lists.`);
  return operation;
}

function withoutValues(model: OperationModel, input: unknown): Readonly<Record<string, unknown>> {
  if (typeof input !== 'object' || input === null) return {};
  const copy = { ...input } as Record<string, unknown>;
  for (const member of model.sensitiveMembers) Reflect.deleteProperty(copy, member);
  return copy;
}

function record(sandbox: Dispatcher, exchange: Exchange): void {
  const { route, request, principal } = exchange;
  const attempt = /attempt=(\d+)/.exec(request.headers['amz-sdk-request'] ?? '')?.[1];
  sandbox.calls.add({
    service: route.model.service.name,
    operation: route.model.name,
    principalArn: principal?.arn,
    accountId: principal?.account.accountId,
    accessKeyId: route.claim.accessKeyId,
    region: effectiveRegion(route),
    parameters: exchange.parameters,
    outcome: exchange.outcome,
    attempt: attempt === undefined ? 1 : Number(attempt),
    invocationId: request.headers['amz-sdk-invocation-id'],
    at: sandbox.clock.now(),
  });
}

/** Anything else is a defect of the sandbox and must be heard of. */
function toAwsError(error: unknown): AwsError {
  if (error instanceof AwsError) return error;
  throw error;
}
