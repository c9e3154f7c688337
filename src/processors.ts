/**
 * One processor per queue, each handed the ports and stores that it works with. Part of the
 * composition root.
 */
import { createAccessKeys } from './aws/access-keys.ts';
import { openParameterStore } from './aws/parameter-store.ts';
import { createProbes } from './aws/probes.ts';
import { openSecretsManager } from './aws/secrets-manager.ts';
import type { AwsAccess } from './aws/session.ts';
import type { Config } from './config/config.ts';
import { createConnectionStatus } from './db/connection-status.ts';
import { createFingerprintKeys } from './db/fingerprint-key.ts';
import type { Installation } from './db/installation.ts';
import { createSyncEntries } from './db/sync/entries.ts';
import { createSyncSource } from './db/sync/source.ts';
import { createTombstones } from './db/sync/tombstones.ts';
import type { Kind } from './domain/run.ts';
import { tenancyOf, type OpenStores } from './stores.ts';
import type { Processor } from './workers/engine/processor.ts';
import { createRotateProcessor } from './workers/rotate/processor.ts';
import { createSyncProcessor } from './workers/sync/processor.ts';
import { createValidateProcessor } from './workers/validate/processor.ts';

export interface ProcessorParts {
  readonly aws: AwsAccess;
  readonly stores: OpenStores;
  readonly installation: Installation;
  readonly config: Pick<Config, 'revalidateEveryMs' | 'reconcileEveryMs' | 'apiTokens'>;
}

export function createProcessors({ aws, stores, installation, config }: ProcessorParts): {
  readonly [K in Kind]: Processor<K>;
} {
  const { connections, folders, rotations, database, encryption } = stores;
  const { db } = database;
  const probes = createProbes();
  return {
    validate: createValidateProcessor({
      aws,
      probes,
      connections,
      status: createConnectionStatus(db),
      ...tenancyOf(config, stores),
      revalidateEveryMs: config.revalidateEveryMs,
    }),
    sync: createSyncProcessor({
      aws,
      probes,
      openParameterStore,
      openSecretsManager,
      connections,
      folders,
      source: createSyncSource(db, encryption),
      entries: createSyncEntries(db),
      fingerprints: createFingerprintKeys(db, encryption),
      installation,
      tombstones: createTombstones(db),
      reconcileEveryMs: config.reconcileEveryMs,
    }),
    rotate: createRotateProcessor({ aws, openAccessKeys: createAccessKeys, connections, rotations, installation }),
  };
}
