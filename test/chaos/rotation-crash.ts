/**
 * Crashes on purpose. Every write of the database and every call of AWS that a rotation makes is a
 * numbered operation; one of them is chosen to go wrong in one of four ways. After a crash nothing
 * of that process acts any more, as after SIGKILL.
 */
import type { WorkStore } from '../../src/db/engine/work.ts';
import { JobError } from '../../src/errors.ts';
import type { RotateDependencies } from '../../src/workers/rotate/context.ts';

export type CrashMode =
  /** The process dies before the operation. */
  | 'before'
  /** The process dies right after it, answer unheard. */
  | 'after'
  /** The operation took effect, the process lives, and hears of a broken connection. */
  | 'lost'
  /** It took no effect, and the process hears the same. */
  | 'failed';

export interface CrashPoint {
  readonly index: number;
  readonly mode: CrashMode;
}

/** Chooses how an operation goes wrong, if it does. */
export type Storm = (operation: Operation) => CrashMode | undefined;

export class Crash extends Error {
  override readonly name = 'Crash';
}

export interface Operation {
  readonly name: string;
  readonly kind: 'db' | 'aws';
  readonly isMutation: boolean;
}

export interface Injector {
  /** Operations since `arm`, in order. */
  readonly operations: readonly Operation[];
  /** The operation that was hit, once it was. */
  hit(): Operation | undefined;
  /** From now on operations count; at `point` one goes wrong, in a storm those that it chooses. */
  arm(point?: CrashPoint | Storm): void;
  /** The process was started again. */
  restart(): void;
  wrap(deps: RotateDependencies): RotateDependencies;
  wrapWork(work: WorkStore): WorkStore;
}

/** `observe` is called between any two operations. */
export function createInjector(
  observe: (publishedNow?: { accessKeyId: string; secretAccessKey: string }) => void,
): Injector {
  const state = {
    isArmed: false,
    isDead: false,
    operations: [] as Operation[],
    point: undefined as CrashPoint | Storm | undefined,
    hit: undefined as Operation | undefined,
  };

  const operate = async <T>(
    operation: Operation,
    act: () => Promise<T>,
    onEffect?: (result: T) => void,
  ): Promise<T> => {
    if (state.isDead) throw new Crash();
    const mode = next(operation);
    if (mode === 'before') die();
    if (mode === 'failed') throw lostConnection(operation);
    const result = await act();
    onEffect?.(result);
    observe();
    if (mode === 'after') die();
    if (mode === 'lost') throw lostConnection(operation);
    return result;
  };
  const next = (operation: Operation): CrashMode | undefined => {
    if (!state.isArmed) return undefined;
    const index = state.operations.push(operation) - 1;
    if (typeof state.point === 'function') return state.point(operation);
    if (state.point?.index !== index || state.hit) return undefined;
    state.hit = operation;
    return state.point.mode;
  };
  const die = (): never => {
    state.isDead = true;
    throw new Crash();
  };

  return {
    operations: state.operations,
    hit: () => state.hit,
    arm: (point) => {
      state.isArmed = true;
      state.point = point;
      state.hit = undefined;
      state.operations.length = 0;
    },
    restart: () => {
      state.isDead = false;
    },
    wrap: (deps) => wrapDependencies(deps, operate, observe),
    wrapWork: (work) => ({
      ...work,
      claim: (kind, input) => operate({ name: 'claim', kind: 'db', isMutation: true }, () => work.claim(kind, input)),
      settle: (settlement) => operate({ name: 'settle', kind: 'db', isMutation: true }, () => work.settle(settlement)),
    }),
  };
}

function lostConnection(operation: Operation): JobError {
  if (operation.kind === 'db') return new JobError('DB_UNAVAILABLE');
  return new JobError('AWS_UNREACHABLE', operation.isMutation ? { context: { isAmbiguous: true } } : {});
}

type Operate = <T>(operation: Operation, act: () => Promise<T>, onEffect?: (result: T) => void) => Promise<T>;

function wrapDependencies(
  deps: RotateDependencies,
  operate: Operate,
  observe: (published?: { accessKeyId: string; secretAccessKey: string }) => void,
): RotateDependencies {
  const { run } = deps.rotations;
  const db = (name: string): Operation => ({ name, kind: 'db', isMutation: true });
  const read = (name: string): Operation => ({ name, kind: 'aws', isMutation: false });
  const mutation = (name: string): Operation => ({ name, kind: 'aws', isMutation: true });
  return {
    ...deps,
    rotations: {
      run: {
        ...run,
        advance: (fence, transition) =>
          operate(db(`write ${transition.note?.step ?? transition.phase}`), () => run.advance(fence, transition)),
        publish: (fence, publication) =>
          operate(
            db('publish'),
            () => run.publish(fence, publication),
            () => {
              observe(publication.pair);
            },
          ),
      },
    },
    openAccessKeys: (session, userName) => {
      const keys = deps.openAccessKeys(session, userName);
      return {
        list: (now) => operate(read('ListAccessKeys'), () => keys.list(now)),
        lastUsed: (id) => operate(read('GetAccessKeyLastUsed'), () => keys.lastUsed(id)),
        userId: () => operate(read('GetUser'), () => keys.userId()),
        requirePermissions: () => operate(read('probe'), () => keys.requirePermissions()),
        create: () => operate(mutation('CreateAccessKey'), () => keys.create()),
        setStatus: (id, status) => operate(mutation(`UpdateAccessKey ${status}`), () => keys.setStatus(id, status)),
        delete: (id) => operate(mutation('DeleteAccessKey'), () => keys.delete(id)),
      };
    },
    aws: {
      session: (request) => deps.aws.session(request),
      keySession: (request) => {
        const session = deps.aws.keySession(request);
        return { ...session, identity: () => operate(read('GetCallerIdentity'), () => session.identity()) };
      },
    },
  };
}

/** The ways in which an operation can go wrong. A read has no effect that could be lost. */
export function modesOf(operation: Operation): readonly CrashMode[] {
  if (operation.kind === 'db')
    return operation.name === 'claim' || operation.name === 'settle'
      ? ['before', 'after']
      : ['before', 'after', 'lost', 'failed'];
  return operation.isMutation ? ['before', 'after', 'lost', 'failed'] : ['before', 'after', 'failed'];
}
