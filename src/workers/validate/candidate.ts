/**
 * Tries credentials that are to replace a connection's, before anything is stored: the checks of a
 * validation, in a session of their own, so that nothing of a refused candidate stays behind.
 */
import { randomUUID } from 'node:crypto';

import type { PermissionProbes } from '../../aws/probes.ts';
import type { AwsAccess, CallScope } from '../../aws/session.ts';
import type { Connections } from '../../db/connections.ts';
import type { ConnectionStatusStore } from '../../db/connection-status.ts';
import type { ConnectionRow } from '../../db/engine/subjects.ts';
import type { TrialEnd, Trials } from '../../db/trials.ts';
import {
  externalIdDuty,
  type StoredCandidate,
  type ExternalIdDuty,
  type Via,
} from '../../domain/connection/candidate.ts';
import type { Check } from '../../domain/connection/checks.ts';
import type { SignInCredentials } from '../../domain/connection/credentials.ts';
import { type ConnectionVerdict, toVerdict } from '../../domain/connection/verdict.ts';
import { toJobError } from '../../errors.ts';
import { createCallCounts } from '../engine/call-counts.ts';
import type { Performed, Run } from '../engine/processor.ts';
import { checkConnection } from './checks.ts';

export interface CandidateReport {
  readonly verdict: ConnectionVerdict;
  readonly checks: readonly Check[];
}

export interface CandidateTools {
  readonly aws: AwsAccess;
  readonly probes: PermissionProbes;
  readonly status: Pick<ConnectionStatusStore, 'usesOf'>;
  /** Several orgs, or tenants with tokens, share the base identity. */
  isShared(): Promise<boolean>;
  isForeignExternalId(externalId: string, orgId: string): Promise<boolean>;
  onChecks?(checks: readonly Check[]): void;
}

/** A person waits for the answer. */
const TIME_LIMIT_MS = 60_000;

export interface Offer {
  readonly credentials: SignInCredentials;
  readonly via: Via;
}

export interface TrialTools extends CandidateTools {
  readonly trials: Trials;
}

/**
 * For a person who waits, outside of the queue. The history of the connection shows it as a
 * validation.
 */
export async function tryCandidate(
  tools: TrialTools,
  row: ConnectionRow,
  { requestedBy, ...offer }: Offer & { readonly requestedBy: string | null },
): Promise<CandidateReport> {
  const { trials } = tools;
  const runId = randomUUID();
  const callCounts = createCallCounts({ store: trials.storeCalls });
  await trials.open({ runId, connection: row, requestedBy });
  const { calls } = callCounts.open(runId);
  const scope = {
    signal: AbortSignal.timeout(TIME_LIMIT_MS),
    calls,
    beforeMutation: () => Promise.resolve(),
    subjectId: row.id,
  };
  const end = async (result: Omit<TrialEnd, 'runId' | 'awsCalls'>) => {
    await trials.end({ runId, awsCalls: calls.counts, ...result });
    callCounts.settled(runId);
  };
  try {
    const report = await checkCandidate(tools, { row, offer }, scope);
    await end(toTrialEnd(row, report));
    return report;
  } catch (error) {
    const { code, publicMessage: message } = toJobError(error);
    await end({ status: 'failed', code, message, result: null }).catch(() => undefined);
    throw error;
  } finally {
    await callCounts.close();
  }
}

function toTrialEnd(row: ConnectionRow, { verdict, checks }: CandidateReport): Omit<TrialEnd, 'runId' | 'awsCalls'> {
  const result = { checks: checks.filter((one) => one.verdict !== 'pass') };
  if (verdict.status !== 'invalid') return { status: 'succeeded', code: null, message: null, result };
  return { status: 'failed', code: 'CONNECTION_INVALID', message: refusalMessage(row, verdict.message ?? ''), result };
}

export function refusalMessage({ name }: Pick<ConnectionRow, 'name'>, message: string): string {
  return `The new credentials were refused, so ${name} keeps its old ones: ${message}`;
}

export async function dutyOf(
  tools: Pick<CandidateTools, 'isShared'>,
  { externalIdException: exception }: ConnectionRow,
  { roleArn, via }: { readonly roleArn: string | null; readonly via: Via },
): Promise<ExternalIdDuty> {
  return externalIdDuty({ roleArn: roleArn ?? '', via, exception, isShared: await tools.isShared() });
}

/**
 * Throws what says nothing about the candidate: network failures, throttling, a refused base
 * identity.
 */
export async function checkCandidate(
  tools: CandidateTools,
  { row, offer }: { readonly row: ConnectionRow; readonly offer: Offer },
  scope: CallScope,
): Promise<CandidateReport> {
  const connectionId = randomUUID();
  const { credentials: candidate, via } = offer;
  const roleArn = candidate.method === 'assume-role' ? candidate.roleArn : null;
  const { checks } = await checkConnection(
    tools,
    {
      credentials: { ...candidate, connectionId, orgId: row.orgId, credentialsRevision: 0 },
      region: row.region,
      knownAccountId: row.accountId,
      externalIdDuty: () => dutyOf(tools, row, { roleArn, via }),
      earlierExternalIdCheck: undefined,
      uses: await tools.status.usesOf(row.id),
      narrowsAccessKey: row.narrowAccessKey,
      withSimulation: false,
    },
    scope,
  );
  return { verdict: toVerdict(checks), checks };
}

interface CandidateDependencies extends CandidateTools {
  readonly connections: Pick<Connections, 'candidateOf'>;
  readonly status: ConnectionStatusStore;
}

export type Validated = Pick<Performed<'validate'>, 'outcome' | 'changes'>;

/**
 * The working credentials stay until AWS has accepted their successors; a refusal only changes what
 * is known about the candidate.
 */
export async function decideCandidate(
  deps: CandidateDependencies,
  run: Run<'validate'>,
  candidate: StoredCandidate,
): Promise<Validated> {
  const { subject: row } = run;
  const place = { connectionId: row.id, runId: run.id, candidateId: candidate.id };
  const refused = await refusalOf(deps, run, candidate);
  // Validated in its own run, which answers those who wait.
  const again: Validated = { outcome: { status: 'continued', at: run.now() }, changes: {} };
  if (refused === undefined) {
    await deps.status.acceptCandidate(place);
    return again;
  }
  const refusal = { code: refused.code, message: refused.message, at: run.now().toISOString() };
  if (!(await deps.status.refuseCandidate(place, refusal))) return again;
  const message = refusalMessage(row, refused.message);
  const { status, statusCode, statusMessage, nextValidationAt, consecutiveFailures } = row;
  return {
    outcome: { status: 'failed', code: 'CONNECTION_INVALID', message, result: { checks: refused.checks } },
    changes: { status, statusCode, statusMessage, nextValidationAt, consecutiveFailures },
  };
}

interface Refused {
  readonly code: string;
  readonly message: string;
  readonly checks: readonly Check[];
}

async function refusalOf(
  deps: CandidateDependencies,
  run: Run<'validate'>,
  candidate: StoredCandidate,
): Promise<Refused | undefined> {
  const { subject: row } = run;
  if (candidate.credentialsRevision <= row.credentialsRevision) {
    const message = 'the credentials were replaced in the meantime. Send the new ones again.';
    return { code: 'CONNECTION_INVALID', message, checks: [] };
  }
  const credentials = await deps.connections.candidateOf(row);
  if (credentials === undefined) return undefined;
  const { verdict, checks } = await checkCandidate(
    deps,
    { row, offer: { credentials, via: candidate.via } },
    run.scope,
  );
  if (verdict.status !== 'invalid') return undefined;
  return { code: verdict.code ?? 'CONNECTION_INVALID', message: verdict.message ?? '', checks };
}
