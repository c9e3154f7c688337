/** SecureString and KMS: who may encrypt and decrypt, and how refusals read. */
import { AwsError } from '../aws-error.ts';
import { tryKmsKey } from '../kms.ts';
import type { Call } from '../service.ts';
import type { ParameterTier } from './parameter-record.ts';

export const DEFAULT_KEY = 'alias/aws/ssm';

export interface KeyUse {
  readonly keyId: string;
  readonly parameterArn: string;
}

export function requireEncrypt(call: Call, use: KeyUse, tier: ParameterTier): void {
  requireKey(call, use, tier === 'Standard' ? ['kms:Encrypt'] : ['kms:GenerateDataKey', 'kms:Decrypt']);
}

export function requireDecrypt(call: Call, use: KeyUse): void {
  requireKey(call, use, ['kms:Decrypt']);
}

function requireKey(call: Call, use: KeyUse, actions: readonly string[]): void {
  const outcome = tryKmsKey(call, {
    keyReference: use.keyId,
    actions,
    viaService: 'ssm',
    encryptionContext: { PARAMETER_ARN: use.parameterArn },
  });
  if (outcome === 'ok') return;
  if (outcome === 'denied') {
    throw new AwsError(
      'AccessDeniedException',
      'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access. (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException)',
    );
  }
  throw new AwsError(
    'InvalidKeyId',
    outcome === 'missing' ? `Invalid keyId ${use.keyId}` : `The key ${use.keyId} is not enabled.`,
  );
}
