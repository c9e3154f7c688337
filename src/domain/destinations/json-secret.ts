/**
 * Secrets Manager, many-to-one: one JSON secret with a member for each secret of the folder. It is
 * read before each write, so that members of others are kept.
 */
import { z } from 'zod';

import { regionShape as region } from '../region-shape.ts';
import type { DestinationKind, PolicyScope } from './destination.ts';
import { findSecretNameProblem, type SecretsScope, secretsManagerService, secretsScope } from './secrets-manager.ts';

const config = z.strictObject({
  region,
  mappingBehavior: z.literal('many-to-one'),
  secretName: z
    .string({ error: 'is required: the name of the one secret that holds all keys' })
    .min(1)
    .max(512)
    .regex(/^[A-Za-z0-9/_+=.@-]+$/, 'may hold letters, digits and / _ + = . @ -'),
});

export interface JsonSecretScope extends PolicyScope {
  readonly use: 'secrets-manager';
  readonly secretName: string;
}

export const jsonSecret = {
  id: 'json-secret',
  destination: 'aws-secrets-manager',
  noun: 'JSON secret',
  service: secretsManagerService,
  config,
  mapping: 'many-to-one',
  nameField: { field: 'secretName', option: 'secretName', flag: '--secret-name' },
  policyOption: {
    name: 'secretName',
    flags: '--secret-name <name>',
    description: 'the one secret of many-to-one',
  },
  holdsAllKeys: true,
  takesEmptyValues: true,
  samplesTags: false,
  settings: { hasTier: false, hasReplicas: true, hasMetadataTags: false },
  actions: {
    required: [
      'secretsmanager:DescribeSecret',
      'secretsmanager:GetSecretValue',
      'secretsmanager:CreateSecret',
      'secretsmanager:UpdateSecret',
      'secretsmanager:DeleteSecret',
      'secretsmanager:TagResource',
    ],
    optional: {
      'secretsmanager:UntagResource': 'would let keyferry take back tags that the sync no longer has',
      'secretsmanager:RestoreSecret': 'would let keyferry bring back a secret that it has scheduled for deletion',
      'secretsmanager:PutSecretValue': 'would let keyferry stage a version beside the current one',
      'secretsmanager:UpdateSecretVersionStage':
        'would let keyferry switch versions only if nobody else wrote meanwhile',
      'secretsmanager:ReplicateSecretToRegions': 'would let the sync keep replicas in other regions',
      'secretsmanager:RemoveRegionsFromReplication': 'would let keyferry remove replicas of its secrets',
    },
    probed: [
      'secretsmanager:GetSecretValue',
      'secretsmanager:UpdateSecret',
      'secretsmanager:DeleteSecret',
      'secretsmanager:TagResource',
      'secretsmanager:PutSecretValue',
      'secretsmanager:UpdateSecretVersionStage',
    ],
    promoting: ['secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecretVersionStage'],
  },

  namePrefix: ({ secretName }) => secretName,
  describe: ({ secretName }) => secretName,
  findNameProblem: findSecretNameProblem,
  /** The size of a JSON secret is judged as a whole. */
  findValueProblem: () => undefined,

  scope: (secretName, place): JsonSecretScope => ({ use: 'secrets-manager', ...place, secretName }),
  isScope: (one) => 'secretName' in one,
  scopeOfPrefix: secretsScope,
  // A secret that exists has six random characters in its ARN; one that is to be created has not.
  resources: ({ secretName }) => [`secret:${secretName}`, `secret:${secretName}-??????`],
  describeScope: (one) => `${one.secretName} in ${one.region}`,
} as const satisfies DestinationKind<z.infer<typeof config>, JsonSecretScope, SecretsScope>;
