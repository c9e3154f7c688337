/** From a SecretId to the secret: by name, by ARN, by an ARN without its random ending. */
import { tagContext } from '../authorize.ts';
import { AwsError } from '../aws-error.ts';
import type { AccessNeed, Call } from '../service.ts';
import type { SecretRecord, SecretVersion } from './secret-record.ts';

export const CURRENT = 'AWSCURRENT';
export const PREVIOUS = 'AWSPREVIOUS';

export interface SecretIdInput {
  readonly SecretId: string;
}

export function secretArn(call: Call, name: string): string {
  return `arn:${call.partition.name}:secretsmanager:${call.region}:${call.account.accountId}:secret:${name}`;
}

export function findSecret(call: Call, secretId: string): SecretRecord | undefined {
  const { secrets } = call.regionState;
  const prefix = secretArn(call, '');
  const name = secretId.startsWith(prefix) ? secretId.slice(prefix.length) : secretId;
  if (name === secretId) return ifPresent(call, secrets.get(secretId));
  const exact = secrets.get(name.replace(/-[A-Za-z0-9]{6}$/, ''));
  return ifPresent(call, exact?.arn === secretId ? exact : secrets.get(name));
}

/**
 * A secret whose recovery window is over is gone from the first read on; a replica is there when
 * its copy is complete.
 */
function ifPresent(call: Call, secret: SecretRecord | undefined): SecretRecord | undefined {
  if (secret?.replicaOf && secret.replicaOf.readyAt > call.now) return undefined;
  if (!secret?.deletion || secret.deletion.purgedAt > call.now) return secret;
  call.regionState.secrets.delete(secret.name);
  return undefined;
}

export function getSecret(call: Call, input: SecretIdInput): SecretRecord {
  const secret = findSecret(call, input.SecretId);
  if (!secret) throw new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
  return secret;
}

/** For everything that a secret scheduled for deletion refuses. */
export function getLiveSecret(call: Call, input: SecretIdInput): SecretRecord {
  const secret = getSecret(call, input);
  if (secret.deletion) {
    throw new AwsError(
      'InvalidRequestException',
      "You can't perform this operation on the secret because it was marked for deletion.",
    );
  }
  return secret;
}

export function getWritableSecret(call: Call, input: SecretIdInput): SecretRecord {
  const secret = getLiveSecret(call, input);
  requirePrimary(secret);
  return secret;
}

/** Replicas change with their primary only. */
export function requirePrimary(secret: SecretRecord): void {
  if (!secret.replicaOf) return;
  const text = "Operation not permitted on a replica secret. Call must be made in primary secret's region.";
  throw new AwsError('InvalidParameterException', text);
}

export function versionWithStage(secret: SecretRecord, stage: string): SecretVersion | undefined {
  for (const version of secret.versions.values()) if (version.stages.has(stage)) return version;
  return undefined;
}

/**
 * A secret that is not there is judged by the ARN it would have, and named in the refusal as the
 * request named it.
 */
export function secretNeed(call: Call, secretId: string, wanted: Pick<AccessNeed, 'action' | 'context'>): AccessNeed {
  const secret = findSecret(call, secretId);
  const tags = secret?.tags ?? [];
  const context = {
    ...tagContext('aws:resourcetag', tags),
    ...tagContext('secretsmanager:resourcetag', tags),
    'secretsmanager:secretid': [secret?.arn ?? secretId],
    ...wanted.context,
  };
  if (secret) return { action: wanted.action, resource: secret.arn, context };
  const resource = secretId.startsWith('arn:') ? secretId : secretArn(call, secretId);
  return { action: wanted.action, resource, context, shownAs: secretId };
}

/** Access to one secret by `SecretId`, and nothing else. */
export function secretAccess(action: string): (call: Call, input: SecretIdInput) => readonly AccessNeed[] {
  return (call, input) => [secretNeed(call, input.SecretId, { action })];
}
