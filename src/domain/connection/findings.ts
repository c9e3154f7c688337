/**
 * Turns what a validation saw into checks, each with the exact change that would make it pass.
 * Pure.
 */
import { defined } from '../defined.ts';
import type { JobError } from '../../errors.ts';
import type { ExternalIdDuty } from './candidate.ts';
import type { Check } from './checks.ts';
import { type ConnectionUse, describeTarget } from './uses.ts';
import { unprobeableActions } from '../policy/actions.ts';
import { actionsOfTarget } from '../policy/actions.ts';
import { type PolicyPlace, statementFor, trustPolicy } from '../policy/policies.ts';
import type { PolicyTarget } from '../policy/target.ts';
import type { PolicyDocument } from '../policy/document.ts';

export interface Trust {
  readonly partition: string;
  readonly baseAccountId: string;
  readonly externalId: string;
}

/** `trust` is known for roles, once the base identity is. */
export function identityRefused(error: JobError, trust: Trust | undefined): Check {
  const policy = error.code === 'CONNECTION_ACCESS_DENIED' && trust ? trustPolicy(trust) : undefined;
  return {
    name: 'identity',
    verdict: 'fail',
    code: error.code,
    detail: error.publicMessage,
    fix: {
      advice: identityAdvice[error.code] ?? 'Correct the connection with `keyferry connection update`.',
      ...defined({ policy }),
    },
  };
}

const identityAdvice: Readonly<Record<string, string>> = {
  CONNECTION_ACCESS_DENIED:
    'AWS does not say which of these it is: the role does not exist, its trust policy lacks the principal or the external ID below, or the base identity may not call sts:AssumeRole on it (`keyferry policy base-user`).',
  CONNECTION_KEY_UNKNOWN:
    'Activate the key at AWS, or give the connection another one with `keyferry connection update`.',
  CONNECTION_SECRET_WRONG:
    'Give the connection the secret access key that belongs to this key id with `keyferry connection update`.',
  CONNECTION_KEY_REFUSED: 'Give the connection a long-lived key (AKIA…) of an IAM user, not of the root user.',
  CONNECTION_ROLE_REFUSED:
    'Use a role of the customer’s account and the base identity’s partition, or have the operator list it in KEYFERRY_OWN_ACCOUNT_ROLES.',
  CONNECTION_REGION_DISABLED:
    'Enable the region in the account’s settings, or update the connection with another `region`.',
  SECRET_UNDECRYPTABLE:
    'Run `keyferry keys check`, or set the secret access key again with `keyferry connection update`.',
};

export function identityFound(arn: string): Check {
  return { name: 'identity', verdict: 'pass', detail: `AWS accepts the credentials as ${arn}.` };
}

export function accountCheck(known: string | null, found: string): Check {
  if (known === null) return { name: 'account', verdict: 'pass', detail: `The account is ${found}.` };
  if (known === found) return { name: 'account', verdict: 'pass', detail: `The account is still ${found}.` };
  return {
    name: 'account',
    verdict: 'fail',
    code: 'CONNECTION_ACCOUNT_CHANGED',
    detail: `The credentials belong to account ${found}; they belonged to ${known} before.`,
    fix: {
      advice:
        'If the change is intended, create a new connection and move the syncs to it; otherwise update this one with credentials of the old account.',
    },
  };
}

export const externalIdTaken: Check = {
  name: 'external-id',
  verdict: 'fail',
  code: 'CONNECTION_EXTERNAL_ID_TAKEN',
  detail: 'The external ID is another org’s, so the role is not used with it.',
  fix: { advice: 'Give the connection its own org’s id as external ID, and change the role’s trust policy.' },
};

export interface ExternalIdProbe {
  readonly refusesNone: boolean;
  readonly refusesOther: boolean;
  readonly duty: ExternalIdDuty;
}

export function externalIdCheck(probe: ExternalIdProbe, trust: Trust): Check {
  if (probe.refusesNone && probe.refusesOther) {
    return {
      name: 'external-id',
      verdict: 'pass',
      detail: 'The role cannot be assumed without its external ID, nor with another one.',
    };
  }
  const how = probe.refusesNone ? 'with any external ID' : 'without its external ID';
  return {
    name: 'external-id',
    verdict: probe.duty.is === 'required' ? 'fail' : 'warn',
    code: 'CONNECTION_EXTERNAL_ID_IGNORED',
    detail: `The role can be assumed ${how}: ${dutyDetail(probe.duty)}`,
    fix: { advice: 'Replace the role’s trust policy with this one.', policy: trustPolicy(trust) },
  };
}

function dutyDetail(duty: ExternalIdDuty): string {
  const risk = 'another tenant of this installation could use it.';
  switch (duty.is) {
    case 'required':
      return risk;
    case 'excepted':
      return `${duty.allowedBy ?? 'an operator'} allowed that for this connection (${duty.reason}).`;
    case 'advised':
      return 'this becomes a failure as soon as the installation has a second org or an API token.';
  }
}

export function regionCheck(region: string, refusal: string | undefined): Check {
  if (refusal === undefined)
    return { name: 'region', subject: region, verdict: 'pass', detail: `Region ${region} answers.` };
  return {
    name: 'region',
    subject: region,
    verdict: 'fail',
    code: 'CONNECTION_REGION_DISABLED',
    detail: `AWS does not accept the credentials in region ${region}, though it does elsewhere: ${refusal}`,
    fix: { advice: `Enable ${region} in the account’s settings (Account → AWS Regions), or choose another region.` },
  };
}

/** What is known of one action: from a probe, from the simulator, or from the last real run. */
export interface ActionFinding {
  readonly action: string;
  readonly verdict: 'allowed' | 'denied' | 'missing' | 'unknown';
  readonly isExplicit?: boolean;
  readonly source: 'probe' | 'run' | 'simulation';
}

export function permissionCheck(finding: ActionFinding, target: PolicyTarget, place: PolicyPlace): Check {
  const { action } = finding;
  const where = describeTarget(target);
  const gain = actionsOfTarget(target).optional[action];
  const base = { name: 'permission', subject: action } as const;
  switch (finding.verdict) {
    case 'allowed':
      if (finding.source === 'simulation')
        return {
          ...base,
          verdict: 'unknown',
          detail: `AWS’s policy simulator allows ${action} for ${where}; only a real call proves it.`,
        };
      return {
        ...base,
        verdict: 'pass',
        detail: `${action} is allowed for ${where}${finding.source === 'run' ? ', as the last run showed' : ''}.`,
      };
    case 'missing':
      return missingUser(action, target);
    case 'denied':
      return denied({ finding, where, gain, fix: fixFor(finding, { target, place }) });
    case 'unknown':
      return { ...base, verdict: 'unknown', detail: unknownDetail(action, where) };
  }
}

function unknownDetail(action: string, where: string): string {
  if (unprobeableActions.has(action))
    return `${action} for ${where} cannot be tried without making something: the first real call will show it.`;
  return `${action} for ${where} could not be tried.`;
}

interface Denied {
  readonly finding: ActionFinding;
  readonly where: string;
  readonly gain: string | undefined;
  readonly fix: NonNullable<Check['fix']>;
}

function denied({ finding, where, gain, fix }: Denied): Check {
  const { action } = finding;
  const base = { name: 'permission', subject: action, code: 'AWS_ACCESS_DENIED', fix } as const;
  if (gain !== undefined)
    return { ...base, verdict: 'warn', detail: `${action} is not allowed for ${where}; it ${gain}.` };
  if (finding.source === 'simulation')
    return { ...base, verdict: 'warn', detail: `AWS’s policy simulator denies ${action} for ${where}.` };
  return { ...base, verdict: 'fail', detail: `${action} is not allowed for ${where}.` };
}

function fixFor(
  finding: ActionFinding,
  { target, place }: { readonly target: PolicyTarget; readonly place: PolicyPlace },
): NonNullable<Check['fix']> {
  const policy: PolicyDocument = { Version: '2012-10-17', Statement: [statementFor(target, place, finding.action)] };
  const advice = finding.isExplicit
    ? `A policy of the role, user or organisation denies ${finding.action} explicitly: remove that Deny; this statement alone does not help.`
    : 'Add this statement to a policy of the role or user.';
  return { advice, policy };
}

function missingUser(action: string, target: PolicyTarget): Check {
  const user = target.use === 'access-key-rotation' ? target.userName : '';
  return {
    name: 'permission',
    subject: action,
    verdict: 'fail',
    code: 'AWS_NOT_FOUND',
    detail: `There is no IAM user ${user} in this account.`,
    fix: { advice: 'Create the user, or delete the rotation.' },
  };
}

/** Whether a KMS key may be used shows only in use: the last run's result, else unknown. */
export function kmsCheck(target: PolicyTarget, place: PolicyPlace, uses: readonly ConnectionUse[]): Check | undefined {
  if (target.kmsKey === undefined) return undefined;
  const base = { name: 'kms-key', subject: target.kmsKey } as const;
  if (uses.some((use) => use.statusCode === 'AWS_KMS_DENIED')) {
    return {
      ...base,
      verdict: 'fail',
      code: 'AWS_KMS_DENIED',
      detail: `The last run could not use the KMS key ${target.kmsKey}.`,
      fix: {
        advice:
          'Make sure that the key is enabled and in the same region, allow the role or user in the key’s policy, and add this statement to its own policy.',
        policy: { Version: '2012-10-17', Statement: [statementFor(target, place, 'kms:Encrypt')] },
      },
    };
  }
  if (uses.some((use) => use.status === 'succeeded' && use.lastSucceededAt))
    return { ...base, verdict: 'pass', detail: 'The last run used the KMS key.' };
  return { ...base, verdict: 'unknown', detail: 'Whether the KMS key may be used shows with the first write.' };
}

/** What the last real run shows about an action that cannot be probed. */
export function findingOfRun(action: string, uses: readonly ConnectionUse[]): ActionFinding {
  const isDenied = uses.some(
    (use) => use.statusCode === 'AWS_ACCESS_DENIED' && (use.statusMessage ?? '').includes(action),
  );
  if (isDenied) return { action, verdict: 'denied', source: 'run' };
  const hasWorked = uses.some((use) => use.status === 'succeeded' && use.lastSucceededAt !== null);
  return { action, verdict: hasWorked ? 'allowed' : 'unknown', source: 'run' };
}
