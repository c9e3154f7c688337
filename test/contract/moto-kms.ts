/** Where moto's KMS differs from AWS's documentation; see moto-differences.ts. */
import { each, type KnownDifference } from './known-difference.ts';

const states = each(
  {
    moto: 'lets a key in any state generate, encrypt and decrypt',
    documented:
      'a disabled key is DisabledException, one that is pending deletion KMSInvalidStateException (KMS developer guide, "Key states of AWS KMS keys")',
  },
  [
    'kms: a disabled key is DisabledException, for what it had wrapped as well',
    'kms: a key that waits for its deletion is KMSInvalidStateException',
  ],
);

const policies = each(
  {
    moto: 'evaluates no policy unless started in its auth mode, and no key policy',
    documented:
      'key policy and policies of the caller decide together (KMS developer guide, "Key policies in AWS KMS")',
  },
  [
    'kms: with the key policy that a new key gets, policies of users decide',
    'kms: a key policy that names a user of its account is enough, and one that names nobody refuses all',
    'kms: an explicit deny of the key policy wins',
    'kms: policies may demand an encryption context',
  ],
);

const answers = {
  ...each(
    {
      moto: 'leaves EncryptionAlgorithm out of the answer to Decrypt',
      documented: 'EncryptionAlgorithm: the algorithm that was used to decrypt (KMS API reference, Decrypt)',
    },
    ['kms: GenerateDataKey gives 32 bytes, in clear and wrapped, that only Decrypt opens'],
  ),
  ...each(
    {
      moto: 'answers AccessDeniedException',
      documented: 'IncorrectKeyException (KMS API reference, Decrypt)',
    },
    ['kms: Decrypt with the id of another key is IncorrectKeyException'],
  ),
  ...each(
    {
      moto: 'ignores DryRun',
      documented: 'DryRunOperationException (KMS developer guide, "Testing your permissions")',
    },
    ['kms: a dry run answers with DryRunOperationException, or with what would refuse'],
  ),
};

export const MOTO_KMS_DIFFERENCES: Readonly<Record<string, KnownDifference>> = { ...states, ...policies, ...answers };
