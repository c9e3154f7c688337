/**
 * Deletion. Scheduled: the secret refuses use but keeps its name until the window ends, and
 * RestoreSecret brings it back. Forced: gone at once, and its name stays unusable for a while.
 */
import { AwsError } from '../aws-error.ts';
import { defineOperation, type Call } from '../service.ts';
import { drawDelayMs } from '../timing.ts';
import { toEpochSeconds } from '../wire/json-protocol.ts';
import {
  findSecret,
  getSecret,
  requirePrimary,
  secretAccess,
  secretArn,
  secretNeed,
  type SecretIdInput,
} from './find-secret.ts';
import { noteChange, showInLists } from './listing.ts';
import type { SecretRecord } from './secret-record.ts';

interface DeleteSecretInput extends SecretIdInput {
  readonly RecoveryWindowInDays?: number;
  readonly ForceDeleteWithoutRecovery?: boolean;
}

const DEFAULT_WINDOW_DAYS = 30;
const DAY_MS = 24 * 3600 * 1000;

export const DELETE_SECRET = defineOperation<DeleteSecretInput>({
  access: (call, input) => [
    secretNeed(call, input.SecretId, {
      action: 'secretsmanager:DeleteSecret',
      context: {
        'secretsmanager:forcedeletewithoutrecovery': [String(input.ForceDeleteWithoutRecovery ?? false)],
        'secretsmanager:recoverywindowindays': [String(input.RecoveryWindowInDays ?? DEFAULT_WINDOW_DAYS)],
      },
    }),
  ],
  run: (call, input) => {
    const days = readWindow(input);
    const isForced = input.ForceDeleteWithoutRecovery === true;
    if (isForced && !findSecret(call, input.SecretId)) return missingButForced(call, input.SecretId);
    const secret = getSecret(call, input);
    requireDeletable(secret);
    if (secret.deletion && !isForced) throw alreadyScheduled();
    const purgedAt = isForced ? call.now : call.now + days * DAY_MS;
    if (isForced) removeSecret(call, secret);
    else scheduleDeletion(call, secret, purgedAt);
    return { ARN: secret.arn, Name: secret.name, DeletionDate: toEpochSeconds(purgedAt) };
  },
});

function readWindow(input: DeleteSecretInput): number {
  const days = input.RecoveryWindowInDays;
  if (days !== undefined && input.ForceDeleteWithoutRecovery === true) {
    throw new AwsError(
      'InvalidParameterException',
      "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
    );
  }
  if (days !== undefined && (days < 7 || days > 30)) {
    throw new AwsError(
      'InvalidParameterException',
      'The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).',
    );
  }
  return days ?? DEFAULT_WINDOW_DAYS;
}

/** Forcing the deletion of what is not there is not an error. */
function missingButForced(call: Call, secretId: string): object {
  const arn = secretId.startsWith('arn:') ? secretId : secretArn(call, secretId);
  return { ARN: arn, Name: secretId, DeletionDate: toEpochSeconds(call.now) };
}

/**
 * Force is the one thing that can still be done to a secret that waits for its deletion, besides
 * restoring it.
 */
function alreadyScheduled(): AwsError {
  const text = "You can't perform this operation on the secret because it was already scheduled for deletion.";
  return new AwsError('InvalidRequestException', text);
}

function requireDeletable(secret: SecretRecord): void {
  requirePrimary(secret);
  if (secret.replicas.size > 0) {
    const regions = [...secret.replicas.keys()].join(', ');
    throw new AwsError(
      'InvalidParameterException',
      `You can't delete secret ${secret.name} that still has replica regions [${regions}]`,
    );
  }
}

function scheduleDeletion(call: Call, secret: SecretRecord, purgedAt: number): void {
  secret.deletion = { requestedAt: call.now, purgedAt };
  showInLists(call, secret);
}

function removeSecret(call: Call, secret: SecretRecord): void {
  call.regionState.secrets.delete(secret.name);
  const delayMs = drawDelayMs(call.timing.forceDeleteTombstoneMs, call.random);
  if (delayMs > 0) call.regionState.deletedSecrets.set(secret.name, call.now + delayMs);
}

export const RESTORE_SECRET = defineOperation<SecretIdInput>({
  access: secretAccess('secretsmanager:RestoreSecret'),
  run: (call, input) => {
    const secret = getSecret(call, input);
    requirePrimary(secret);
    secret.deletion = undefined;
    noteChange(call, secret);
    return { ARN: secret.arn, Name: secret.name };
  },
});
