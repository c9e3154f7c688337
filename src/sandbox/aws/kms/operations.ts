/**
 * KMS: data keys and ciphertexts of symmetric keys. What else the service does (creating keys,
 * aliases, grants) is for the fixture handle.
 */
import { randomBytes } from 'node:crypto';

import { AwsError } from '../aws-error.ts';
import { findKmsKey, keyRefusal } from '../kms.ts';
import type { KmsKey } from '../kms-key.ts';
import type { Refusal } from '../resource-policy.ts';
import { type Call, defineOperation, type OperationTable } from '../service.ts';
import { toEpochSeconds } from '../wire/json-protocol.ts';
import { keyArnOf, openBlob, sealBlob } from './blob.ts';

interface KeyInput {
  readonly KeyId: string;
}

interface ContextInput {
  readonly EncryptionContext?: Readonly<Record<string, string>>;
  readonly EncryptionAlgorithm?: string;
  readonly DryRun?: boolean;
}

type EncryptInput = KeyInput & ContextInput & { readonly Plaintext: string };
type DecryptInput = Partial<KeyInput> & ContextInput & { readonly CiphertextBlob?: string };
type DataKeyInput = KeyInput & ContextInput & { readonly KeySpec?: string; readonly NumberOfBytes?: number };

const SPEC_BYTES: Readonly<Record<string, number>> = { AES_128: 16, AES_256: 32 };
const ALGORITHM = 'SYMMETRIC_DEFAULT';

const invalidCiphertext = () => new AwsError('InvalidCiphertextException', '');

function getKey(call: Call, reference: string): KmsKey {
  const scope = { world: call.world, accountId: call.account.accountId, region: call.region };
  const key = findKmsKey(scope, reference);
  if (key) return key;
  const [, , , region, accountId] = reference.split(':');
  if (region !== undefined && region !== call.region) throw new AwsError('NotFoundException', `Invalid arn ${region}`);
  const place = `arn:${call.partition.name}:kms:${call.region}:${accountId ?? call.account.accountId}`;
  const name = reference.startsWith('arn:') ? reference.slice(reference.lastIndexOf(':') + 1) : reference;
  const isAlias = name.startsWith('alias/');
  const what = isAlias ? `Alias ${place}:${name}` : `Key '${place}:key/${name.replace(/^key\//, '')}'`;
  throw new AwsError('NotFoundException', isAlias ? `${what} is not found.` : `${what} does not exist`);
}

const reasons: Readonly<Record<Refusal, (action: string) => string>> = {
  resource: (action) => `because no resource-based policy allows the ${action} action`,
  'resource-explicitly': () => 'with an explicit deny in a resource-based policy',
  identity: (action) => `because no identity-based policy allows the ${action} action`,
  'identity-explicitly': () => 'with an explicit deny in an identity-based policy',
  session: (action) => `because no session policy allows the ${action} action`,
};

interface Use {
  readonly key: KmsKey;
  readonly action: string;
  readonly input: ContextInput;
}

function requireKeyAccess(call: Call, { key, action, input }: Use): void {
  const refusal = keyRefusal(call, key, { action, encryptionContext: input.EncryptionContext ?? {} });
  if (refusal === undefined) return;
  const what = `User: ${call.principal.arn} is not authorized to perform: ${action} on resource: ${key.arn}`;
  throw new AwsError('AccessDeniedException', `${what} ${reasons[refusal](action)}`);
}

/** Permissions come before the key's state. */
function requireUsable(call: Call, use: Use): void {
  const { key, input } = use;
  requireKeyAccess(call, use);
  if (key.state === 'Disabled') throw new AwsError('DisabledException', `${key.arn} is disabled.`);
  if (key.state === 'PendingDeletion')
    throw new AwsError('KMSInvalidStateException', `${key.arn} is pending deletion.`);
  if ((input.EncryptionAlgorithm ?? ALGORITHM) !== ALGORITHM)
    throw new AwsError(
      'InvalidKeyUsageException',
      `Algorithm ${String(input.EncryptionAlgorithm)} is incompatible with key spec SYMMETRIC_DEFAULT.`,
    );
  if (input.DryRun === true)
    throw new AwsError('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.');
}

const ENCRYPT = defineOperation<EncryptInput>({
  access: () => [],
  run: (call, input) => {
    const key = getKey(call, input.KeyId);
    requireUsable(call, { key, action: 'kms:Encrypt', input });
    const blob = sealBlob(key.arn, Buffer.from(input.Plaintext, 'base64'), input.EncryptionContext);
    return { CiphertextBlob: blob.toString('base64'), KeyId: key.arn, EncryptionAlgorithm: ALGORITHM };
  },
});

const DECRYPT = defineOperation<DecryptInput>({
  access: () => [],
  run: (call, input) => {
    // Optional in the model, for dry runs that name a key instead.
    if (input.CiphertextBlob === undefined) throw new AwsError('ValidationException', 'CiphertextBlob is missing.');
    const blob = Buffer.from(input.CiphertextBlob, 'base64');
    const arn = keyArnOf(blob);
    const named = input.KeyId === undefined ? undefined : getKey(call, input.KeyId);
    if (arn === undefined) throw invalidCiphertext();
    const key = findKmsKey({ world: call.world, accountId: call.account.accountId, region: call.region }, arn);
    if (!key) {
      throw new AwsError(
        'AccessDeniedException',
        'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
      );
    }
    if (named !== undefined && named !== key) {
      requireKeyAccess(call, { key: named, action: 'kms:Decrypt', input });
      throw new AwsError(
        'IncorrectKeyException',
        'The key ID in the request does not identify a CMK that can perform this operation.',
      );
    }
    requireUsable(call, { key, action: 'kms:Decrypt', input });
    const plaintext = openBlob(blob, input.EncryptionContext);
    if (plaintext === undefined) throw invalidCiphertext();
    return { Plaintext: plaintext.toString('base64'), KeyId: key.arn, EncryptionAlgorithm: ALGORITHM };
  },
});

const GENERATE_DATA_KEY = defineOperation<DataKeyInput>({
  access: () => [],
  run: (call, input) => {
    const { KeySpec: spec, NumberOfBytes: bytes } = input;
    if ((spec === undefined) === (bytes === undefined))
      throw new AwsError('ValidationException', 'Please specify either number of bytes or key spec.');
    const key = getKey(call, input.KeyId);
    requireUsable(call, { key, action: 'kms:GenerateDataKey', input });
    const plaintext = randomBytes(bytes ?? SPEC_BYTES[spec ?? ''] ?? 0);
    return {
      CiphertextBlob: sealBlob(key.arn, plaintext, input.EncryptionContext).toString('base64'),
      Plaintext: plaintext.toString('base64'),
      KeyId: key.arn,
    };
  },
});

const DESCRIBE_KEY = defineOperation<KeyInput>({
  access: () => [],
  run: (call, input) => {
    const key = getKey(call, input.KeyId);
    requireKeyAccess(call, { key, action: 'kms:DescribeKey', input: {} });
    return {
      KeyMetadata: {
        AWSAccountId: key.accountId,
        KeyId: key.keyId,
        Arn: key.arn,
        CreationDate: toEpochSeconds(key.createdAt),
        Enabled: key.state === 'Enabled',
        Description: '',
        KeyUsage: 'ENCRYPT_DECRYPT',
        KeyState: key.state,
        Origin: 'AWS_KMS',
        KeyManager: 'CUSTOMER',
        CustomerMasterKeySpec: ALGORITHM,
        KeySpec: ALGORITHM,
        EncryptionAlgorithms: [ALGORITHM],
        MultiRegion: false,
      },
    };
  },
});

export const KMS_OPERATIONS: OperationTable = {
  Encrypt: ENCRYPT,
  Decrypt: DECRYPT,
  GenerateDataKey: GENERATE_DATA_KEY,
  DescribeKey: DESCRIBE_KEY,
};
