/**
 * The processor of the queue `sync`: decides what a run is for (sync, drift check, plan, import,
 * remove) and what its outcome means for the sync's status and its next time. How a round works is
 * in `round.ts`, how AWS is written in `destinations/`.
 */
import type { Outcome } from '../../domain/run.ts';
import { jitteredMs } from '../../domain/backoff.ts';
import { withName } from '../../domain/advice.ts';
import { errorTable, JobError } from '../../errors.ts';
import type { SyncRow } from '../../db/engine/subjects.ts';
import type { Performed, Processor, Run } from '../engine/processor.ts';
import { importSecrets } from './import.ts';
import type { GuardReason } from '../../domain/installation.ts';
import { guardedError } from '../engine/installation-watch.ts';
import { acceptDestination } from './compare.ts';
import { cancelled, type SyncEnding } from './endings.ts';
import { createSyncMemory } from './memory.ts';
import { previewSync } from './preview.ts';
import { removeAll } from './remove.ts';
import { purposeOf } from './purpose.ts';
import { type RoundTools, performRound, unchanged } from './round.ts';
import { openJob, readHead, type SyncDependencies, type SyncHead } from './job.ts';

export type { SyncDependencies } from './job.ts';

/** An abandoned call may still arrive at AWS: after a recovery AWS is checked once more. */
const LOOK_AGAIN_MS = 15 * 60_000;
const JITTER = 0.1;

export function createSyncProcessor(deps: SyncDependencies): Processor<'sync'> {
  const tools: RoundTools = { permissions: new Map(), memory: createSyncMemory() };
  return {
    kind: 'sync',
    perform: async (run) => conclude(deps, run, await perform(deps, run, tools)),
    conclude: (outcome, run) => conclude(deps, run, { outcome }),
  };
}

function conclude(
  deps: Pick<SyncDependencies, 'reconcileEveryMs'>,
  run: Run<'sync'>,
  { hasRecovered = false, changes, ...ended }: SyncEnding,
): Performed<'sync'> {
  const delayMs = hasRecovered ? LOOK_AGAIN_MS : jitteredMs(deps.reconcileEveryMs, JITTER, run.random());
  const dueAt = isScheduled(ended.outcome, run) ? scheduledAt(run, delayMs) : null;
  return { ...ended, dueAt, changes: { ...toStatus(ended.outcome, run, dueAt), ...changes } };
}

function scheduledAt(run: Run<'sync'>, delayMs: number): Date | null {
  return run.kind === 'plan' ? run.subject.nextReconcileAt : new Date(run.now().getTime() + delayMs);
}

async function perform(deps: SyncDependencies, run: Run<'sync'>, tools: RoundTools): Promise<SyncEnding> {
  // Cancelled between two slices, and nothing was requested since.
  if (run.subject.cancelledRunId !== null && run.requestKind === undefined) return cancelled(run, run.subject.progress);
  const known = unchanged(run);
  if (known) return known;
  const head = await readHead(deps, run);
  const unusable = findUnusable(head);
  if (unusable) return { outcome: unusable, leavesWish: run.kind === 'plan' };
  const { guardReason } = head.installation;
  if (guardReason !== null && run.kind !== 'plan') return guardedRun(head, guardReason, tools);
  try {
    return await performKind(head, tools);
  } catch (error) {
    if (!isRefusedConnection(error)) throw error;
    const { code, publicMessage: message } = error;
    return { outcome: { status: 'blocked', code, message }, leavesWish: run.kind === 'plan' };
  }
}

/** The connection's next good validation releases what this blocks. */
function isRefusedConnection(error: unknown): error is JobError {
  return error instanceof JobError && error.disposition === 'fail' && error.code.startsWith('CONNECTION_');
}

async function performKind(head: SyncHead, tools: RoundTools): Promise<SyncEnding> {
  switch (head.run.kind) {
    case 'plan':
      return { outcome: await previewSync(await openJob(head)), leavesWish: true };
    case 'import':
      return performImport(head);
    case 'remove':
      return removeAll(head);
    case 'sync':
      return performRound(head, purposeOf(head), tools);
  }
}

/**
 * Read-only: a drift check still reports, everything else waits until a person has accepted the
 * database.
 */
async function guardedRun(head: SyncHead, reason: GuardReason, tools: RoundTools): Promise<SyncEnding> {
  const purpose = purposeOf(head);
  if (purpose.isCheck && head.run.kind === 'sync')
    return performRound(head, { ...purpose, mayWrite: false, isGuarded: true }, tools);
  const { code, publicMessage: message } = guardedError(reason);
  return { outcome: { status: 'blocked', code, message }, leavesWish: true };
}

/** What an unusable connection blocks, without a call; undefined when it may be used. */
function findUnusable({ connection }: SyncHead): Outcome | undefined {
  if (connection.status === 'valid' || connection.status === 'degraded')
    return connection.accountId === null ? pendingOn(connection) : undefined;
  if (connection.status === 'pending') return pendingOn(connection);
  const { message, nextStep } = errorTable.CONNECTION_INVALID;
  const why = connection.statusMessage ?? message;
  return {
    status: 'blocked',
    code: 'CONNECTION_INVALID',
    message: `The connection ${connection.name} is not valid: ${why} ${withName(nextStep, { kind: 'connection', name: connection.name })}`,
  };
}

function pendingOn({ name }: SyncHead['connection']): Outcome {
  const { message, nextStep } = errorTable.CONNECTION_PENDING;
  return {
    status: 'blocked',
    code: 'CONNECTION_PENDING',
    message: `${message} ${withName(nextStep, { kind: 'connection', name })}`,
  };
}

async function performImport(head: SyncHead): Promise<SyncEnding> {
  const job = await openJob(head);
  if (head.parameters.acceptDestination === true) {
    return { outcome: { status: 'succeeded', result: await acceptDestination(job) }, leavesWish: true };
  }
  const { importBehavior: behavior = 'prioritize-source' } = head.parameters;
  const result = await importSecrets(job, { behavior, isInitial: false });
  return { outcome: { status: 'succeeded', result }, leavesWish: true };
}

/** Null: nothing to check until what blocks it is lifted. */
function isScheduled(outcome: Outcome, run: Run<'sync'>): boolean {
  // After a removal a schedule would write everything again; a refused removal has removed nothing.
  if (run.kind === 'remove') return outcome.status === 'blocked' && outcome.code === 'SYNC_DRIFTED';
  if (outcome.status !== 'blocked') return run.subject.pausedAt === null;
  return !waitsForSomebody.has(outcome.code);
}

/** The connection's next validation, or a person, makes these due again. */
const waitsForSomebody = new Set([
  'CONNECTION_INVALID',
  'CONNECTION_PENDING',
  'SYNC_DELETIONS_UNCONFIRMED',
  'DB_GUARDED',
]);

function toStatus(outcome: Outcome, run: Run<'sync'>, nextReconcileAt: Date | null): Partial<SyncRow> {
  const isOver = outcome.status !== 'continued' && outcome.status !== 'retry';
  const stopped = isOver ? { cancelledRunId: null } : {};
  // A plan changes nothing, and an import concerns the folder.
  return run.kind === 'plan' ? stopped : { ...stopped, ...toSyncStatus(outcome, run, nextReconcileAt) };
}

function toSyncStatus(outcome: Outcome, run: Run<'sync'>, nextReconcileAt: Date | null): Partial<SyncRow> {
  switch (outcome.status) {
    case 'succeeded':
      // A check of what was written does not complete cancelled work.
      if (run.statusBefore === 'cancelled' && !purposeOf({ run, sync: run.subject }).mayWrite)
        return { syncStatus: 'cancelled', lastRunId: run.id, nextReconcileAt };
      return {
        syncStatus: 'succeeded',
        statusCode: null,
        statusMessage: null,
        lastRunId: run.id,
        nextReconcileAt,
      };
    case 'partial':
    case 'failed':
    case 'blocked':
    case 'cancelled': {
      const { status, code, message } = outcome;
      return {
        syncStatus: status,
        statusCode: code,
        statusMessage: message,
        lastRunId: run.id,
        nextReconcileAt,
      };
    }
    case 'continued':
      if (outcome.waitsFor) return { syncStatus: run.statusBefore as SyncRow['syncStatus'] };
      return { syncStatus: 'running', lastRunId: run.id };
    case 'retry':
      return {
        syncStatus: 'running',
        statusCode: outcome.error.code,
        statusMessage: outcome.error.publicMessage,
        lastRunId: run.id,
      };
  }
}
