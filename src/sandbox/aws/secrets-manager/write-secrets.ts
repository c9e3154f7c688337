/** CreateSecret, PutSecretValue, UpdateSecret. */
import { AwsError } from '../aws-error.ts';
import { Lagged } from '../lagged.ts';
import { ALPHANUMERIC } from '../random.ts';
import { defineOperation, type AccessNeed, type Call } from '../service.ts';
import { mayUseKey, requireDecrypt, requireEncrypt } from './encryption.ts';
import {
  CURRENT,
  findSecret,
  getWritableSecret,
  PREVIOUS,
  secretArn,
  secretNeed,
  type SecretIdInput,
} from './find-secret.ts';
import { noteChange } from './listing.ts';
import { addReplicas, toReplicationStatus, type ReplicaInput } from './replicas.ts';
import type { SecretRecord } from './secret-record.ts';
import { requestTagContext, toTagMap, type SecretTag } from './tags.ts';
import { addVersion, readValue, sameValue, tokenInUse, type ValueInput } from './values.ts';

interface CreateSecretInput extends ValueInput, ReplicaInput {
  readonly Name: string;
  readonly ClientRequestToken?: string;
  readonly Description?: string;
  readonly KmsKeyId?: string;
  readonly Tags?: readonly SecretTag[];
}

interface PutSecretValueInput extends SecretIdInput, ValueInput {
  readonly ClientRequestToken?: string;
  readonly VersionStages?: readonly string[];
}

interface UpdateSecretInput extends SecretIdInput, ValueInput {
  readonly ClientRequestToken?: string;
  readonly Description?: string;
  readonly KmsKeyId?: string;
}

export const CREATE_SECRET = defineOperation<CreateSecretInput>({
  access: createAccess,
  run: (call, input) => {
    requireName(input.Name);
    const value = readValue(input);
    const existing = findSecret(call, input.Name);
    if (existing) return replayCreate(call, existing, input);
    requireFreeName(call, input.Name);
    const secret = makeSecret(call, input);
    if (value || secret.kmsKeyId !== undefined)
      requireEncrypt(call, { kmsKeyId: secret.kmsKeyId, secretArn: secret.arn });
    addReplicas(call, secret, input);
    const version = value && addVersion(call, secret, { versionId: tokenOf(call, input), value, stages: [CURRENT] });
    call.regionState.secrets.set(secret.name, secret);
    noteChange(call, secret);
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version?.versionId,
      ReplicationStatus: toReplicationStatus(call, secret),
    };
  },
});

function createAccess(call: Call, input: CreateSecretInput): readonly AccessNeed[] {
  const tags = input.Tags ?? [];
  const context = {
    ...requestTagContext(tags),
    'secretsmanager:name': [input.Name],
    'secretsmanager:kmskeyid': input.KmsKeyId === undefined ? undefined : [input.KmsKeyId],
  };
  const resource = secretArn(call, input.Name);
  const needs: AccessNeed[] = [{ action: 'secretsmanager:CreateSecret', resource, context, shownAs: input.Name }];
  if (tags.length > 0) needs.push({ action: 'secretsmanager:TagResource', resource, context, shownAs: input.Name });
  if (input.AddReplicaRegions)
    needs.push({ action: 'secretsmanager:ReplicateSecretToRegions', resource, context, shownAs: input.Name });
  return needs;
}

function requireName(name: string): void {
  if (/^[A-Za-z0-9/_+=.@!-]+$/.test(name)) return;
  throw new AwsError(
    'ValidationException',
    'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
  );
}

/** A name stays taken while its secret waits for deletion, and for a while after a forced one. */
function requireFreeName(call: Call, name: string): void {
  const blockedUntil = call.regionState.deletedSecrets.get(name);
  if (blockedUntil === undefined) return;
  if (blockedUntil > call.now) throw nameScheduledForDeletion();
  call.regionState.deletedSecrets.delete(name);
}

function nameScheduledForDeletion(): AwsError {
  return new AwsError(
    'InvalidRequestException',
    "You can't create this secret because a secret with this name is already scheduled for deletion.",
  );
}

/** The same token with the same value is a repetition, and answered as the first time. */
function replayCreate(call: Call, existing: SecretRecord, input: CreateSecretInput): object {
  if (existing.deletion) throw nameScheduledForDeletion();
  const value = readValue(input);
  const version = existing.versions.get(input.ClientRequestToken ?? '');
  if (version && value) {
    requireDecrypt(call, { kmsKeyId: version.kmsKeyId, secretArn: existing.arn });
    if (sameValue(version.value, value))
      return { ARN: existing.arn, Name: existing.name, VersionId: version.versionId };
  }
  throw new AwsError(
    'ResourceExistsException',
    `The operation failed because the secret ${input.Name} already exists.`,
  );
}

function makeSecret(call: Call, input: CreateSecretInput): SecretRecord {
  return {
    name: input.Name,
    arn: `${secretArn(call, input.Name)}-${call.random.text(6, ALPHANUMERIC)}`,
    sequence: call.world.nextSequence(),
    createdAt: call.now,
    description: input.Description,
    kmsKeyId: input.KmsKeyId,
    tags: toTagMap(input.Tags ?? []),
    versions: new Map(),
    changedAt: call.now,
    accessedAt: undefined,
    deletion: undefined,
    replicas: new Map(),
    replicaOf: undefined,
    primaryRegion: undefined,
    management: {},
    listed: new Lagged(),
  };
}

export const PUT_SECRET_VALUE = defineOperation<PutSecretValueInput>({
  access: (call, input) => [secretNeed(call, input.SecretId, { action: 'secretsmanager:PutSecretValue' })],
  run: (call, input) => {
    const value = readValue(input);
    const secret = getWritableSecret(call, input);
    if (!value) throw new AwsError('InvalidRequestException', 'You must provide either SecretString or SecretBinary.');
    const versionId = tokenOf(call, input);
    const known = secret.versions.get(versionId);
    if (known) {
      requireDecrypt(call, { kmsKeyId: known.kmsKeyId, secretArn: secret.arn });
      // A repetition changes nothing: not even the stages, when the version is no longer the
      // current one.
      if (!sameValue(known.value, value)) throw tokenInUse(versionId, secret);
      return { ARN: secret.arn, Name: secret.name, VersionId: versionId, VersionStages: [...known.stages] };
    }
    requireEncrypt(call, { kmsKeyId: secret.kmsKeyId, secretArn: secret.arn });
    const version = addVersion(call, secret, { versionId, value, stages: input.VersionStages ?? [CURRENT] });
    noteChange(call, secret);
    return { ARN: secret.arn, Name: secret.name, VersionId: versionId, VersionStages: [...version.stages] };
  },
});

export const UPDATE_SECRET = defineOperation<UpdateSecretInput>({
  access: (call, input) => [secretNeed(call, input.SecretId, { action: 'secretsmanager:UpdateSecret' })],
  run: (call, input) => {
    const value = readValue(input);
    const secret = getWritableSecret(call, input);
    const versionId = tokenOf(call, input);
    if (value && secret.versions.has(versionId)) throw tokenInUse(versionId, secret);
    const kmsKeyId =
      input.KmsKeyId === undefined ? secret.kmsKeyId : input.KmsKeyId === '' ? undefined : input.KmsKeyId;
    if (value || input.KmsKeyId !== undefined) requireEncrypt(call, { kmsKeyId, secretArn: secret.arn });
    if (kmsKeyId !== secret.kmsKeyId) reencrypt(call, secret, kmsKeyId);
    secret.kmsKeyId = kmsKeyId;
    if (value) addVersion(call, secret, { versionId, value, stages: [CURRENT] });
    if (input.Description !== undefined) secret.description = input.Description;
    noteChange(call, secret);
    return { ARN: secret.arn, Name: secret.name, VersionId: value ? versionId : undefined };
  },
});

const REENCRYPTED_STAGES = [CURRENT, 'AWSPENDING', PREVIOUS];

/**
 * A new key takes over the versions in use, when the caller may; without kms:Encrypt they keep the
 * old one, silently.
 */
function reencrypt(call: Call, secret: SecretRecord, kmsKeyId: string | undefined): void {
  const use = { kmsKeyId, secretArn: secret.arn };
  if (!mayUseKey(call, use, 'kms:Encrypt')) return;
  for (const version of secret.versions.values()) {
    const isInUse = REENCRYPTED_STAGES.some((stage) => version.stages.has(stage));
    if (isInUse && mayUseKey(call, { ...use, kmsKeyId: version.kmsKeyId }, 'kms:Decrypt')) version.kmsKeyId = kmsKeyId;
  }
}

/** Clients that leave the token out get a random version id. */
function tokenOf(call: Call, input: { readonly ClientRequestToken?: string }): string {
  const hex = (length: number): string => call.random.text(length, '0123456789abcdef');
  return input.ClientRequestToken ?? [hex(8), hex(4), `4${hex(3)}`, `8${hex(3)}`, hex(12)].join('-');
}
