/**
 * The AWS sandbox: a strict model of STS, IAM access keys, SSM parameters and Secrets Manager, for
 * the demo, development and tests. One model, two doors: `createSandboxRequestHandler` (no sockets)
 * and `startAwsSandboxServer` (loopback HTTP). It never reaches the network, never touches a file,
 * and keeps everything in memory.
 */
import { resolveBehaviour, type BehaviourOption } from './behaviour.ts';
import { createCallLog, type CallLog } from './calls.ts';
import { createSandboxClock, type SandboxClock } from './clock.ts';
import { dispatch, type Dispatcher } from './dispatch.ts';
import { createFaults, type Faults } from './faults.ts';
import { createFixtures, type SandboxFixtures } from './fixtures.ts';
import { createForeignEdits, type ForeignEdits } from './foreign.ts';
import type { KeyChange } from './iam/access-keys.ts';
import { createInspection, type SandboxInspection } from './inspect.ts';
import { createQuotas, type QuotaOption } from './quotas.ts';
import { createRandom } from './random.ts';
import { createWorld } from './state.ts';
import { resolveTiming, type TimingOption } from './timing.ts';
import type { SandboxAnswer, SandboxRequest } from './wire/request.ts';

export interface AwsSandboxOptions {
  /** Of everything random: ids, delays, faults. Default 1. */
  readonly seed?: number;
  /** Default: the real time, which `advance` can move ahead. */
  readonly clock?: SandboxClock;
  /** Default 'off'. */
  readonly quotas?: QuotaOption;
  /** Default 'immediate'. */
  readonly timing?: TimingOption;
  /** What AWS's sources leave open. */
  readonly behaviour?: BehaviourOption;
  /** The first account that `createAccount()` makes; default 111122223333. */
  readonly baseAccountId?: string;
  /** How many calls the record keeps; default 100,000. */
  readonly callRecordLimit?: number;
}

export interface AwsSandbox extends SandboxFixtures {
  readonly clock: SandboxClock;
  readonly inspect: SandboxInspection;
  readonly foreign: ForeignEdits;
  readonly calls: CallLog;
  readonly faults: Faults;
  /**
   * Sets AWS's clock apart from the real one, in milliseconds: signatures are judged by it, clients
   * correct theirs by it.
   */
  setServerSkew(ms: number): void;
  /** Changes quotas from here on; all buckets start full. */
  setQuotas(quotas: QuotaOption): void;
  /** Changes delays from here on; what is on its way keeps the delay it drew. */
  setTiming(timing: TimingOption): void;
  /** Changes these switches from here on. */
  setBehaviour(behaviour: BehaviourOption): void;
  /** The model's door. Rejects only when the sandbox itself has a defect. */
  handle(request: SandboxRequest): Promise<SandboxAnswer>;
}

const DEFAULT_CALL_RECORD_LIMIT = 100_000;

export function createAwsSandbox(options: AwsSandboxOptions = {}): AwsSandbox {
  const world = createWorld();
  const clock = options.clock ?? createSandboxClock();
  const random = createRandom(options.seed ?? 1);
  const calls = createCallLog(options.callRecordLimit ?? DEFAULT_CALL_RECORD_LIMIT);
  // A stream of its own, so that adding a fault does not change the ids and delays of the calls
  // around it.
  const faults = createFaults(createRandom((options.seed ?? 1) + 1));
  let timing = resolveTiming(options.timing);
  let behaviour = resolveBehaviour(options.behaviour);
  let quotas = createQuotas(options.quotas);
  let skewMs = 0;
  let requests = 0;
  const dispatcher: Dispatcher = {
    world,
    clock,
    random,
    calls,
    faults,
    get timing() {
      return timing;
    },
    get behaviour() {
      return behaviour;
    },
    get quotas() {
      return quotas;
    },
    serverSkewMs: () => skewMs,
    nextRequestId: () => `00000000-0000-4000-8000-${String((requests += 1)).padStart(12, '0')}`,
    busy: new Set(),
  };
  const now = (): number => clock.now().getTime();
  const change = (): KeyChange => ({ world, timing, random, now: now() });
  return {
    ...createFixtures(change, options.baseAccountId),
    clock,
    inspect: createInspection(world, now),
    foreign: createForeignEdits(() => ({ ...change(), behaviour })),
    calls,
    faults,
    setServerSkew: (ms) => {
      skewMs = ms;
    },
    setQuotas: (next) => {
      quotas = createQuotas(next);
    },
    setTiming: (next) => {
      timing = resolveTiming(next);
    },
    setBehaviour: (next) => {
      behaviour = { ...behaviour, ...next };
    },
    handle: (request) => dispatch(dispatcher, request),
  };
}
