/**
 * The checks of one validation, in the order in which each makes sense only if the one before
 * passed: identity, account, external ID, then regions and permissions of what the connection is
 * used for. Harmless calls only. Refusals become checks; failures on the way are thrown.
 */
import { randomUUID } from 'node:crypto';

import type { ProbeResult } from '../../aws/probes.ts';
import type { CallScope, Identity, SessionRequest } from '../../aws/session.ts';
import type { ExternalIdDuty } from '../../domain/connection/candidate.ts';
import type { Check } from '../../domain/connection/checks.ts';
import type { ConnectionCredentials } from '../../domain/connection/credentials.ts';
import {
  accountCheck,
  externalIdCheck,
  externalIdTaken,
  type ActionFinding,
  findingOfRun,
  identityFound,
  identityRefused,
  kmsCheck,
  permissionCheck,
  regionCheck,
  type Trust,
} from '../../domain/connection/findings.ts';
import { type ConnectionUse, distinctTargets, regionOf } from '../../domain/connection/uses.ts';
import { isRefusal, isNarrowingRefusal } from '../../domain/connection/verdict.ts';
import { defaultRegionOf, parseRoleArn, partitionOfRegion } from '../../domain/partitions.ts';
import { narrowed, notNarrowed } from '../../domain/connection/narrowing.ts';
import { unprobeableActions } from '../../domain/policy/actions.ts';
import { sessionPolicyFor, validationPolicy } from '../../domain/policy/session.ts';
import { actionsOfTarget } from '../../domain/policy/actions.ts';
import { resourcesOf } from '../../domain/policy/policies.ts';
import { isOfRotation, type PolicyTarget } from '../../domain/policy/target.ts';
import { JobError } from '../../errors.ts';
import { type CheckTools, noting, type NotingTools } from './check-tools.ts';

export interface CheckedConnection {
  readonly credentials: ConnectionCredentials;
  readonly region: string | null;
  /** The account that was verified before; null for a new connection. */
  readonly knownAccountId: string | null;
  /** Whether the role must insist on its external ID. */
  externalIdDuty(): Promise<ExternalIdDuty>;
  /** The external ID's check of an earlier validation, to be kept; undefined: it is probed now. */
  readonly earlierExternalIdCheck: Check | undefined;
  /** May still be on their way. */
  readonly uses: readonly ConnectionUse[] | Promise<readonly ConnectionUse[]>;
  /** Whether an access key is to be narrowed to each use. */
  readonly narrowsAccessKey: boolean;
  /** Whether AWS's simulator may be asked about what cannot be probed. */
  readonly withSimulation: boolean;
}

export interface CheckReport {
  readonly checks: readonly Check[];
  /** Undefined when AWS refused the credentials. */
  readonly identity: Identity | undefined;
  readonly isExternalIdProbed: boolean;
}

interface Checking extends NotingTools {
  readonly connection: CheckedConnection;
  readonly request: SessionRequest;
}

export async function checkConnection(
  tools: CheckTools,
  connection: CheckedConnection,
  scope: CallScope,
): Promise<CheckReport> {
  const { credentials } = connection;
  // Before the role is assumed with it.
  if (
    credentials.method === 'assume-role' &&
    (await tools.isForeignExternalId(credentials.externalId, credentials.orgId))
  )
    return { checks: [externalIdTaken], identity: undefined, isExternalIdProbed: false };
  const { found: identity, checking } = await checkIdentity(tools, connection, scope);
  if ('verdict' in identity) return { checks: [identity], identity: undefined, isExternalIdProbed: false };
  const account = accountCheck(connection.knownAccountId, identity.accountId);
  const checks = [identityFound(identity.arn), account];
  checking.note(...checks);
  // Nothing more is asked of an account that is not the connection's.
  if (account.verdict === 'fail') return { checks, identity, isExternalIdProbed: false };
  const externalId = await checkExternalId(checking);
  checking.note(...externalId.checks);
  const ofUses = await checkUses(checking, identity);
  return { checks: [...checks, ...externalId.checks, ...ofUses], identity, isExternalIdProbed: externalId.isProbed };
}

/**
 * Where the identity is asked for: the connection's own region, else any region of its partition.
 * An access key does not show its partition, so its uses may name further ones to try; the region
 * of a use never decides against the connection.
 */
async function identityRegions({ credentials, region, uses }: CheckedConnection): Promise<[string, ...string[]]> {
  if (region !== null) return [region];
  if (credentials.method === 'assume-role')
    return [defaultRegionOf(parseRoleArn(credentials.roleArn)?.partition ?? 'aws')];
  const ofUses = (await uses).map((use) => partitionOfRegion(regionOf(use.target) ?? ''));
  const [first = 'aws', ...others] = new Set([...ofUses.filter((one) => one !== undefined), 'aws']);
  return [defaultRegionOf(first), ...others.map(defaultRegionOf)];
}

interface IdentityCheck {
  readonly found: Identity | Check;
  readonly checking: Checking;
}

async function checkIdentity(
  tools: CheckTools,
  connection: CheckedConnection,
  scope: CallScope,
): Promise<IdentityCheck> {
  const { credentials } = connection;
  const askIn = async (region: string): Promise<IdentityCheck> => {
    const request = { credentials, region, policy: validationPolicy, scope };
    const checking: Checking = { ...noting(tools), connection, request };
    return { found: await askIdentity(checking), checking };
  };
  const [first, ...others] = await identityRegions(connection);
  let answer = await askIn(first);
  for (const region of others) if (isUnknownKey(answer.found)) answer = await askIn(region);
  return answer;
}

function isUnknownKey(found: Identity | Check): boolean {
  return 'verdict' in found && found.code === 'CONNECTION_KEY_UNKNOWN';
}

async function askIdentity(checking: Checking): Promise<Identity | Check> {
  try {
    return await checking.aws.verify(checking.request);
  } catch (error) {
    if (!(error instanceof JobError) || !isRefusal(error)) throw error;
    return identityRefused(error, error.code === 'CONNECTION_ACCESS_DENIED' ? await trustOf(checking) : undefined);
  }
}

async function trustOf({ aws, request }: Checking): Promise<Trust | undefined> {
  if (request.credentials.method !== 'assume-role') return undefined;
  const base = await aws.baseIdentity(request.scope);
  return { partition: base.partition, baseAccountId: base.accountId, externalId: request.credentials.externalId };
}

async function checkExternalId(
  checking: Checking,
): Promise<{ readonly checks: readonly Check[]; readonly isProbed: boolean }> {
  const { aws, request, connection } = checking;
  const trust = await trustOf(checking);
  if (trust === undefined) return { checks: [], isProbed: false };
  if (connection.earlierExternalIdCheck) return { checks: [connection.earlierExternalIdCheck], isProbed: false };
  const [refusesNone, refusesOther] = await Promise.all([
    aws.refusesExternalId(request, undefined),
    aws.refusesExternalId(request, `keyferry-probe-${randomUUID()}`),
  ]);
  return {
    checks: [externalIdCheck({ refusesNone, refusesOther, duty: await connection.externalIdDuty() }, trust)],
    isProbed: true,
  };
}

async function checkUses(checking: Checking, identity: Identity): Promise<readonly Check[]> {
  const regions = new Map<string, Check>();
  const checks: Check[] = [];
  for (const { target, uses } of distinctTargets(await checking.connection.uses)) {
    const region = regionOf(target) ?? checking.request.region;
    // One refusal counts for the whole region: its other targets are not probed.
    if (regions.get(region)?.verdict === 'fail') continue;
    const found = await checkTarget(checking, { target, uses, region, identity });
    if (regionOf(target) !== undefined && !regions.has(region)) checking.note(found.region);
    if (regionOf(target) !== undefined) regions.set(region, found.region);
    checks.push(...found.checks);
  }
  return [...regions.values(), ...checks];
}

interface TargetCheck {
  readonly target: PolicyTarget;
  readonly uses: readonly ConnectionUse[];
  readonly region: string;
  readonly identity: Identity;
}

async function checkTarget(
  checking: Checking,
  one: TargetCheck,
): Promise<{ readonly region: Check; readonly checks: readonly Check[] }> {
  const { target, uses, region, identity } = one;
  const { required, optional } = actionsOfTarget(target);
  const actions = [...required, ...Object.keys(optional)];
  try {
    const session = checking.aws.session({ ...checking.request, region });
    const probed = await checking.probes.probe(session, target, {
      actions: actions.filter((action) => !unprobeableActions.has(action)),
      onResult: (result) => {
        checking.note(permissionCheck(toFinding(result), target, identity));
      },
    });
    const guessed = await guess(
      checking,
      one,
      actions.filter((action) => unprobeableActions.has(action)),
    );
    const findings = new Map([...probed.map(toFinding), ...guessed].map((finding) => [finding.action, finding]));
    const permissions = actions
      .flatMap((action) => findings.get(action) ?? [])
      .map((finding) => permissionCheck(finding, target, identity));
    const kms = kmsCheck(target, identity, uses);
    const narrowing = await tryNarrowing(checking, one, probed);
    const others = [kms, narrowing].filter((check) => check !== undefined);
    checking.note(...guessed.map((finding) => permissionCheck(finding, target, identity)), ...others);
    const checks = [...permissions, ...others];
    return { region: regionCheck(region, undefined), checks };
  } catch (error) {
    const refusal = regionRefusal(error);
    if (refusal === undefined) throw error;
    return { region: regionCheck(region, refusal), checks: [] };
  }
}

/** All that the use needs is tried again under the narrowed session, before a sync uses it. */
async function tryNarrowing(
  checking: Checking,
  { target, region, identity }: TargetCheck,
  probed: readonly ProbeResult[],
): Promise<Check | undefined> {
  const { aws, probes, connection, request } = checking;
  if (!connection.narrowsAccessKey || request.credentials.method !== 'access-key' || isOfRotation(target))
    return undefined;
  const policy = sessionPolicyFor([target], identity);
  const allowed = probed.filter(({ verdict }) => verdict === 'allowed').map(({ action }) => action);
  try {
    const wanted = { ...request, region, policy, narrowing: 'required' } as const;
    await aws.verify(wanted);
    const again = await probes.probe(aws.session(wanted), target, { actions: allowed });
    const lost = again.filter(({ verdict }) => verdict !== 'allowed').map(({ action }) => action);
    return lost.length === 0 ? narrowed(target) : notNarrowed(target, { lost }, identity);
  } catch (error) {
    if (!isNarrowingRefusal(error)) throw error;
    return notNarrowed(target, { refusal: error.publicMessage }, identity);
  }
}

/**
 * The credentials are good, STS has just said so: a service that does not know them lies in a
 * region that is not enabled.
 */
function regionRefusal(error: unknown): string | undefined {
  if (!(error instanceof JobError)) return undefined;
  const isRefused =
    error.code === 'CONNECTION_REGION_DISABLED' ||
    error.code === 'CONNECTION_KEY_UNKNOWN' ||
    error.code === 'CONNECTION_SECRET_WRONG' ||
    error.context.network === 'ENOTFOUND';
  return isRefused ? error.publicMessage : undefined;
}

function toFinding(result: ProbeResult): ActionFinding {
  return {
    action: result.action,
    verdict: result.verdict,
    source: 'probe',
    isExplicit: result.error?.context.deniedBy === 'explicit-deny',
  };
}

/** What cannot be probed: the last run's result first, then the simulator's. */
async function guess(
  checking: Checking,
  { target, uses, region, identity }: TargetCheck,
  actions: readonly string[],
): Promise<readonly ActionFinding[]> {
  const findings = actions.map((action) => findingOfRun(action, uses));
  const open = findings.filter((finding) => finding.verdict === 'unknown').map((finding) => finding.action);
  if (!checking.connection.withSimulation || open.length === 0) return findings;
  const session = checking.aws.session({ ...checking.request, region });
  const { credentials } = checking.request;
  const principalArn = credentials.method === 'assume-role' ? credentials.roleArn : identity.arn;
  const simulated = await checking.probes.simulate(session, {
    principalArn,
    actions: open,
    resources: resourcesOf(target, identity),
  });
  return findings.map((finding) => {
    const isAllowed = finding.verdict === 'unknown' ? simulated?.[finding.action] : undefined;
    return isAllowed === undefined
      ? finding
      : { action: finding.action, verdict: isAllowed ? 'allowed' : 'denied', source: 'simulation' };
  });
}
