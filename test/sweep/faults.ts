/**
 * One fault in one step. The steps of a worker are its calls of AWS, permission probes and STS
 * apart, its requests to the source of a folder, and the statements that write its ledger, the
 * folder and the engine's rows.
 */
import type { Folders } from '../../src/db/folders.ts';
import type { Sources } from '../../src/db/sources.ts';
import type { WorkStore } from '../../src/db/engine/work.ts';
import { JobError } from '../../src/errors.ts';
import type { AwsSandbox, SandboxAnswer, SandboxRequest } from '../../src/sandbox/aws/index.ts';
import type { SyncDependencies } from '../../src/workers/sync/processor.ts';

export interface Step {
  readonly name: string;
  readonly kind: 'aws' | 'db' | 'http';
  readonly isMutation: boolean;
}

export type FaultMode =
  /** The worker dies before the step, or right after it took effect. */
  | 'death before'
  | 'death after'
  /** The step takes effect, and the answer is lost. */
  | 'lost answer'
  /**
   * The worker gives up; the call takes effect later, after this run or after the next. Of a
   * source: it answers with what it held before another worker read it.
   */
  | 'late answer'
  /** Without effect. */
  | 'throttled'
  | 'denied'
  | 'refused'
  /**
   * The worker stands still while another one takes the lease, runs to the end, and only then goes
   * on.
   */
  | 'overtaken';

export interface Fault {
  readonly index: number;
  readonly mode: FaultMode;
}

export class Crash extends Error {
  override readonly name = 'Crash';
}

export interface Injector {
  /** Since `arm`, in order. */
  readonly steps: readonly Step[];
  /** Whether the fault was reached. */
  wasHit(): boolean;
  isDead(): boolean;
  arm(fault: Fault | undefined, hooks: FaultHooks): void;
  disarm(): void;
  /** Lets the calls arrive that are still on their way. */
  deliver(): Promise<void>;
  wrap(deps: SyncDependencies): SyncDependencies;
  wrapWork(work: WorkStore): WorkStore;
  wrapHandle(handle: AwsSandbox['handle']): AwsSandbox['handle'];
  wrapPulls(stores: PullStores): PullStores;
  /** One request to the source. */
  exchange(exchange: Exchange): Promise<void>;
}

export interface PullStores {
  readonly folders: Folders;
  readonly sources: Sources;
}

/** What can become of a request to the source. */
export interface Exchange {
  readonly name: string;
  answer(): void;
  /** With what the source holds before `wait`. */
  answerLate(wait: () => Promise<void>): Promise<void>;
  drop(): void;
  refuse(status: number): void;
}

export interface FaultHooks {
  /** After every step that took effect. */
  observe(step: Step): void;
  /** Another worker runs to the end. */
  overtake(): Promise<void>;
}

export function modesOf(step: Step): readonly FaultMode[] {
  if (step.name === 'claim') return ['death before', 'death after'];
  if (step.name === 'settle') return ['death before', 'death after', 'overtaken'];
  if (step.kind === 'db') return ['death before', 'death after', 'lost answer', 'refused', 'overtaken'];
  if (step.kind === 'http') return ['death before', 'death after', 'lost answer', 'late answer', 'throttled', 'denied'];
  if (!step.isMutation) return ['death before', 'lost answer', 'throttled', 'denied'];
  return ['death before', 'death after', 'lost answer', 'late answer', 'throttled', 'denied', 'overtaken'];
}

interface State {
  fault: Fault | undefined;
  hooks: FaultHooks | undefined;
  isArmed: boolean;
  isHit: boolean;
  isDead: boolean;
  readonly steps: Step[];
  readonly late: (() => Promise<unknown>)[];
}

export function createInjector(): Injector {
  const state: State = {
    fault: undefined,
    hooks: undefined,
    isArmed: false,
    isHit: false,
    isDead: false,
    steps: [],
    late: [],
  };
  return {
    steps: state.steps,
    wasHit: () => state.isHit,
    isDead: () => state.isDead,
    arm: (fault, hooks) => {
      Object.assign(state, { fault, hooks, isArmed: true });
    },
    disarm: () => {
      state.isArmed = false;
    },
    deliver: async () => {
      for (const send of state.late.splice(0)) await send();
    },
    wrap: (deps) => wrapDependencies(state, deps),
    wrapWork: (work) => wrapWork(state, work),
    wrapHandle: (handle) => (request) => answer(state, handle, request),
    wrapPulls: (stores) => wrapPulls(state, stores),
    exchange: (exchanged) => exchange(state, exchanged),
  };
}

/** The mode in which this step goes wrong, if it does. */
function next(state: State, step: Step): FaultMode | undefined {
  if (!state.isArmed) return undefined;
  const index = state.steps.push(step) - 1;
  if (state.isHit || state.fault?.index !== index) return undefined;
  state.isHit = true;
  return state.fault.mode;
}

async function statement<T>(state: State, name: string, act: () => Promise<T>): Promise<T> {
  if (state.isDead) throw new Crash();
  const step: Step = { name, kind: 'db', isMutation: true };
  const mode = next(state, step);
  if (mode === 'death before') die(state);
  if (mode === 'refused') throw new JobError('DB_UNAVAILABLE');
  if (mode === 'overtaken') await state.hooks?.overtake();
  const result = await act();
  if (state.isArmed) state.hooks?.observe(step);
  if (mode === 'death after') die(state);
  if (mode === 'lost answer') throw new JobError('DB_UNAVAILABLE');
  return result;
}

function die(state: State): never {
  state.isDead = true;
  throw new Crash();
}

async function answer(state: State, handle: AwsSandbox['handle'], request: SandboxRequest): Promise<SandboxAnswer> {
  if (state.isDead) return 'drop';
  const step = toStep(request);
  if (!step) return handle(request);
  const mode = next(state, step);
  switch (mode) {
    case 'death before':
      state.isDead = true;
      return 'drop';
    case 'throttled':
      return refusal('ThrottlingException', 'Rate exceeded');
    case 'denied':
      return refusal('AccessDeniedException', `not authorized to perform: ${step.name}`);
    case 'late answer':
      state.late.push(() => handle(request));
      return 'drop';
    case 'overtaken':
      await state.hooks?.overtake();
      break;
    default:
  }
  const result = await handle(request);
  if (state.isArmed) state.hooks?.observe(step);
  if (mode === 'death after') state.isDead = true;
  return mode === 'death after' || mode === 'lost answer' ? 'drop' : result;
}

async function exchange(state: State, exchanged: Exchange): Promise<void> {
  // Of a healthy worker.
  if (!state.isArmed) exchanged.answer();
  else if (state.isDead) exchanged.drop();
  else await answerAs(state, exchanged, next(state, { name: exchanged.name, kind: 'http', isMutation: false }));
}

async function answerAs(state: State, exchanged: Exchange, mode: FaultMode | undefined): Promise<void> {
  if (mode === 'death before' || mode === 'death after') state.isDead = true;
  switch (mode) {
    case 'death before':
    case 'lost answer':
      exchanged.drop();
      break;
    case 'throttled':
      exchanged.refuse(429);
      break;
    case 'denied':
      exchanged.refuse(403);
      break;
    case 'late answer':
      await exchanged.answerLate(async () => state.hooks?.overtake());
      break;
    default:
      exchanged.answer();
  }
}

const MUTATION = /^(Put|Create|Update|Delete|Restore|Tag|Untag|Add|Remove|Replicate)/;

function toStep({ headers, body }: SandboxRequest): Step | undefined {
  const name = /\.(\w+)$/.exec(headers['x-amz-target'] ?? '')?.[1];
  if (name === undefined || /keyferry-probe|"SecretId":"arn:/.test(new TextDecoder().decode(body))) return undefined;
  return { name, kind: 'aws', isMutation: MUTATION.test(name) };
}

function refusal(code: string, message: string): SandboxAnswer {
  const headers = { 'content-type': 'application/x-amz-json-1.1' };
  return { status: 400, headers, body: Buffer.from(JSON.stringify({ __type: code, message })) };
}

function wrapWork(state: State, work: WorkStore): WorkStore {
  return {
    ...work,
    claim: (kind, input) => statement(state, 'claim', () => work.claim(kind, input)),
    settle: (settlement) => statement(state, 'settle', () => work.settle(settlement)),
  };
}

function wrapDependencies(state: State, deps: SyncDependencies): SyncDependencies {
  const { entries, folders } = deps;
  return {
    ...deps,
    entries: {
      ...entries,
      claim: (run, all) => statement(state, 'ledger claim', () => entries.claim(run, all)),
      store: (run, all) => statement(state, 'ledger store', () => entries.store(run, all)),
      forget: (run, ids) => statement(state, 'ledger forget', () => entries.forget(run, ids)),
      deleteSync: (ending) => statement(state, 'delete sync', () => entries.deleteSync(ending)),
    },
    folders: {
      ...folders,
      change: (folder, changes, mode) => statement(state, 'folder change', () => folders.change(folder, changes, mode)),
    },
  };
}

function wrapPulls(state: State, { folders, sources }: PullStores): PullStores {
  return {
    sources: {
      ...sources,
      recordWish: (wish) => statement(state, 'wish', () => sources.recordWish(wish)),
      dispatch: (limit) => statement(state, 'dispatch', () => sources.dispatch(limit)),
      claim: (job) => statement(state, 'pull claim', () => sources.claim(job)),
      settle: (lease, outcome) => statement(state, 'pull settlement', () => sources.settle(lease, outcome)),
    },
    folders: {
      ...folders,
      pullInto: (folder, changes, puller) =>
        statement(state, 'pull write', () => folders.pullInto(folder, changes, puller)),
    },
  };
}
