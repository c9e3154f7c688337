/**
 * GetFederationToken: a session of an IAM user that session policies narrow. Only long-term keys
 * may ask for one, it may call nothing of IAM and of STS only GetCallerIdentity, and without a
 * policy it may do nothing.
 */
import { AwsError } from '../aws-error.ts';
import { principalUserId, toFederatedPrincipal } from '../principal.ts';
import { ALPHANUMERIC, BASE32 } from '../random.ts';
import { defineOperation, type Call } from '../service.ts';
import type { FederatedSession } from '../state.ts';
import { toPackedPercent } from './packed.ts';
import { readSessionPolicies } from './session-policies.ts';
import { readSessionTags } from './session-tags.ts';

interface GetFederationTokenInput {
  readonly Name: string;
  readonly Policy?: string;
  readonly PolicyArns?: readonly { readonly arn?: string }[];
  readonly DurationSeconds?: number;
  readonly Tags?: readonly { readonly Key: string; readonly Value: string }[];
}

const DEFAULT_SECONDS = 43_200;
/** AWS shortens what root asks for instead of refusing it. */
const ROOT_MAX_SECONDS = 3_600;

const arnOf = (call: Call, name: string) =>
  `arn:${call.partition.name}:sts::${call.account.accountId}:federated-user/${name}`;

export const getFederationToken = defineOperation<GetFederationTokenInput>({
  access: (call, input) => [{ action: 'sts:GetFederationToken', resource: arnOf(call, input.Name) }],
  run: (call, input) => {
    const { principal } = call;
    if (principal.kind === 'session' || principal.kind === 'federated')
      throw new AwsError('AccessDenied', 'Cannot call GetFederationToken with session credentials');
    const policies = readSessionPolicies(call, input, call.account.accountId);
    const tags = readSessionTags(principal, input);
    const wanted = input.DurationSeconds ?? DEFAULT_SECONDS;
    const seconds = principal.kind === 'root' ? Math.min(wanted, ROOT_MAX_SECONDS) : wanted;
    const session: FederatedSession = {
      name: input.Name,
      accountId: call.account.accountId,
      user: principal.kind === 'user' ? principal.user : undefined,
      expiresAt: call.now + seconds * 1_000,
      sessionPolicies: policies.compiled ?? [],
      tags: tags.all,
      accessKeyId: `ASIASANDBOX${call.random.text(9, BASE32)}`,
      secretAccessKey: `sandbox/${call.random.text(32, ALPHANUMERIC)}`,
      sessionToken: `sandbox-federation-${call.random.text(24, ALPHANUMERIC)}`.padEnd(356, '0'),
    };
    call.world.federatedSessions.set(session.accessKeyId, session);
    const packed = policies.packedBytes + tags.packedBytes;
    const federated = toFederatedPrincipal(call.account, session);
    return {
      Credentials: {
        AccessKeyId: session.accessKeyId,
        SecretAccessKey: session.secretAccessKey,
        SessionToken: session.sessionToken,
        Expiration: new Date(session.expiresAt),
      },
      FederatedUser: { FederatedUserId: principalUserId(federated), Arn: federated.arn },
      PackedPolicySize: packed === 0 ? undefined : toPackedPercent(packed),
    };
  },
});
