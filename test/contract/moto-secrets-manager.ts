/** Where moto's Secrets Manager differs from AWS's documentation; see moto-differences.ts. */
import { each, type KnownDifference } from './known-difference.ts';

const secretInput = each(
  {
    moto: 'does not check this field',
    documented:
      'Name 1-512 of letters, digits and /_+=.@-; values of 1-65,536 bytes, text or binary but not both; 50 tags, none starting with aws:; MaxResults 1-100; SecretIdList of 1-20 (Secrets Manager API reference, user guide "quotas")',
  },
  [
    'secretsmanager: characters outside of the documented ones are refused',
    'secretsmanager: names go up to 512 characters',
    'secretsmanager: values go up to 65,536 bytes',
    'secretsmanager: an empty value is a ValidationException',
    'secretsmanager: a text and a binary value together are refused',
    'secretsmanager: tags are set at creation; fifty-one are too many',
    'secretsmanager: tags starting with aws: are reserved',
    'secretsmanager: lists go by pages of a hundred at most',
    'secretsmanager: BatchGetSecretValue takes twenty ids, not twenty-one',
  ],
);

const secretVersions = each(
  {
    moto: 'shows versions without a stage as well, lets AWSCURRENT be taken off, keeps any number of versions',
    documented:
      'VersionIdsToStages lists versions that have staging labels; others only with IncludeDeprecated; AWSCURRENT can be moved but not removed; no more than about 100 versions, none younger than 24 hours is dropped (Secrets Manager API reference: DescribeSecret, ListSecretVersionIds, UpdateSecretVersionStage, PutSecretValue)',
  },
  [
    'secretsmanager: PutSecretValue moves AWSCURRENT and AWSPREVIOUS',
    'secretsmanager: ListSecretVersionIds shows deprecated versions when asked',
    'secretsmanager: AWSCURRENT cannot be taken off',
    'secretsmanager: more than a hundred versions within a day are LimitExceededException',
  ],
);

const secretStates = each(
  {
    moto: 'lets a secret that waits for its deletion be written and tagged, and calls its name ResourceExists',
    documented:
      'InvalidRequestException: "The secret is scheduled for deletion" (Secrets Manager API reference, PutSecretValue, TagResource, CreateSecret)',
  },
  [
    'secretsmanager: a secret scheduled for deletion refuses use',
    'secretsmanager: a name scheduled for deletion cannot be created',
  ],
);

const secretStatus = each(
  {
    moto: 'HTTP 404',
    documented:
      'HTTP 400 for every client error (Secrets Manager API reference: ResourceNotFoundException, "HTTP Status Code: 400")',
  },
  ['secretsmanager: a secret that does not exist is ResourceNotFoundException'],
);

const replicas = each(
  {
    moto: 'looks at no KMS key: the replica is InSync',
    documented: 'the replica is Failed (Secrets Manager user guide, "Troubleshoot AWS Secrets Manager replication")',
  },
  ['secretsmanager: a replica whose key does not exist is accepted, and fails'],
);

const replicaKeys = each(
  {
    moto: 'keeps no key of a replica: all have alias/aws/secretsmanager',
    documented: 'KmsKeyId of ReplicationStatus is the key that was asked for (API reference, ReplicationStatusType)',
  },
  ['secretsmanager: a replica shows its key, and AWS’s own by its alias'],
);

export const MOTO_SECRETS_MANAGER_DIFFERENCES: Readonly<Record<string, KnownDifference>> = {
  ...secretInput,
  ...secretVersions,
  ...secretStates,
  ...secretStatus,
  ...replicas,
  ...replicaKeys,
};
