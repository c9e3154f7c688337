/**
 * Refuses targets under which no secret could get a name that AWS accepts, and options that they
 * have no use for: such a sync could only fail.
 */
import { type DestinationOfSync, kindOf } from '../domain/destinations/registry.ts';
import type { SchemaFolder } from '../domain/key-schema.ts';
import { partitionOfRegion } from '../domain/partitions.ts';
import type { SyncOptions } from '../domain/sync/config.ts';
import { remoteNameOf, type TargetSource, toTarget } from '../domain/sync/target.ts';
import { JobError } from '../errors.ts';

/** Shorter and plainer than this no key is: a name that fails with it fails with every key. */
const PLAINEST_KEY = 'K';
/** Names are limited by the length of their ARN, and every account id has twelve digits. */
const ANY_ACCOUNT = '000000000000';

/** Throws PAYLOAD_INVALID, naming the field. */
export function refuseImpossibleTarget(sync: TargetSource, folder: SchemaFolder): void {
  const problem = findProblem(sync, folder);
  if (!problem) return;
  const { keySchema, ...options } = sync.syncOptions;
  const isSchema = keySchema !== undefined && !findProblem({ ...sync, syncOptions: options }, folder);
  const field = isSchema ? 'syncOptions.keySchema' : `destinationConfig.${kindOf(sync).nameField.field}`;
  const message = `${field} allows no valid name: ${problem}`;
  throw new JobError('PAYLOAD_INVALID', { message, context: { problems: [message] } });
}

/** Throws PAYLOAD_INVALID for KMS keys of replicas that the sync does not have. */
export function refuseIdleReplicaKeys(
  sync: DestinationOfSync & { readonly syncOptions: Pick<SyncOptions, 'replicaKeys' | 'replicaRegions'> },
): void {
  const { replicaKeys = {}, replicaRegions = [] } = sync.syncOptions;
  const idle = Object.keys(replicaKeys).filter((region) => !replicaRegions.includes(region));
  const [problem] = [
    ...(Object.keys(replicaKeys).length > 0 && !kindOf(sync).settings.hasReplicas
      ? ['syncOptions.replicaKeys has no effect: this destination has no replicas']
      : []),
    ...idle.map((region) => `syncOptions.replicaKeys names ${region}, which is not in replicaRegions`),
  ];
  if (problem === undefined) return;
  throw new JobError('PAYLOAD_INVALID', { message: `${problem}.`, context: { problems: [problem] } });
}

function findProblem(sync: TargetSource, folder: SchemaFolder): string | undefined {
  const target = toTarget(sync, folder);
  const { region, kind } = target;
  const place = {
    partition: partitionOfRegion(region) ?? 'aws',
    accountId: ANY_ACCOUNT,
    region,
    service: kind.service.name,
  };
  return kind.findNameProblem(remoteNameOf(target, PLAINEST_KEY), place)?.message;
}
