/** Secret values and KMS. */
import { AwsError } from '../aws-error.ts';
import { tryKmsKey, type KmsUse } from '../kms.ts';
import type { Call } from '../service.ts';

export interface SecretKeyUse {
  readonly kmsKeyId: string | undefined;
  readonly secretArn: string;
}

export function requireEncrypt(call: Call, use: SecretKeyUse): void {
  requireKey(call, use, {
    actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
    code: 'EncryptionFailure',
    verb: 'encrypt',
  });
}

export function requireDecrypt(call: Call, use: SecretKeyUse): void {
  requireKey(call, use, { actions: ['kms:Decrypt'], code: 'DecryptionFailure', verb: 'decrypt' });
}

interface Purpose {
  readonly actions: readonly string[];
  /** When the key is missing, disabled or waiting for its deletion. */
  readonly code: string;
  readonly verb: string;
}

export function mayUseKey(call: Call, use: SecretKeyUse, action: string): boolean {
  return tryKey(call, use, [action]) === 'ok';
}

function tryKey(call: Call, use: SecretKeyUse, actions: readonly string[]): KmsUse {
  return tryKmsKey(call, {
    keyReference: use.kmsKeyId === '' ? undefined : use.kmsKeyId,
    actions,
    viaService: 'secretsmanager',
    encryptionContext: { SecretARN: use.secretArn },
  });
}

function requireKey(call: Call, use: SecretKeyUse, { actions, code, verb }: Purpose): void {
  const outcome = tryKey(call, use, actions);
  if (outcome === 'ok') return;
  if (outcome === 'denied') throw new AwsError('AccessDeniedException', 'Access to KMS is not allowed');
  const text = `Secrets Manager can't ${verb} the protected secret text using the provided KMS key.`;
  throw new AwsError(code, `${text} Check that the KMS key is available, enabled, and not in an invalid state.`);
}
