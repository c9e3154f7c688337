/**
 * Finds out what a session may do without doing it: each action is tried on an object that cannot
 * exist: AWS answers "not found" to a caller that is allowed and "access denied" to one that is
 * not. One call per action; nothing is ever created, changed or read.
 */
import { randomUUID } from 'node:crypto';

import {
  DeleteAccessKeyCommand,
  GetAccessKeyLastUsedCommand,
  GetUserCommand,
  ListAccessKeysCommand,
  type ListAccessKeysCommandOutput,
  SimulatePrincipalPolicyCommand,
  UpdateAccessKeyCommand,
} from '@aws-sdk/client-iam';
import {
  BatchGetSecretValueCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RemoveRegionsFromReplicationCommand,
  ReplicateSecretToRegionsCommand,
  RestoreSecretCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import {
  AddTagsToResourceCommand,
  DeleteParametersCommand,
  DescribeParametersCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  ListTagsForResourceCommand,
  RemoveTagsFromResourceCommand,
} from '@aws-sdk/client-ssm';

import type { PolicyPlace } from '../domain/policy/policies.ts';
import type { PolicyTarget } from '../domain/policy/target.ts';
import { JobError } from '../errors.ts';
import type { AwsSession } from './session.ts';

export interface ProbeResult {
  readonly action: string;
  /** `missing`: allowed, but what the use needs is not there (the rotation's IAM user). */
  readonly verdict: 'allowed' | 'denied' | 'missing' | 'unknown';
  readonly error?: JobError;
}

export interface ProbeWish {
  readonly actions: readonly string[];
  /** Given each as it comes. */
  onResult?(result: ProbeResult): void;
}

export interface PermissionProbes {
  /**
   * Tries these actions for this target. Actions that cannot be probed are `unknown`. Throws what
   * says nothing about permissions: network failures, throttling, a lost lease, refused credentials
   * (in a region: that it is not enabled).
   */
  probe(session: AwsSession, target: PolicyTarget, wanted: ProbeWish): Promise<readonly ProbeResult[]>;
  /**
   * The verdict of AWS's policy simulator; undefined where the session may not call it. Only a
   * hint: it ignores session and resource policies.
   */
  simulate(session: AwsSession, question: SimulationQuestion): Promise<Readonly<Record<string, boolean>> | undefined>;
}

export interface SimulationQuestion {
  /** The role or user itself, not a session. */
  readonly principalArn: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
}

export function createProbes(): PermissionProbes {
  return { probe, simulate };
}

interface ProbeTarget {
  readonly session: AwsSession;
  /** A name under the target's prefix that does not exist. */
  readonly absent: string;
  /** The path of parameters, without its last slash. */
  readonly path: string;
  readonly userName: string;
  /** The user's keys, asked for once: two probes need them. */
  listKeys(): Promise<ListAccessKeysCommandOutput>;
}

const MARK = 'keyferry-probe';
const UNKNOWN = Symbol('unknown');
/** AWS's key ids hold no 0, 1, 8 or 9, so this one is never issued. */
const IMPOSSIBLE_KEY_ID = 'AKIA0KEYFERRY1PROBE8';

async function toProbeTarget(session: AwsSession, target: PolicyTarget): Promise<ProbeTarget> {
  const random = randomUUID();
  const common = { session, absent: `${MARK}-${random}`, path: '/', userName: '', listKeys: keysOf(session, target) };
  if (target.use === 'parameter-store')
    return { ...common, absent: `${target.path}${MARK}-${random}`, path: target.path.replace(/(.)\/$/, '$1') };
  if (target.use === 'access-key-rotation') return { ...common, userName: target.userName };
  if ('prefix' in target) return { ...common, absent: `${target.prefix}${MARK}-${random}` };
  // An ARN with a different suffix names no secret, but matches the same policies as the secret's
  // own ARN.
  const { accountId, partition } = await session.identity();
  return {
    ...common,
    absent: secretArn(target.region, { accountId, partition }, `${target.secretName}-${random.slice(0, 6)}`),
  };
}

function keysOf(session: AwsSession, target: PolicyTarget): () => Promise<ListAccessKeysCommandOutput> {
  let answer: Promise<ListAccessKeysCommandOutput> | undefined;
  const UserName = target.use === 'access-key-rotation' ? target.userName : '';
  return () => (answer ??= session.iam.send(new ListAccessKeysCommand({ UserName })));
}

function secretArn(region: string, place: PolicyPlace, name: string): string {
  return `arn:${place.partition}:secretsmanager:${region}:${place.accountId}:secret:${name}`;
}

type Try = (target: ProbeTarget) => Promise<unknown>;

const tagged = (target: ProbeTarget) => ({ ResourceType: 'Parameter', ResourceId: target.absent }) as const;

const ssm: Readonly<Record<string, Try>> = {
  'ssm:GetParameters': ({ session, absent }) =>
    session.ssm.send(new GetParametersCommand({ Names: [absent], WithDecryption: false })),
  // The real path, since AWS authorizes by path, with a label that no parameter has.
  'ssm:GetParametersByPath': ({ session, path }) =>
    session.ssm.send(
      new GetParametersByPathCommand({
        Path: path,
        MaxResults: 1,
        ParameterFilters: [{ Key: 'Label', Option: 'Equals', Values: [MARK] }],
      }),
    ),
  'ssm:DescribeParameters': ({ session, absent }) =>
    session.ssm.send(
      new DescribeParametersCommand({
        MaxResults: 1,
        ParameterFilters: [{ Key: 'Name', Option: 'Equals', Values: [absent] }],
      }),
    ),
  'ssm:DeleteParameters': ({ session, absent }) => session.ssm.send(new DeleteParametersCommand({ Names: [absent] })),
  'ssm:ListTagsForResource': (target) => target.session.ssm.send(new ListTagsForResourceCommand(tagged(target))),
  'ssm:AddTagsToResource': (target) =>
    target.session.ssm.send(new AddTagsToResourceCommand({ ...tagged(target), Tags: [{ Key: MARK, Value: '' }] })),
  'ssm:RemoveTagsFromResource': (target) =>
    target.session.ssm.send(new RemoveTagsFromResourceCommand({ ...tagged(target), TagKeys: [MARK] })),
};

const secretsManager: Readonly<Record<string, Try>> = {
  'secretsmanager:ListSecrets': ({ session, absent }) =>
    session.secretsManager.send(
      new ListSecretsCommand({ MaxResults: 1, Filters: [{ Key: 'name', Values: [absent.slice(0, 512)] }] }),
    ),
  'secretsmanager:DescribeSecret': ({ session, absent: SecretId }) =>
    session.secretsManager.send(new DescribeSecretCommand({ SecretId })),
  'secretsmanager:GetSecretValue': ({ session, absent: SecretId }) =>
    session.secretsManager.send(new GetSecretValueCommand({ SecretId })),
  'secretsmanager:BatchGetSecretValue': ({ session, absent }) =>
    session.secretsManager.send(new BatchGetSecretValueCommand({ SecretIdList: [absent] })),
  'secretsmanager:UpdateSecret': ({ session, absent: SecretId }) =>
    session.secretsManager.send(new UpdateSecretCommand({ SecretId, Description: MARK })),
  'secretsmanager:PutSecretValue': ({ session, absent: SecretId }) =>
    session.secretsManager.send(new PutSecretValueCommand({ SecretId, SecretString: MARK })),
  'secretsmanager:UpdateSecretVersionStage': ({ session, absent: SecretId }) =>
    session.secretsManager.send(new UpdateSecretVersionStageCommand({ SecretId, VersionStage: MARK })),
  'secretsmanager:DeleteSecret': ({ session, absent: SecretId }) =>
    session.secretsManager.send(new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 30 })),
  'secretsmanager:RestoreSecret': ({ session, absent: SecretId }) =>
    session.secretsManager.send(new RestoreSecretCommand({ SecretId })),
  'secretsmanager:TagResource': ({ session, absent: SecretId }) =>
    session.secretsManager.send(new TagResourceCommand({ SecretId, Tags: [{ Key: MARK, Value: '' }] })),
  'secretsmanager:UntagResource': ({ session, absent: SecretId }) =>
    session.secretsManager.send(new UntagResourceCommand({ SecretId, TagKeys: [MARK] })),
  'secretsmanager:ReplicateSecretToRegions': ({ session, absent: SecretId }) =>
    session.secretsManager.send(
      new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions: [{ Region: session.region }] }),
    ),
  'secretsmanager:RemoveRegionsFromReplication': ({ session, absent: SecretId }) =>
    session.secretsManager.send(
      new RemoveRegionsFromReplicationCommand({ SecretId, RemoveReplicaRegions: [session.region] }),
    ),
};

const iam: Readonly<Record<string, Try>> = {
  'iam:ListAccessKeys': ({ listKeys }) => listKeys(),
  'iam:GetAccessKeyLastUsed': tryLastUsed,
  'iam:GetUser': ({ session, userName: UserName }) => session.iam.send(new GetUserCommand({ UserName })),
  'iam:UpdateAccessKey': ({ session, userName: UserName }) =>
    session.iam.send(new UpdateAccessKeyCommand({ UserName, AccessKeyId: IMPOSSIBLE_KEY_ID, Status: 'Inactive' })),
  'iam:DeleteAccessKey': ({ session, userName: UserName }) =>
    session.iam.send(new DeleteAccessKeyCommand({ UserName, AccessKeyId: IMPOSSIBLE_KEY_ID })),
};

const tries: Readonly<Record<string, Try>> = { ...ssm, ...secretsManager, ...iam };

async function probe(session: AwsSession, target: PolicyTarget, wanted: ProbeWish): Promise<readonly ProbeResult[]> {
  const tried = await toProbeTarget(session, target);
  return Promise.all(
    wanted.actions.map(async (action) => {
      const result = await tryAction(tried, action);
      wanted.onResult?.(result);
      return result;
    }),
  );
}

async function tryAction(target: ProbeTarget, action: string): Promise<ProbeResult> {
  const attempt = tries[action];
  if (!attempt) return { action, verdict: 'unknown' };
  try {
    const answer = await attempt(target);
    return { action, verdict: answer === UNKNOWN ? 'unknown' : 'allowed' };
  } catch (error) {
    return judge(action, error);
  }
}

function judge(action: string, error: unknown): ProbeResult {
  if (!(error instanceof JobError)) throw error;
  switch (error.code) {
    case 'AWS_ACCESS_DENIED':
      // AWS may have denied another action: then the result for this one is unknown.
      return { action, verdict: (error.context.deniedAction ?? action) === action ? 'denied' : 'unknown', error };
    case 'AWS_NOT_FOUND':
      return { action, verdict: isUserMissing(action, error) ? 'missing' : 'allowed', error };
    case 'AWS_REJECTED':
    case 'AWS_KMS_DENIED':
    case 'AWS_CONFLICT':
      return { action, verdict: 'allowed' };
    default:
      throw error;
  }
}

/** A probe expects "key not found"; "user not found" is a problem of the rotation. */
function isUserMissing(action: string, error: JobError): boolean {
  return (action === 'iam:ListAccessKeys' || action === 'iam:GetUser') && error.code === 'AWS_NOT_FOUND';
}

/**
 * AWS answers "denied" for an unknown key, so one of the user's own keys is tried; without one the
 * result is unknown.
 */
async function tryLastUsed({ session, listKeys }: ProbeTarget): Promise<unknown> {
  const keys = await listKeys().catch(() => undefined);
  const AccessKeyId = keys?.AccessKeyMetadata?.[0]?.AccessKeyId;
  if (AccessKeyId === undefined) return UNKNOWN;
  return session.iam.send(new GetAccessKeyLastUsedCommand({ AccessKeyId }));
}

async function simulate(
  session: AwsSession,
  question: SimulationQuestion,
): Promise<Readonly<Record<string, boolean>> | undefined> {
  try {
    const answer = await session.iam.send(
      new SimulatePrincipalPolicyCommand({
        PolicySourceArn: question.principalArn,
        ActionNames: [...question.actions],
        ResourceArns: question.resources.map((arn) => arn.replaceAll('*', MARK).replaceAll('?', 'x')),
      }),
    );
    const allowed: Record<string, boolean> = {};
    for (const { EvalActionName: action, EvalDecision: decision } of answer.EvaluationResults ?? []) {
      if (action !== undefined) allowed[action] = (allowed[action] ?? true) && decision === 'allowed';
    }
    return allowed;
  } catch (error) {
    // A missing hint must not fail the validation.
    if (error instanceof JobError && (error.code.startsWith('AWS_') || error.code === 'BUG_UNEXPECTED'))
      return undefined;
    throw error;
  }
}
