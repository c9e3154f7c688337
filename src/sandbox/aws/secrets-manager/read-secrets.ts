/** Reading values: one, several, and the versions of a secret. */
import { AwsError } from '../aws-error.ts';
import { requireAccess } from '../authorize.ts';
import { defineOperation, type AccessNeed, type Call } from '../service.ts';
import { toEpochSeconds } from '../wire/json-protocol.ts';
import { requireDecrypt } from './encryption.ts';
import { compileSecretFilters, type SecretFilter } from './filters.ts';
import { CURRENT, getLiveSecret, getSecret, secretNeed, versionWithStage, type SecretIdInput } from './find-secret.ts';
import { listVisible } from './list-secrets.ts';
import { takePage, type PageInput } from './paging.ts';
import type { SecretRecord, SecretVersion } from './secret-record.ts';

interface GetSecretValueInput extends SecretIdInput {
  readonly VersionId?: string;
  readonly VersionStage?: string;
}

interface BatchInput extends PageInput {
  readonly SecretIdList?: readonly string[];
  readonly Filters?: readonly SecretFilter[];
}

const BATCH_PAGE = 20;
const VERSIONS_PAGE = 100;
const DAY_MS = 24 * 3600 * 1000;

export const GET_SECRET_VALUE = defineOperation<GetSecretValueInput>({
  access: (call, input) => [valueNeed(call, input)],
  run: (call, input) => {
    const secret = getLiveSecret(call, input);
    return toValueEntry(call, secret, chooseVersion(secret, input));
  },
});

function valueNeed(call: Call, input: GetSecretValueInput): AccessNeed {
  return secretNeed(call, input.SecretId, {
    action: 'secretsmanager:GetSecretValue',
    context: {
      'secretsmanager:versionid': input.VersionId === undefined ? undefined : [input.VersionId],
      'secretsmanager:versionstage': [input.VersionStage ?? CURRENT],
    },
  });
}

function chooseVersion(secret: SecretRecord, input: GetSecretValueInput): SecretVersion {
  if (input.VersionId === undefined) {
    const stage = input.VersionStage ?? CURRENT;
    const staged = versionWithStage(secret, stage);
    if (staged) return staged;
    throw new AwsError(
      'ResourceNotFoundException',
      `Secrets Manager can't find the specified secret value for staging label: ${stage}`,
    );
  }
  const version = secret.versions.get(input.VersionId);
  if (!version) {
    throw new AwsError(
      'ResourceNotFoundException',
      `Secrets Manager can't find the specified secret value for VersionId: ${input.VersionId}`,
    );
  }
  if (input.VersionStage !== undefined && !version.stages.has(input.VersionStage)) {
    throw new AwsError(
      'InvalidRequestException',
      'You provided a VersionStage that is not associated to the provided VersionId.',
    );
  }
  return version;
}

function toValueEntry(call: Call, secret: SecretRecord, version: SecretVersion): object {
  requireDecrypt(call, { kmsKeyId: version.kmsKeyId, secretArn: secret.arn });
  // AWS remembers the day of the last access, not its time.
  const today = Math.floor(call.now / DAY_MS) * DAY_MS;
  secret.accessedAt = today;
  version.lastAccessedAt = today;
  return {
    ARN: secret.arn,
    Name: secret.name,
    VersionId: version.versionId,
    ...('string' in version.value ? { SecretString: version.value.string } : { SecretBinary: version.value.binary }),
    VersionStages: [...version.stages],
    CreatedDate: toEpochSeconds(version.createdAt),
  };
}

export const BATCH_GET_SECRET_VALUE = defineOperation<BatchInput>({
  access: (_call, input) => [
    { action: 'secretsmanager:BatchGetSecretValue', resource: '*' },
    ...(input.Filters === undefined ? [] : [{ action: 'secretsmanager:ListSecrets', resource: '*' }]),
  ],
  run: (call, input) => {
    if ((input.SecretIdList === undefined) === (input.Filters === undefined)) {
      throw new AwsError(
        'InvalidParameterException',
        "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
      );
    }
    if (input.SecretIdList !== undefined) {
      if (input.MaxResults !== undefined) {
        throw new AwsError(
          'InvalidParameterException',
          "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.",
        );
      }
      return readBatch(call, input.SecretIdList);
    }
    const filter = compileSecretFilters(input.Filters ?? []);
    const names = listVisible(call, { includeDeleted: false }).filter(([secret, listed]) =>
      filter(secret.name, listed),
    );
    const page = takePage(
      { kind: 'batch', input, defaultSize: BATCH_PAGE },
      names.map(([secret]) => [secret.sequence, secret.name] as const),
    );
    return { ...readBatch(call, page.items), NextToken: page.NextToken };
  },
});

/** Each item succeeds or fails for itself. */
function readBatch(call: Call, ids: readonly string[]): { SecretValues: object[]; Errors: object[] } {
  const values: object[] = [];
  const errors: object[] = [];
  for (const SecretId of ids) {
    try {
      requireAccess(call, valueNeed(call, { SecretId }), 'AccessDeniedException');
      const secret = getLiveSecret(call, { SecretId });
      values.push(toValueEntry(call, secret, chooseVersion(secret, { SecretId })));
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      errors.push({ SecretId, ErrorCode: error.code, Message: error.message });
    }
  }
  return { SecretValues: values, Errors: errors };
}

export const LIST_SECRET_VERSION_IDS = defineOperation<SecretIdInput & PageInput & { IncludeDeprecated?: boolean }>({
  access: (call, input) => [secretNeed(call, input.SecretId, { action: 'secretsmanager:ListSecretVersionIds' })],
  run: (call, input) => {
    const secret = getSecret(call, input);
    const versions = [...secret.versions.values()].filter((v) => input.IncludeDeprecated === true || v.stages.size > 0);
    const entries = versions.map((v, index) => [index + 1, toVersionEntry(v)] as const);
    const page = takePage({ kind: 'versions', input, defaultSize: VERSIONS_PAGE }, entries);
    return { Versions: page.items, NextToken: page.NextToken, ARN: secret.arn, Name: secret.name };
  },
});

function toVersionEntry(version: SecretVersion): object {
  return {
    VersionId: version.versionId,
    VersionStages: version.stages.size === 0 ? undefined : [...version.stages],
    LastAccessedDate: version.lastAccessedAt === undefined ? undefined : toEpochSeconds(version.lastAccessedAt),
    CreatedDate: toEpochSeconds(version.createdAt),
    KmsKeyIds: [version.kmsKeyId ?? 'DefaultEncryptionKey'],
  };
}
