/** What a policy is about: a scope of a destination, or the IAM user of a rotation. */
import type { DestinationScope } from '../destinations/registry.ts';

export interface RotationScope {
  readonly use: 'access-key-rotation';
  readonly userName: string;
  readonly kmsKey?: string | undefined;
}

export type PolicyTarget = DestinationScope | RotationScope;

export function isOfRotation(target: { readonly use: string }): target is RotationScope {
  return target.use === 'access-key-rotation';
}
