/**
 * Validates one connection: proves with harmless calls who it is and what it may do, records the
 * verdict, and releases what an earlier verdict blocked. A refusal by AWS is a result; a failure of
 * network or worker is thrown and retried.
 *
 *   pending ──► valid ◄──► degraded (something is missing, or AWS could not be asked)
 *      └──────► invalid (AWS, or a rule of ours, refuses the credentials) ──► valid again by itself
 */
import type { PermissionProbes } from '../../aws/probes.ts';
import type { AwsAccess } from '../../aws/session.ts';
import type { Connections } from '../../db/connections.ts';
import type { ConnectionStatusStore } from '../../db/connection-status.ts';
import type { ConnectionRow } from '../../db/engine/subjects.ts';
import type { Check } from '../../domain/connection/checks.ts';
import type { ConnectionUse } from '../../domain/connection/uses.ts';
import type { ConnectionCredentials } from '../../domain/connection/credentials.ts';
import { fractionOf, nextValidationMs } from '../../domain/connection/schedule.ts';
import { type ConnectionVerdict, isRefusal, toVerdict } from '../../domain/connection/verdict.ts';
import { identityRefused } from '../../domain/connection/findings.ts';
import type { Outcome } from '../../domain/run.ts';
import { JobError } from '../../errors.ts';
import type { Performed, Processor, Run } from '../engine/processor.ts';
import { decideCandidate, dutyOf, type Validated } from './candidate.ts';
import type { CheckTools } from './check-tools.ts';
import { checkConnection, type CheckReport } from './checks.ts';

export interface ValidateDependencies {
  readonly aws: AwsAccess;
  readonly probes: PermissionProbes;
  readonly connections: Pick<Connections, 'credentialsOf' | 'candidateOf'>;
  readonly status: ConnectionStatusStore;
  /** Several orgs, or tenants with tokens, share the base identity. */
  isShared(): Promise<boolean>;
  isForeignExternalId(externalId: string, orgId: string): Promise<boolean>;
  readonly revalidateEveryMs: number;
}

const EXTERNAL_ID_EVERY_MS = 7 * 24 * 3_600_000;

export function createValidateProcessor(deps: ValidateDependencies): Processor<'validate'> {
  return {
    kind: 'validate',
    perform: (run) => validate(deps, run),
    conclude: (outcome, run) => conclude(deps, run, { outcome, changes: toStatus(deps, outcome, run) }),
  };
}

async function validate(settings: ValidateDependencies, run: Run<'validate'>): Promise<Performed<'validate'>> {
  const row = run.subject;
  const onChecks = (checks: readonly Check[]) => {
    run.noteResult({ checks });
  };
  const deps = { ...settings, onChecks };
  warnWhenLate(deps, run);
  if (row.candidate !== null && row.candidate.refusal === undefined)
    return conclude(deps, run, await decideCandidate(deps, run, row.candidate));
  // Read while AWS is asked who it is: that seldom depends on them.
  const reading = deps.status.usesOf(row.id);
  reading.catch(() => undefined);
  const report = await check(deps, run, reading);
  const uses = await reading;
  const verdict = toVerdict(report.checks);
  const validated = toValidated(deps, run, { report, verdict });
  if (verdict.status !== 'invalid' && mayHoldBack(row, uses))
    await release(deps, run, { status: verdict.status, checks: report.checks, changes: validated.changes });
  return conclude(deps, run, validated);
}

/**
 * A settlement writes its columns only while the row still has the credentials that this run
 * validated.
 */
function conclude(
  deps: ValidateDependencies,
  run: Run<'validate'>,
  { outcome, changes }: Validated,
): Performed<'validate'> {
  const { credentialsRevision } = run.subject;
  const dueAt = nextValidationAt(deps, run, historyOf(outcome));
  return { outcome, changes: { ...changes, credentialsRevision }, dueAt };
}

async function check(
  deps: ValidateDependencies & Pick<CheckTools, 'onChecks'>,
  run: Run<'validate'>,
  uses: Promise<readonly ConnectionUse[]>,
): Promise<CheckReport> {
  const row = run.subject;
  const credentials = await readCredentials(deps, row);
  if (credentials instanceof JobError)
    return { checks: [identityRefused(credentials, undefined)], identity: undefined, isExternalIdProbed: false };
  const connection = {
    credentials,
    region: row.region,
    knownAccountId: row.accountId,
    externalIdDuty: () => dutyOf(deps, row, { roleArn: row.roleArn, via: row.createdVia }),
    earlierExternalIdCheck: earlierExternalIdCheck(row, run.now()),
    uses,
    narrowsAccessKey: row.narrowAccessKey,
    // Its calls are scarce: not used for scheduled validations.
    withSimulation: run.reason !== 'scheduled',
  };
  return checkConnection(deps, connection, run.scope);
}

async function readCredentials(
  deps: ValidateDependencies,
  row: ConnectionRow,
): Promise<ConnectionCredentials | JobError> {
  const newest = row.method === 'access-key' ? await deps.status.newestRevisionOf(row.id) : 0;
  try {
    if (row.credentialsRevision < newest) throw putBack(row, newest);
    return await deps.connections.credentialsOf(row);
  } catch (error) {
    if (error instanceof JobError && isRefusal(error)) return error;
    throw error;
  }
}

function putBack({ credentialsRevision }: ConnectionRow, newest: number): JobError {
  return new JobError('SECRET_UNDECRYPTABLE', {
    message: `The stored access key is of revision ${String(credentialsRevision)}, but revision ${String(newest)} was in use: the row was changed outside keyferry.`,
  });
}

/** Kept for a week, as long as the credentials are the same and it was good. */
function earlierExternalIdCheck(row: ConnectionRow, now: Date): Check | undefined {
  if (row.externalIdProbedAt === null || row.status === 'pending') return undefined;
  if (now.getTime() - row.externalIdProbedAt.getTime() > EXTERNAL_ID_EVERY_MS) return undefined;
  return row.checks.find((one) => one.name === 'external-id' && one.verdict === 'pass');
}

interface Checked {
  readonly report: CheckReport;
  readonly verdict: ConnectionVerdict;
}

function toValidated(deps: ValidateDependencies, run: Run<'validate'>, { report, verdict }: Checked): Validated {
  // Passed checks are stored on the connection; the history keeps the failed ones.
  const outcome = toOutcome(verdict, {
    status: verdict.status,
    checks: report.checks.filter((one) => one.verdict !== 'pass'),
    credentialsRevision: run.subject.credentialsRevision,
  });
  const history = historyOf(outcome);
  const { identity } = report;
  return {
    outcome,
    changes: {
      status: verdict.status,
      statusCode: verdict.code,
      statusMessage: verdict.message,
      checks: report.checks,
      lastValidatedAt: run.now(),
      nextValidationAt: nextValidationAt(deps, run, history),
      consecutiveFailures: failuresAfter(run.subject, history),
      ...(report.isExternalIdProbed ? { externalIdProbedAt: run.now() } : {}),
      // A changed account is not taken over: it would pass next time.
      ...(identity && (run.subject.accountId ?? identity.accountId) === identity.accountId
        ? { accountId: identity.accountId, principalArn: identity.arn }
        : {}),
    },
  };
}

function toOutcome(verdict: ConnectionVerdict, result: unknown): Outcome {
  const code = verdict.code ?? 'CONNECTION_INVALID';
  const message = verdict.message ?? '';
  switch (verdict.status) {
    case 'valid':
      return { status: 'succeeded', result };
    case 'degraded':
      return { status: 'partial', code, message, result };
    case 'invalid':
      return { status: 'failed', code, message, result };
  }
}

/**
 * A connection that stayed valid has nothing to release but its blocked uses, which come first in
 * the list.
 */
function mayHoldBack(row: ConnectionRow, uses: readonly ConnectionUse[]): boolean {
  return row.status !== 'valid' || uses.some((use) => use.status === 'blocked');
}

async function release(
  deps: ValidateDependencies,
  run: Run<'validate'>,
  found: {
    readonly status: 'valid' | 'degraded';
    readonly checks: readonly Check[];
    readonly changes: Partial<ConnectionRow>;
  },
): Promise<void> {
  const released = await deps.status.release({
    connectionId: run.subject.id,
    runId: run.id,
    credentialsRevision: run.subject.credentialsRevision,
    status: found.status,
    accountId: found.changes.accountId ?? null,
    principalArn: found.changes.principalArn ?? null,
    isPermitted: found.checks.every((one) => one.name !== 'permission' || one.verdict !== 'fail'),
  });
  if (released > 0) run.log.info({ released }, 'dependents of the connection are due again');
}

/**
 * What an outcome that `perform` did not write itself means: AWS could not be asked, which proves
 * nothing against the connection.
 */
function toStatus(deps: ValidateDependencies, outcome: Outcome, run: Run<'validate'>): Partial<ConnectionRow> {
  switch (outcome.status) {
    case 'succeeded':
    case 'partial':
    case 'blocked':
    case 'cancelled':
      return {};
    case 'continued':
      // Nothing is known about it yet: then at least report why.
      return outcome.waitsFor && run.subject.status === 'pending'
        ? { statusCode: outcome.waitsFor.code, statusMessage: outcome.waitsFor.message }
        : {};
    case 'retry':
      return { ...degraded(run.subject), statusCode: outcome.error.code, statusMessage: outcome.error.publicMessage };
    case 'failed': {
      const history = historyOf(outcome);
      return {
        ...degraded(run.subject),
        statusCode: outcome.code,
        statusMessage: outcome.message,
        nextValidationAt: nextValidationAt(deps, run, history),
        consecutiveFailures: failuresAfter(run.subject, history),
      };
    }
  }
}

/** An invalid connection stays so until AWS says otherwise. */
function degraded(row: ConnectionRow): Partial<ConnectionRow> {
  return row.status === 'invalid' ? {} : { status: 'degraded' };
}

interface OutcomeHistory {
  readonly isFailure: boolean;
  readonly isRoleRefused: boolean;
}

function historyOf(outcome: Outcome): OutcomeHistory {
  return { isFailure: outcome.status !== 'succeeded', isRoleRefused: 'code' in outcome && isRoleRefused(outcome.code) };
}

function isRoleRefused(code: string | null): boolean {
  return code === 'CONNECTION_ACCESS_DENIED';
}

function failuresAfter(row: ConnectionRow, history: OutcomeHistory): number {
  return history.isFailure ? row.consecutiveFailures + 1 : 0;
}

function ageMs(run: Run<'validate'>): number {
  // A change of credentials is a new beginning.
  return run.now().getTime() - Math.max(run.subject.createdAt.getTime(), run.subject.updatedAt.getTime());
}

function nextValidationAt(deps: ValidateDependencies, run: Run<'validate'>, history: OutcomeHistory): Date {
  const delayMs = nextValidationMs(
    deps.revalidateEveryMs,
    {
      consecutiveFailures: failuresAfter(run.subject, history),
      isFirst: run.subject.lastValidatedAt === null,
      ageMs: ageMs(run),
      isRoleRefused: history.isRoleRefused,
    },
    // The same for every question about this run.
    fractionOf(run.id),
  );
  return new Date(run.now().getTime() + delayMs);
}

/**
 * When AWS's quota for STS, or the workers, cannot keep up, validations come later than planned:
 * that is logged, not hidden.
 */
function warnWhenLate(deps: ValidateDependencies, run: Run<'validate'>): void {
  const planned = run.subject.nextValidationAt;
  if (run.reason !== 'scheduled' || planned === null) return;
  const lateMs = run.now().getTime() - planned.getTime();
  if (lateMs > deps.revalidateEveryMs)
    run.log.warn(
      { lateSeconds: Math.round(lateMs / 1_000) },
      'validations cannot keep their interval: add workers or raise KEYFERRY_REVALIDATE_EVERY',
    );
}
