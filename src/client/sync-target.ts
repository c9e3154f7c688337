/**
 * Finds targets under which no secret could get a name that AWS accepts, and options that they have
 * no use for: such a sync could only fail. Pure.
 */
import { type ConditionalField, idleSettings } from '../domain/sync/idle-settings.ts';
import { type DestinationOfSync, kindOf } from '../domain/destinations/registry.ts';
import type { SchemaFolder } from '../domain/key-schema.ts';
import { partitionOfRegion } from '../domain/partitions.ts';
import { regionOfKey } from '../domain/sync/kms-keys.ts';
import type { SyncOptions } from '../domain/sync/config.ts';
import { remoteNameOf, type TargetSource, toTarget } from '../domain/sync/target.ts';

/** The shortest and plainest key: a name that fails with it fails with every key. */
const PLAINEST_KEY = 'K';
/** Names are limited by the length of their ARN, and every account id has twelve digits. */
const ANY_ACCOUNT = '000000000000';

/** By field. */
export function targetProblems(sync: TargetSource & OptionedSync, folder: SchemaFolder): readonly string[] {
  return [...nameProblems(sync, folder), ...optionProblems(sync)];
}

function nameProblems(sync: TargetSource, folder: SchemaFolder): readonly string[] {
  const problem = findProblem(sync, folder);
  if (!problem) return [];
  const { keySchema, ...options } = sync.syncOptions;
  const isSchema = keySchema !== undefined && !findProblem({ ...sync, syncOptions: options }, folder);
  const field = isSchema ? 'syncOptions.keySchema' : `destinationConfig.${kindOf(sync).nameField.field}`;
  return [`${field} allows no valid name: ${problem}`];
}

/** Options that would do nothing at the destination, keys and replicas that cannot be. */
export function optionProblems(sync: OptionedSync): readonly string[] {
  const others = [...findReplicaProblems(sync), ...findKeyProblems(sync)];
  return [...idleSettings(kindOf(sync), givenSettings(sync)), ...others.map((problem) => `syncOptions.${problem}`)];
}

/** A key encrypts in its own region only; that of an alias or a bare id is not known here. */
function findKeyProblems({ destinationConfig, syncOptions }: OptionedSync): readonly string[] {
  const region = syncOptions.keyId === undefined ? undefined : regionOfKey(syncOptions.keyId);
  if (region === undefined || region === '' || region === destinationConfig.region) return [];
  return [`keyId is a KMS key of ${region}, but the destination is in ${destinationConfig.region}`];
}

type OptionedSync = DestinationOfSync & { readonly syncOptions: SyncOptions };

/** A default that is sent does no harm and is taken. */
function givenSettings({ syncOptions }: OptionedSync): ReadonlySet<ConditionalField> {
  const { tier, recoveryDays, syncSecretMetadataAsTags, replicaRegions = [], replicaKeys = {} } = syncOptions;
  const given: readonly (readonly [ConditionalField, boolean])[] = [
    ['syncOptions.tier', tier !== 'standard'],
    ['syncOptions.recoveryDays', recoveryDays !== 7],
    ['syncOptions.syncSecretMetadataAsTags', syncSecretMetadataAsTags],
    ['syncOptions.replicaRegions', replicaRegions.length > 0],
    ['syncOptions.replicaKeys', replicaRegions.length === 0 && Object.keys(replicaKeys).length > 0],
  ];
  return new Set(given.flatMap(([field, isGiven]) => (isGiven ? [field] : [])));
}

function findReplicaProblems(sync: OptionedSync): readonly string[] {
  if (!kindOf(sync).settings.hasReplicas) return [];
  const { replicaRegions = [], replicaKeys = {} } = sync.syncOptions;
  const { region: own } = sync.destinationConfig;
  const partition = partitionOfRegion(own);
  return [
    ...replicaRegions
      .filter((region, index) => replicaRegions.indexOf(region) !== index)
      .map((region) => `replicaRegions names ${region} twice`),
    ...(replicaRegions.includes(own) ? [`replicaRegions names ${own}, where the secret itself is`] : []),
    ...replicaRegions
      .filter((region) => partitionOfRegion(region) !== partition)
      .map((region) => `replicaRegions names ${region}, which AWS keeps apart from ${own}`),
    ...Object.keys(replicaKeys)
      .filter((region) => !replicaRegions.includes(region))
      .map((region) => `replicaKeys names ${region}, which is not in replicaRegions`),
  ];
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
