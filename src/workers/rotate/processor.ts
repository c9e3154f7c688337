/**
 * Rotates an IAM access key: asks the machine what is next, does it, and asks again, until there is
 * nothing to do or something to wait for. All state is in the database; a run may end, or die,
 * after any step.
 */
import { setTimeout } from 'node:timers/promises';

import { nextStep, type Stop } from '../../domain/rotation/machine.ts';
import {
  parsePhaseState,
  rotationPhases,
  type RotationPhase,
  type RotationView,
} from '../../domain/rotation/rotation.ts';
import { readRequests } from '../../domain/rotation/wishes.ts';
import { noCounts, type RunCounts } from '../../domain/run.ts';
import { JobError } from '../../errors.ts';
import { guardedError } from '../engine/installation-watch.ts';
import type { Performed, Processor, Run } from '../engine/processor.ts';
import type { RotateDependencies, RotationContext } from './context.ts';
import { conclude, concludeUnplanned, toEnding, toVerdict } from './outcome.ts';
import { compareKeys } from './restored.ts';
import { executeStep } from './steps.ts';
import type { KnownKey } from '../../domain/rotation/records.ts';

/** The run sleeps through waits up to this long; for longer ones it gives up its slot. */
const SHORT_WAIT_MS = 2_000;
const MIN_PENDING_WAIT_MS = 5_000;
const MAX_PENDING_WAIT_MS = 60_000;
/** In one run, all short waits together. */
const MAX_WAITING_MS = 5_000;
/** More than any path through the machine has: a defect must not spin. */
const MAX_STEPS = 100;

export function createRotateProcessor(
  given: Omit<RotateDependencies, 'wait'> & Partial<Pick<RotateDependencies, 'wait'>>,
): Processor<'rotate'> {
  const deps: RotateDependencies = { ...given, wait: given.wait ?? pause };
  return {
    kind: 'rotate',
    perform: (run) => perform({ deps, run, row: run.subject }),
    conclude: concludeUnplanned,
  };
}

/** The loop checks the signal itself. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => undefined);
}

async function perform(context: RotationContext): Promise<Performed<'rotate'>> {
  const { run, row } = context;
  try {
    await requireUnguarded(context);
    await requireConnection(context);
    const { view: start, comparedAt } = await compareKeys(context, await viewOf(context));
    const { view, stop } = await walk(context, start);
    const performed = conclude(toEnding(view, stop, countKeys(start.keys, view.keys)), run);
    return comparedAt ? { ...performed, changes: { ...performed.changes, comparedAt } } : performed;
  } catch (error) {
    if (error instanceof JobError && error.disposition === 'fail')
      return conclude(toVerdict(error, { phase: phaseOf(row.phase) }, run.now()), run);
    throw error;
  }
}

async function requireUnguarded({ deps }: RotationContext): Promise<void> {
  const { guardReason } = await deps.installation.get();
  if (guardReason !== null) throw guardedError(guardReason);
}

/**
 * With an invalid connection nothing runs and no call is made; validation makes the rotation due
 * again.
 */
async function requireConnection({ deps, run, row }: RotationContext): Promise<void> {
  const connection = await deps.connections.byId(row.connectionId);
  if (connection.status === 'invalid') {
    throw new JobError('CONNECTION_INVALID', {
      message: `The connection ${connection.name} is not valid: ${connection.statusMessage ?? 'AWS refused it'}`,
    });
  }
  if (connection.status === 'pending')
    throw new JobError('CONNECTION_PENDING', { retryAfterMs: pendingWaitMs(connection, run.now()) });
}

/**
 * Half as long again as the connection has waited for its validation, which takes seconds, or until
 * a person acts.
 */
function pendingWaitMs({ updatedAt }: { readonly updatedAt: Date }, now: Date): number {
  const waitedMs = now.getTime() - updatedAt.getTime();
  return Math.min(Math.max(waitedMs / 2, MIN_PENDING_WAIT_MS), MAX_PENDING_WAIT_MS);
}

async function viewOf({ deps, run, row }: RotationContext): Promise<RotationView> {
  const state = parsePhaseState(row.phaseState);
  const requests = run.requestKind === 'rotate' ? await deps.rotations.run.openRequests(row.id) : [];
  return {
    userName: row.userName,
    phase: phaseOf(row.phase),
    state,
    keys: await deps.rotations.run.knownKeys(row.id),
    times: {
      graceMs: row.graceSeconds * 1_000,
      quietMs: row.quietSeconds * 1_000,
      holdMs: row.holdSeconds * 1_000,
    },
    isPaused: row.pausedAt !== null,
    nextRotationAt: row.nextRotationAt,
    requests,
    asked: readRequests(requests, state),
  };
}

function phaseOf(text: string): RotationPhase {
  const phase = rotationPhases.find((one) => one === text);
  if (!phase) throw new JobError('BUG_UNEXPECTED', { context: { phase: text } });
  return phase;
}

async function walk(context: RotationContext, start: RotationView): Promise<{ view: RotationView; stop: Stop }> {
  const { run } = context;
  let view = start;
  let waitedMs = 0;
  for (let steps = 0; steps < MAX_STEPS; steps += 1) {
    run.scope.signal.throwIfAborted();
    const step = nextStep(view, run.now());
    if (step.do !== 'stop') {
      view = await executeStep(context, view, step);
      continue;
    }
    const shortMs = shortWait(step, run);
    if (shortMs === undefined || waitedMs + shortMs > MAX_WAITING_MS) return { view, stop: step };
    waitedMs += shortMs;
    await context.deps.wait(shortMs, run.scope.signal);
  }
  throw new JobError('BUG_UNEXPECTED', {
    message: `A rotation did not come to rest within ${String(MAX_STEPS)} steps.`,
  });
}

/** Keys that this run made and deleted. */
function countKeys(before: readonly KnownKey[], after: readonly KnownKey[]): RunCounts {
  const known = new Map(before.map((key) => [key.accessKeyId, key]));
  // What was only adopted, or found, has neither been published nor waits for it.
  const created = after.filter(
    (key) => !known.has(key.accessKeyId) && (key.publishedAt !== null || key.state === 'pending'),
  );
  const deleted = after.filter((key) => key.state === 'deleted' && known.get(key.accessKeyId)?.state !== 'deleted');
  return { ...noCounts, created: created.length, deleted: deleted.length };
}

/** Milliseconds, if the wait is short enough to keep the slot. */
function shortWait(stop: Stop, run: Run<'rotate'>): number | undefined {
  if (stop.as !== 'wait') return undefined;
  const leftMs = stop.until.getTime() - run.now().getTime();
  return leftMs <= SHORT_WAIT_MS ? Math.max(leftMs, 1) : undefined;
}
