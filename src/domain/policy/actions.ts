/**
 * Which permissions each use of a connection needs, and what each further one would add. The order
 * is that of the printed policy.
 */
import { allKinds, kindOfScope, services } from '../destinations/registry.ts';
import { optionalRotationActions, requiredRotationActions } from '../rotation/policy.ts';
import { isOfRotation, type PolicyTarget } from './target.ts';

export interface UseActions {
  /** Without one of these the use does not work. */
  readonly required: readonly string[];
  /** What each adds; without it, only that is switched off. */
  readonly optional: Readonly<Record<string, string>>;
}

const accessKeyRotation: UseActions = { required: requiredRotationActions, optional: optionalRotationActions };

export function actionsOfTarget(target: PolicyTarget): UseActions {
  return isOfRotation(target) ? accessKeyRotation : kindOfScope(target).actions;
}

export const actionsOfAllUses: readonly UseActions[] = [...allKinds.map((kind) => kind.actions), accessKeyRotation];

/** Actions that AWS grants only on everything. */
export const accountWideActions: ReadonlySet<string> = new Set(services.flatMap((service) => service.accountWide));

/**
 * What a service does with a customer's KMS key on behalf of the caller; Encrypt and Decrypt for
 * standard parameters, the data key for the rest.
 */
export const kmsActions = ['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey', 'kms:DescribeKey'] as const;

/**
 * What cannot be tried without creating something; the first real call finds out. All else can be
 * tried on an object that does not exist: AWS answers "not found" to a caller that is allowed.
 */
export const unprobeableActions: ReadonlySet<string> = new Set([
  ...services.flatMap((service) => service.unprobeable),
  'iam:CreateAccessKey',
]);
