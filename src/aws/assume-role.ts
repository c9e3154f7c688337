/**
 * AssumeRole, GetFederationToken and GetCallerIdentity: the calls that credentials and identities
 * come from.
 */
import {
  AssumeRoleCommand,
  type Credentials as StsCredentials,
  GetCallerIdentityCommand,
  GetFederationTokenCommand,
  type STSClient,
} from '@aws-sdk/client-sts';

import { defined } from '../domain/defined.ts';
import { partitionOfArn } from '../domain/partitions.ts';
import type { PolicyDocument } from '../domain/policy/document.ts';
import { JobError } from '../errors.ts';
import type { Credentials } from './clients.ts';
import type { Expiring } from './session-cache.ts';
import type { Identity } from './session.ts';

export interface Session extends Expiring {
  readonly credentials: Credentials;
  readonly identity: Identity;
}

const SESSION_SECONDS = 3_600;
/** AWS's limit on a session policy in plain text. */
const MAX_POLICY_LENGTH = 2_048;

export interface AssumeRoleRequest {
  readonly roleArn: string;
  readonly sessionName: string;
  /** Left out when undefined: AWS refuses an empty one. */
  readonly externalId: string | undefined;
  /** As `toSessionPolicy` wrote it. */
  readonly policy: string | undefined;
}

/** Throws BUG_UNEXPECTED when it is too long: whoever wrote the policy must widen it. */
export function toSessionPolicy(policy: PolicyDocument): string {
  const text = JSON.stringify(policy);
  if (text.length <= MAX_POLICY_LENGTH) return text;
  throw new JobError('BUG_UNEXPECTED', {
    message: `A session policy has ${String(text.length)} characters; AWS allows ${String(MAX_POLICY_LENGTH)}.`,
    disposition: 'fail',
  });
}

export async function assumeRole(sts: STSClient, request: AssumeRoleRequest, nowMs: () => number): Promise<Session> {
  const obtainedAtMs = nowMs();
  const answer = await sts.send(
    new AssumeRoleCommand({
      RoleArn: request.roleArn,
      RoleSessionName: request.sessionName,
      DurationSeconds: SESSION_SECONDS,
      ...defined({ ExternalId: request.externalId, Policy: request.policy }),
    }),
  );
  const { Credentials, AssumedRoleUser: user } = answer;
  const given = { credentials: Credentials, arn: user?.Arn, userId: user?.AssumedRoleId };
  return toSession('sts.AssumeRole', given, obtainedAtMs);
}

/**
 * A session of the key's user that can do what user and policy both allow, at most an hour long.
 * `name`: 2 to 32 characters.
 */
export async function federate(
  sts: STSClient,
  request: { readonly name: string; readonly policy: string },
  nowMs: () => number,
): Promise<Session> {
  const obtainedAtMs = nowMs();
  const answer = await sts.send(
    new GetFederationTokenCommand({ Name: request.name, Policy: request.policy, DurationSeconds: SESSION_SECONDS }),
  );
  const { Credentials, FederatedUser: user } = answer;
  const given = { credentials: Credentials, arn: user?.Arn, userId: user?.FederatedUserId };
  return toSession('sts.GetFederationToken', given, obtainedAtMs);
}

interface GivenSession {
  readonly credentials: StsCredentials | undefined;
  readonly arn: string | undefined;
  readonly userId: string | undefined;
}

/** Throws AWS_UNREACHABLE when the answer lacks a part of it. */
function toSession(operation: string, { credentials, arn, userId }: GivenSession, obtainedAtMs: number): Session {
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken } = credentials ?? {};
  if (!accessKeyId || !secretAccessKey || !sessionToken || !arn) throw incomplete(operation);
  return {
    obtainedAtMs,
    // Counted on our clock, which may differ from the server's.
    expiresAtMs: obtainedAtMs + SESSION_SECONDS * 1_000,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    identity: toIdentity(arn, userId ?? ''),
  };
}

export async function callerIdentity(sts: STSClient): Promise<Identity> {
  const answer = await sts.send(new GetCallerIdentityCommand({}));
  if (!answer.Arn || !answer.Account) throw incomplete('sts.GetCallerIdentity');
  return toIdentity(answer.Arn, answer.UserId ?? '');
}

function toIdentity(arn: string, userId: string): Identity {
  return { accountId: arn.split(':')[4] ?? '', arn, userId, partition: partitionOfArn(arn) };
}

function incomplete(operation: string): JobError {
  return new JobError('AWS_UNREACHABLE', {
    message: `The answer to ${operation} is incomplete.`,
    context: { operation },
  });
}
