/** What a connection is used for: the syncs and rotations that depend on it, as far as their permissions and their last outcome go. Pure. */
import type { PolicyTarget } from '../policy/policies.ts';
import type {
  Destination,
  DestinationConfig,
  SecretsManagerConfig,
  SyncOptions,
  ParameterStoreConfig,
} from '../sync/config.ts';

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

export function targetOfSync(sync: {
  readonly destination: Destination;
  readonly destinationConfig: DestinationConfig;
  readonly syncOptions: Pick<SyncOptions, 'keyId'>;
}): PolicyTarget {
  const { region } = sync.destinationConfig;
  const kmsKey = sync.syncOptions.keyId;
  if (sync.destination === 'aws-parameter-store') {
    return { use: 'parameter-store', region, path: (sync.destinationConfig as ParameterStoreConfig).path, kmsKey };
  }
  const config = sync.destinationConfig as SecretsManagerConfig;
  if (config.mappingBehavior === 'many-to-one')
    return { use: 'secrets-manager', region, secretName: config.secretName, kmsKey };
  return { use: 'secrets-manager', region, prefix: config.prefix ?? '', kmsKey };
}

/** How a check names where it looked. */
export function describeTarget(target: PolicyTarget): string {
  switch (target.use) {
    case 'parameter-store':
      return `${target.path} in ${target.region}`;
    case 'secrets-manager':
      if ('secretName' in target) return `${target.secretName} in ${target.region}`;
      return target.prefix === '' ? target.region : `${target.prefix}* in ${target.region}`;
    case 'access-key-rotation':
      return `user ${target.userName}`;
  }
}

export function regionOf(target: PolicyTarget): string | undefined {
  return target.use === 'access-key-rotation' ? undefined : target.region;
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
