/** STS: AssumeRole, GetCallerIdentity, GetAccessKeyInfo, GetFederationToken. */
import { AwsError } from '../aws-error.ts';
import { principalUserId, toSessionPrincipal } from '../principal.ts';
import { BASE32, ALPHANUMERIC } from '../random.ts';
import { defineOperation, type Call, type OperationTable } from '../service.ts';
import { getAccount, type Role, type Session } from '../state.ts';
import { getFederationToken } from './federation.ts';
import { toPackedPercent } from './packed.ts';
import { readSessionPolicies, type SessionPolicyInput } from './session-policies.ts';
import { readSessionTags, type SessionTagInput } from './session-tags.ts';
import { requireTrust } from './trust.ts';

interface AssumeRoleInput extends SessionPolicyInput, SessionTagInput {
  readonly RoleArn: string;
  readonly RoleSessionName: string;
  readonly DurationSeconds?: number;
  readonly ExternalId?: string;
  readonly SourceIdentity?: string;
  readonly MinimumSessionTokenSize?: number;
}

const DEFAULT_SESSION_SECONDS = 3600;
const CHAINED_SESSION_SECONDS = 3600;
/** What the sandbox's own tokens measure; AWS warns that theirs have no fixed size. */
const TOKEN_LENGTH = 356;
const MAX_TOKEN_LENGTH = 4096;

export const STS_OPERATIONS: OperationTable = {
  GetCallerIdentity: defineOperation<object>({
    // Needs no permission, and an explicit deny does not stop it.
    access: () => [],
    run: (call) => ({
      Arn: call.principal.arn,
      UserId: principalUserId(call.principal),
      Account: call.principal.account.accountId,
    }),
  }),
  GetAccessKeyInfo: defineOperation<{ AccessKeyId: string }>({
    access: () => [{ action: 'sts:GetAccessKeyInfo', resource: '*' }],
    run: (call, input) => {
      const account =
        call.world.accessKeys.get(input.AccessKeyId)?.accountId ??
        call.world.sessions.get(input.AccessKeyId)?.role.accountId ??
        call.world.federatedSessions.get(input.AccessKeyId)?.accountId;
      if (account === undefined) throw new AwsError('ValidationError', `Access key ${input.AccessKeyId} is not valid.`);
      return { Account: account };
    },
  }),
  GetFederationToken: getFederationToken,
  AssumeRole: defineOperation<AssumeRoleInput>({
    // Trust and identity policies decide together, in requireTrust.
    access: () => [],
    run: assumeRole,
  }),
};

function assumeRole(call: Call, input: AssumeRoleInput): object {
  checkRoleArn(input.RoleArn);
  if (call.principal.kind === 'root') throw new AwsError('AccessDenied', 'Roles may not be assumed by root accounts.');
  const policies = readSessionPolicies(call, input, input.RoleArn.split(':')[4] ?? '');
  const tags = readSessionTags(call.principal, input);
  const role = findRole(call, input.RoleArn);
  const sourceIdentity = readSourceIdentity(call, input);
  requireTrust(call, role, {
    roleArn: input.RoleArn,
    sessionName: input.RoleSessionName,
    externalId: input.ExternalId,
    sourceIdentity,
    tags: tags.requested,
    transitiveTagKeys: tags.transitiveKeys,
  });
  if (!role) throw new Error('requireTrust lets nobody assume a role that does not exist');
  const session = createSession(call, role, {
    sessionName: input.RoleSessionName,
    expiresAt: call.now + sessionSeconds(call, role, input) * 1000,
    sessionPolicies: policies.compiled,
    tags: tags.all,
    transitiveTagKeys: tags.transitiveKeys,
    sourceIdentity,
    tokenLength: Math.max(TOKEN_LENGTH, input.MinimumSessionTokenSize ?? 0),
  });
  const packed = policies.packedBytes + tags.packedBytes;
  return toAssumeRoleResult(call, session, packed === 0 ? undefined : toPackedPercent(packed));
}

function checkRoleArn(arn: string): void {
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(arn))
    throw new AwsError('ValidationError', `${arn} is invalid`);
}

function findRole(call: Call, arn: string): Role | undefined {
  const [, partition, , , accountId = '', path = ''] = arn.split(':');
  const account = call.world.accounts.get(accountId);
  if (!account || account.partition !== partition || partition !== call.partition.name) return undefined;
  const role = account.roles.get(path.slice(path.lastIndexOf('/') + 1));
  return role?.arn === arn ? role : undefined;
}

/** A source identity, once set, stays through the whole chain. */
function readSourceIdentity(call: Call, input: AssumeRoleInput): string | undefined {
  const wanted = input.SourceIdentity;
  if (wanted?.toLowerCase().startsWith('aws:')) {
    throw new AwsError('ValidationError', 'SourceIdentity cannot begin with the prefix aws:');
  }
  const inherited = call.principal.kind === 'session' ? call.principal.session.sourceIdentity : undefined;
  if (inherited !== undefined && wanted !== undefined && wanted !== inherited) {
    throw new AwsError('AccessDenied', 'The source identity of a role session cannot be changed.');
  }
  return inherited ?? wanted;
}

function sessionSeconds(call: Call, role: Role, input: AssumeRoleInput): number {
  const seconds = input.DurationSeconds ?? DEFAULT_SESSION_SECONDS;
  if (call.principal.kind === 'session' && seconds > CHAINED_SESSION_SECONDS) {
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    );
  }
  if (seconds > role.maxSessionSeconds) {
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    );
  }
  return seconds;
}

interface NewSession extends Omit<Session, 'accessKeyId' | 'secretAccessKey' | 'sessionToken' | 'role'> {
  readonly tokenLength: number;
}

function createSession(call: Call, role: Role, wanted: NewSession): Session {
  const { tokenLength, ...rest } = wanted;
  const token = `sandbox-session-${call.random.text(24, ALPHANUMERIC)}`;
  const session: Session = {
    ...rest,
    role,
    accessKeyId: `ASIASANDBOX${call.random.text(9, BASE32)}`,
    secretAccessKey: `sandbox/${call.random.text(32, ALPHANUMERIC)}`,
    sessionToken: token.padEnd(tokenLength, '0'),
  };
  call.world.sessions.set(session.accessKeyId, session);
  forgetOldSessions(call);
  return session;
}

/**
 * Sessions that expired a day ago can no longer be distinguished from sessions that never existed.
 */
const FORGET_AFTER_MS = 24 * 3600 * 1000;

function forgetOldSessions(call: Call): void {
  const { sessions } = call.world;
  if (sessions.size % 1_000 !== 0) return;
  for (const [id, session] of sessions) if (session.expiresAt < call.now - FORGET_AFTER_MS) sessions.delete(id);
}

function toAssumeRoleResult(call: Call, session: Session, packedPercent: number | undefined): object {
  const principal = toSessionPrincipal(getAccount(call.world, session.role.accountId), session);
  return {
    Credentials: {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: new Date(session.expiresAt),
    },
    AssumedRoleUser: { AssumedRoleId: principalUserId(principal), Arn: principal.arn },
    PackedPolicySize: packedPercent,
    SourceIdentity: session.sourceIdentity,
    SessionTokenSize: session.sessionToken.length,
    SessionTokenUtilization: Math.ceil((100 * session.sessionToken.length) / MAX_TOKEN_LENGTH),
  };
}
