/** Secrets Manager, one-to-one: one secret per secret of the folder, under a prefix. */
import { z } from 'zod';

import { quotaGroup } from '../quota-group.ts';
import { regionShape as region } from '../region-shape.ts';
import { byteLength, invalid, type EntryProblem } from '../sync/rules.ts';
import type { DestinationKind, PolicyScope, ScopePlace, ServiceFacts } from './destination.ts';

/** What AWS takes per call of BatchGetSecretValue. */
export const SECRETS_PER_READ = 20;
export const SECRET_MAX_BYTES = 65_536;
const MAX_NAME = 512;

const config = z.strictObject({
  region,
  mappingBehavior: z.literal('one-to-one'),
  prefix: z
    .string()
    .max(400)
    .regex(/^[A-Za-z0-9/_+=.@-]*$/, 'may hold letters, digits and / _ + = . @ -')
    .optional(),
});

export interface SecretsScope extends PolicyScope {
  readonly use: 'secrets-manager';
  readonly prefix: string;
}

export const secretsManagerService: ServiceFacts = {
  name: 'secretsmanager',
  sid: 'KeyferrySecrets',
  // Published rates are used to 95 %.
  quotas: [
    [
      quotaGroup('secretsmanager.write', [47, 50, 47]),
      [
        'secretsmanager.PutSecretValue',
        'secretsmanager.UpdateSecret',
        'secretsmanager.UpdateSecretVersionStage',
        'secretsmanager.ReplicateSecretToRegions',
        'secretsmanager.RemoveRegionsFromReplication',
        'secretsmanager.StopReplicationToReplica',
      ],
    ],
    [quotaGroup('secretsmanager.create', [47, 50, 47]), ['secretsmanager.CreateSecret']],
    [quotaGroup('secretsmanager.delete', [47, 50, 47]), ['secretsmanager.DeleteSecret']],
    [quotaGroup('secretsmanager.restore', [47, 50, 47]), ['secretsmanager.RestoreSecret']],
    [quotaGroup('secretsmanager.tags', [47, 50, 47]), ['secretsmanager.TagResource', 'secretsmanager.UntagResource']],
    [quotaGroup('secretsmanager.list', [95, 100, 95]), ['secretsmanager.ListSecrets']],
    [quotaGroup('secretsmanager.versions', [47, 50, 47]), ['secretsmanager.ListSecretVersionIds']],
    [quotaGroup('secretsmanager.batch', [95, 100, 95]), ['secretsmanager.BatchGetSecretValue']],
  ],
  unbudgeted: ['secretsmanager.GetSecretValue', 'secretsmanager.DescribeSecret'],
  accountWide: ['secretsmanager:ListSecrets', 'secretsmanager:BatchGetSecretValue'],
  unprobeable: ['secretsmanager:CreateSecret'],
  canRestore: true,
};

export const secretsManager = {
  id: 'secrets-manager',
  destination: 'aws-secrets-manager',
  noun: 'secret',
  service: secretsManagerService,
  config,
  mapping: 'one-to-one',
  nameField: { field: 'prefix', option: 'prefix', flag: '--prefix' },
  policyOption: {
    name: 'secretPrefix',
    flags: '--secret-prefix <prefix>',
    description: 'prefix of the secrets',
    fallback: '',
  },
  holdsAllKeys: false,
  takesEmptyValues: false,
  samplesTags: false,
  settings: { hasTier: false, hasReplicas: true, hasMetadataTags: true },
  actions: {
    required: [
      'secretsmanager:ListSecrets',
      'secretsmanager:DescribeSecret',
      'secretsmanager:CreateSecret',
      'secretsmanager:UpdateSecret',
      'secretsmanager:DeleteSecret',
      'secretsmanager:TagResource',
    ],
    optional: {
      'secretsmanager:GetSecretValue': 'would let keyferry import values that exist already',
      'secretsmanager:BatchGetSecretValue': 'would let an import read 20 values with one call',
      'secretsmanager:UntagResource': 'would let keyferry take back tags that the sync no longer has',
      'secretsmanager:RestoreSecret': 'would let keyferry bring back a secret that it has scheduled for deletion',
      'secretsmanager:ReplicateSecretToRegions': 'would let the sync keep replicas in other regions',
      'secretsmanager:RemoveRegionsFromReplication': 'would let keyferry remove replicas of its secrets',
    },
    probed: [
      'secretsmanager:DescribeSecret',
      'secretsmanager:UpdateSecret',
      'secretsmanager:DeleteSecret',
      'secretsmanager:TagResource',
    ],
    promoting: [],
  },

  namePrefix: ({ prefix }) => prefix ?? '',
  describe: ({ prefix }) => `${prefix ?? ''}*`,
  findNameProblem: findSecretNameProblem,
  findValueProblem(value) {
    const bytes = byteLength(value);
    if (bytes <= SECRET_MAX_BYTES) return undefined;
    return invalid(`The value has ${bytes} bytes; Secrets Manager allows ${SECRET_MAX_BYTES}. Split it.`);
  },

  scope: secretsScope,
  isScope: (one) => 'prefix' in one,
  scopeOfPrefix: secretsScope,
  resources: ({ prefix }) => [`secret:${prefix}*`],
  describeScope: (one) => (one.prefix === '' ? one.region : `${one.prefix}* in ${one.region}`),
} as const satisfies DestinationKind<z.infer<typeof config>, SecretsScope>;

export function secretsScope(prefix: string, place: ScopePlace): SecretsScope {
  return { use: 'secrets-manager', ...place, prefix };
}

export function findSecretNameProblem(name: string): EntryProblem | undefined {
  if (!/^[A-Za-z0-9/_+=.@-]+$/.test(name)) {
    return invalid(
      'The secret name may hold only letters, digits and / _ + = . @ -. Rename the secret or change the key schema.',
    );
  }
  if (name.length <= MAX_NAME) return undefined;
  return invalid(`The secret name has ${name.length} characters; AWS allows ${MAX_NAME}. Shorten prefix or key.`);
}
