/** Which permissions each use of a connection needs, and what each further one would add. The order is that of the printed policy. */

import { optionalRotationActions, requiredRotationActions } from '../rotation/policy.ts';

export const uses = ['parameter-store', 'secrets-manager', 'access-key-rotation'] as const;
export type Use = (typeof uses)[number];

export interface UseActions {
  /** Without one of these the use does not work. */
  readonly required: readonly string[];
  /** What each adds; without it, only that is switched off. */
  readonly optional: Readonly<Record<string, string>>;
}

const secretsManager: UseActions = {
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
};

/** One JSON secret is read before each write, so that foreign keys in it are kept. */
const secretDocument: UseActions = {
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
    'secretsmanager:UpdateSecretVersionStage': 'would let keyferry switch versions only if nobody else wrote meanwhile',
    'secretsmanager:ReplicateSecretToRegions': 'would let the sync keep replicas in other regions',
    'secretsmanager:RemoveRegionsFromReplication': 'would let keyferry remove replicas of its secrets',
  },
};

const parameterStore: UseActions = {
  required: [
    'ssm:PutParameter',
    'ssm:AddTagsToResource',
    'ssm:GetParameters',
    'ssm:DeleteParameters',
    'ssm:ListTagsForResource',
  ],
  optional: {
    'ssm:GetParametersByPath': 'would let keyferry import parameters that exist already',
    'ssm:RemoveTagsFromResource': 'would let keyferry take back tags that the sync no longer has',
    'ssm:DescribeParameters': 'would let keyferry see with one call which of 50 parameters are its own',
  },
};

const accessKeyRotation: UseActions = { required: requiredRotationActions, optional: optionalRotationActions };

export function actionsOf(use: Use, options: { readonly isOneSecret: boolean }): UseActions {
  switch (use) {
    case 'parameter-store':
      return parameterStore;
    case 'secrets-manager':
      return options.isOneSecret ? secretDocument : secretsManager;
    case 'access-key-rotation':
      return accessKeyRotation;
  }
}

/** Actions that AWS grants only on everything. */
export const accountWideActions: ReadonlySet<string> = new Set([
  'ssm:DescribeParameters',
  'secretsmanager:ListSecrets',
  'secretsmanager:BatchGetSecretValue',
]);

/** What a service does with a customer's KMS key on behalf of the caller; Encrypt and Decrypt for standard parameters, the data key for the rest. */
export const kmsActions = ['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey', 'kms:DescribeKey'] as const;

/**
 * What cannot be tried without making something: the first real call finds out. All else can be tried on an object that does not
 * exist, where AWS says "not found" to who is allowed.
 */
export const unprobeableActions: ReadonlySet<string> = new Set([
  'ssm:PutParameter',
  'secretsmanager:CreateSecret',
  'iam:CreateAccessKey',
]);
