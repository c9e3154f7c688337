/**
 * Tries credentials that are to replace a connection's, before anything is stored: the checks of a validation, in a session of their own, so
 * that nothing of a refused candidate stays behind.
 */
import { randomUUID } from 'node:crypto';

import type { PermissionProbes } from '../aws/probes.ts';
import type { AwsAccess } from '../aws/session.ts';
import type { ConnectionStatusStore } from '../db/connection-status.ts';
import type { ConnectionRow } from '../db/subjects.ts';
import { createCallLog } from '../domain/call-log.ts';
import type { Check } from '../domain/connection-checks.ts';
import { type ConnectionVerdict, toVerdict } from '../domain/connection-verdict.ts';
import { checkConnection } from './validate-checks.ts';

export type CandidateCredentials =
  | { readonly method: 'assume-role'; readonly roleArn: string; readonly externalId: string }
  | { readonly method: 'access-key'; readonly accessKeyId: string; readonly secretAccessKey: string };

export interface CandidateReport {
  readonly verdict: ConnectionVerdict;
  readonly checks: readonly Check[];
}

export interface CandidateTools {
  readonly aws: AwsAccess;
  readonly probes: PermissionProbes;
  readonly status: Pick<ConnectionStatusStore, 'usesOf'>;
}

/** Someone waits for the answer. */
const TIME_LIMIT_MS = 60_000;

/** Throws what says nothing of the candidate: network trouble, throttling, a refused base identity. */
export async function checkCandidate(
  tools: CandidateTools,
  row: ConnectionRow,
  candidate: CandidateCredentials,
): Promise<CandidateReport> {
  const connectionId = randomUUID();
  const scope = {
    signal: AbortSignal.timeout(TIME_LIMIT_MS),
    calls: createCallLog(),
    beforeMutation: () => undefined,
    subjectId: row.id,
  };
  const { checks } = await checkConnection(
    tools,
    {
      credentials: { ...candidate, connectionId, orgId: row.orgId, credentialsRevision: 0 },
      region: row.region,
      knownAccountId: row.accountId,
      createdVia: row.createdVia,
      earlierExternalIdCheck: undefined,
      uses: await tools.status.usesOf(row.id),
      withSimulation: false,
    },
    scope,
  );
  return { verdict: toVerdict(checks), checks };
}
