/** UpdateSecretVersionStage: the only compare-and-swap among these services. */
import { AwsError } from '../aws-error.ts';
import { defineOperation } from '../service.ts';
import { CURRENT, getWritableSecret, secretNeed, versionWithStage, type SecretIdInput } from './find-secret.ts';
import { noteChange } from './listing.ts';
import type { SecretRecord, SecretVersion } from './secret-record.ts';
import { moveStage } from './values.ts';

interface StageInput extends SecretIdInput {
  readonly VersionStage: string;
  readonly RemoveFromVersionId?: string;
  readonly MoveToVersionId?: string;
}

export const UPDATE_SECRET_VERSION_STAGE = defineOperation<StageInput>({
  access: (call, input) => [
    secretNeed(call, input.SecretId, {
      action: 'secretsmanager:UpdateSecretVersionStage',
      context: {
        'secretsmanager:versionstage': [input.VersionStage],
      },
    }),
  ],
  run: (call, input) => {
    const secret = getWritableSecret(call, input);
    const to = input.MoveToVersionId === undefined ? undefined : getVersion(secret, input.MoveToVersionId);
    if (input.RemoveFromVersionId !== undefined) getVersion(secret, input.RemoveFromVersionId);
    checkMove(secret, input, to);
    moveStage(secret, input.VersionStage, to);
    noteChange(call, secret);
    return { ARN: secret.arn, Name: secret.name };
  },
});

function getVersion(secret: SecretRecord, versionId: string): SecretVersion {
  const version = secret.versions.get(versionId);
  if (!version) {
    throw new AwsError(
      'ResourceNotFoundException',
      `Secrets Manager can't find the specified secret version: ${versionId}.`,
    );
  }
  return version;
}

/** A label that is attached moves only when the request names its present version. */
function checkMove(secret: SecretRecord, input: StageInput, to: SecretVersion | undefined): void {
  const { VersionStage: stage, RemoveFromVersionId: from } = input;
  const holder = versionWithStage(secret, stage);
  if (from === undefined && to === undefined) {
    throw new AwsError('InvalidParameterException', 'Either MoveToVersionId or RemoveFromVersionId must be provided.');
  }
  if (stage === CURRENT && !to) {
    throw new AwsError(
      'InvalidParameterException',
      "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
    );
  }
  if (holder && holder !== to && from === undefined) {
    throw new AwsError(
      'InvalidParameterException',
      `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder.versionId}, so you must explicitly reference that version in RemoveFromVersionId.`,
    );
  }
  if (from !== undefined && from !== holder?.versionId) {
    throw new AwsError(
      'InvalidParameterException',
      `The staging label ${stage} is not currently attached to version ${from}.`,
    );
  }
}
