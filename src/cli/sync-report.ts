/** A sync as a readable report. */
import { destinations, kindOf } from '../domain/destinations/registry.ts';
import { fields, upcoming } from './output.ts';
import { stateOf } from './reports.ts';
import type { Sync } from '../client/types/sync.ts';

/** `Parameter Store eu-west-1 /shop/prod/` */
export function describeTarget(sync: Pick<Sync, 'destination' | 'destinationConfig'>): string {
  const { destination, destinationConfig } = sync;
  return `${destinations[destination].title} ${destinationConfig.region} ${kindOf(sync).describe(destinationConfig)}`;
}

/**
 * `drift detect, tier standard`; what has no effect at the destination is left out, as is what is
 * not set.
 */
function describeOptions(sync: Sync): string {
  const { settings, service } = kindOf(sync);
  const {
    tier,
    recoveryDays,
    disableSecretDeletion,
    syncSecretMetadataAsTags,
    tags = [],
    ...others
  } = sync.syncOptions;
  const shown: readonly (readonly [string, string | number | null | undefined])[] = [
    ['drift', others.drift],
    ['on existing', others.onExisting],
    ['first run', others.initialSyncBehavior],
    ['deletes', disableSecretDeletion ? 'never' : 'what it wrote'],
    ['tier', settings.hasTier ? tier : undefined],
    ['recovery days', service.canRestore ? recoveryDays : undefined],
    ['key schema', others.keySchema],
    ['folders below', others.recursive === true ? 'included' : undefined],
    ['only', others.include?.join(' ')],
    ['without', others.exclude?.join(' ')],
    ['KMS key', others.keyId],
    ['tags', tags.length === 0 ? undefined : tags.map(({ key, value }) => `${key}=${value}`).join(' ')],
    ['metadata', syncSecretMetadataAsTags ? 'as tags' : undefined],
    ['replicas', describeReplicas(others)],
  ];
  return shown
    .flatMap(([name, value]) => (value === undefined || value === null ? [] : [`${name} ${String(value)}`]))
    .join(', ');
}

/** `eu-central-1 us-east-1=alias/app` */
function describeReplicas({
  replicaRegions = [],
  replicaKeys = {},
}: Pick<Sync['syncOptions'], 'replicaRegions' | 'replicaKeys'>): string | undefined {
  const shown = replicaRegions.map((region) => [region, replicaKeys[region] ?? []].flat().join('='));
  return shown.length === 0 ? undefined : shown.join(' ');
}

export function describeSync(sync: Sync): string {
  return fields([
    ['sync', sync.name],
    ['id', sync.id],
    ['status', stateOf(sync.syncStatus, sync.statusMessage, { kind: 'sync', name: sync.name })],
    ['connection', sync.connectionName],
    ['source', `${sync.projectId ?? ''} ${sync.environment} ${sync.secretPath}`],
    ['destination', describeTarget(sync)],
    ['options', describeOptions(sync)],
    ['drift', sync.drift],
    ['synced', sync.lastSyncedAt],
    ['paused', sync.pausedAt],
    ['next', upcoming(sync.nextDueAt, { isRunning: sync.syncStatus === 'running' })],
  ]);
}

/** In `sync show` itself, the message that sends the reader there names the list below it. */
export function withListBelow(report: string): string {
  return report.replace(/( And [\d,]+ more): see `keyferry sync show[^`]*`\./g, '$1, listed below.');
}
