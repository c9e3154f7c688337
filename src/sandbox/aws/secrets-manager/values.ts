/** Secret values: reading them from requests, comparing, adding versions, moving stages. */
import { AwsError } from '../aws-error.ts';
import type { Call } from '../service.ts';
import { CURRENT, PREVIOUS, versionWithStage } from './find-secret.ts';
import type { SecretRecord, SecretValue, SecretVersion } from './secret-record.ts';

const MAX_VALUE_BYTES = 65_536;
const MAX_VERSIONS = 100;
const VERSION_SAFE_MS = 24 * 3600 * 1000;
const MAX_STAGES_PER_VERSION = 20;

export interface ValueInput {
  /** Base64. */
  readonly SecretBinary?: string;
  readonly SecretString?: string;
}

export function readValue(input: ValueInput): SecretValue | undefined {
  if (input.SecretString !== undefined && input.SecretBinary !== undefined) {
    throw new AwsError(
      'InvalidParameterException',
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  }
  if (input.SecretBinary !== undefined) return { binary: input.SecretBinary };
  if (input.SecretString === undefined) return undefined;
  if (Buffer.byteLength(input.SecretString) > MAX_VALUE_BYTES) {
    throw new AwsError(
      'ValidationException',
      `1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to ${String(MAX_VALUE_BYTES)}`,
    );
  }
  return { string: input.SecretString };
}

export function sameValue(a: SecretValue, b: SecretValue): boolean {
  if ('string' in a) return 'string' in b && a.string === b.string;
  return 'binary' in b && a.binary === b.binary;
}

export function tokenInUse(token: string, secret: SecretRecord): AwsError {
  const text = `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${secret.arn}.`;
  return new AwsError('ResourceExistsException', text);
}

export function addVersion(
  call: Call,
  secret: SecretRecord,
  wanted: { versionId: string; value: SecretValue; stages: readonly string[] },
): SecretVersion {
  dropDeprecatedVersions(call, secret);
  const version: SecretVersion = {
    versionId: wanted.versionId,
    value: wanted.value,
    stages: new Set(),
    createdAt: call.now,
    kmsKeyId: secret.kmsKeyId,
    lastAccessedAt: undefined,
  };
  // The first version is the current one, whatever stages were asked for.
  const stages = secret.versions.size === 0 ? new Set([...wanted.stages, CURRENT]) : new Set(wanted.stages);
  secret.versions.set(version.versionId, version);
  for (const stage of stages) moveStage(secret, stage, version);
  return version;
}

/**
 * Unlabelled versions above a hundred go, but none younger than a day; when too many are young, the
 * write is refused.
 */
function dropDeprecatedVersions(call: Call, secret: SecretRecord): void {
  if (secret.versions.size < MAX_VERSIONS) return;
  const old = [...secret.versions.values()].filter(
    (v) => v.stages.size === 0 && v.createdAt <= call.now - VERSION_SAFE_MS,
  );
  for (const version of old.slice(0, secret.versions.size - MAX_VERSIONS + 1))
    secret.versions.delete(version.versionId);
  if (secret.versions.size >= MAX_VERSIONS) {
    throw new AwsError(
      'LimitExceededException',
      'The request failed because it would exceed one of the Secrets Manager quotas: too many versions of this secret.',
    );
  }
}

/**
 * A stage sits on one version at a time; when AWSCURRENT moves, AWSPREVIOUS goes to where it was.
 */
export function moveStage(secret: SecretRecord, stage: string, to: SecretVersion | undefined): void {
  const from = versionWithStage(secret, stage);
  if (from === to) return;
  if (to && !to.stages.has(stage) && to.stages.size >= MAX_STAGES_PER_VERSION) {
    throw new AwsError(
      'LimitExceededException',
      `A version can have at most ${String(MAX_STAGES_PER_VERSION)} staging labels.`,
    );
  }
  from?.stages.delete(stage);
  to?.stages.add(stage);
  if (stage === CURRENT && from) moveStage(secret, PREVIOUS, from);
  if (stage === CURRENT) to?.stages.delete(PREVIOUS);
}
