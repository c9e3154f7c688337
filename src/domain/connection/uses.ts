/**
 * What a connection is used for: the syncs and rotations that depend on it, as far as their
 * permissions and their last outcome go. Pure.
 */
import { type DestinationOfSync, type DestinationScope, kindOf, kindOfScope } from '../destinations/registry.ts';
import { isOfRotation, type PolicyTarget } from '../policy/target.ts';
import type { SyncOptions } from '../sync/config.ts';

export interface ConnectionUse {
  readonly kind: 'sync' | 'rotation';
  readonly id: string;
  readonly name: string;
  readonly target: PolicyTarget;
  /** Of its last run: what a real write found out, which no probe can. */
  readonly status: string;
  readonly statusCode: string | null;
  readonly statusMessage: string | null;
  readonly lastSucceededAt: Date | null;
}

export function targetOfSync(
  sync: DestinationOfSync & { readonly syncOptions: Pick<SyncOptions, 'keyId' | 'replicaKeys'> },
): DestinationScope {
  const kind = kindOf(sync);
  const { region } = sync.destinationConfig;
  const { keyId: kmsKey, replicaKeys } = sync.syncOptions;
  return kind.scope(kind.namePrefix(sync.destinationConfig), { region, kmsKey, replicaKeys });
}

/** How a check names its target. */
export function describeTarget(target: PolicyTarget): string {
  return isOfRotation(target) ? `user ${target.userName}` : kindOfScope(target).describeScope(target);
}

export function regionOf(target: PolicyTarget): string | undefined {
  return isOfRotation(target) ? undefined : target.region;
}

/** Uses with the same target share their probes. */
export function distinctTargets(
  uses: readonly ConnectionUse[],
): readonly { readonly target: PolicyTarget; readonly uses: readonly ConnectionUse[] }[] {
  const groups = new Map<string, { target: PolicyTarget; uses: ConnectionUse[] }>();
  for (const use of uses) {
    const key = JSON.stringify(use.target);
    const group = groups.get(key) ?? { target: use.target, uses: [] };
    group.uses.push(use);
    groups.set(key, group);
  }
  return [...groups.values()];
}
