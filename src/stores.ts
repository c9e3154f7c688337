/**
 * Opens the database and makes every store on it: for the composition root and for the library,
 * which needs nothing else.
 */
import type { Config } from './config/config.ts';
import type { KmsKeySetting } from './config/values.ts';
import { createAuditLog } from './db/audit-log.ts';
import { type Database, openDatabase } from './db/client.ts';
import { createConnections } from './db/connections.ts';
import { createDataKeys } from './db/data-keys.ts';
import { createEncryption } from './db/encryption.ts';
import { createEncryptionKeys, findMisfit } from './db/encryption-keys.ts';
import { createFingerprintKeyRows } from './db/fingerprint-key.ts';
import { refuseMisfit } from './db/fitting-key.ts';
import { createFolders } from './db/folders.ts';
import { createHistory } from './db/history.ts';
import { createIdentities } from './db/identities.ts';
import { requireCurrentSchema } from './db/migrate.ts';
import { createOrgs } from './db/orgs.ts';
import { createRequests } from './db/requests.ts';
import { createRotations } from './db/rotation/rotations.ts';
import { createSources } from './db/sources.ts';
import { createSyncs } from './db/sync/syncs.ts';
import { createWebhooks } from './db/webhooks.ts';
import { createWork } from './db/engine/work.ts';
import type { DataKeyService } from './domain/data-keys.ts';

export type OpenStores = ReturnType<typeof openStores>;

/** `sessionName`: the application name of the database sessions, by which PostgreSQL lists them. */
export type StoreConfig = Pick<Config, 'databaseUrl' | 'encryptionKeys'> &
  Partial<Pick<Config, 'kms' | 'webhookHosts' | 'sourceHosts'>> & { readonly sessionName?: string };

/** `dataKeys` opens KMS, where it is configured, when it is first needed. */
export function openStores(config: StoreConfig, dataKeys: () => Promise<DataKeyService> = noDataKeys) {
  const database = openDatabase(
    config.databaseUrl,
    config.sessionName === undefined ? {} : { name: config.sessionName },
  );
  const { db } = database;
  const encryption = refuseMisfit(
    createEncryption(config.encryptionKeys, config.kms && openDataKeys(db, config.kms, dataKeys)),
    (one) => findMisfit(db, one),
  );
  return {
    database,
    encryption,
    connections: createConnections(db, encryption),
    folders: createFolders(db, encryption),
    sources: createSources(db, encryption, { hosts: config.sourceHosts ?? [] }),
    syncs: createSyncs(db),
    rotations: createRotations(db, encryption),
    requests: createRequests(db),
    history: createHistory(db),
    orgs: createOrgs(db),
    audit: createAuditLog(db),
    identities: createIdentities(db),
    webhooks: createWebhooks(db, encryption, { hosts: config.webhookHosts ?? [] }),
    work: createWork(db),
    encryptionKeys: createEncryptionKeys(db, encryption),
    /** Throws DB_UNAVAILABLE. */
    ping: () => database.ping(),
    close: () => database.close(),
  };
}

function openDataKeys(db: Database, { arns, encrypts }: KmsKeySetting, service: () => Promise<DataKeyService>) {
  const encryptsWith = encrypts ? arns[0] : undefined;
  return createDataKeys({ keyArns: arns, encryptsWith, service, rows: createFingerprintKeyRows(db) });
}

const noDataKeys = () => Promise.reject(new Error('Stores were opened with a KMS key but without KMS.'));

/** What a validation asks about the other tenants of the base identity. */
export function tenancyOf(config: Pick<Config, 'apiTokens'>, { orgs }: OpenStores) {
  return {
    /**
     * Whether more than one tenant uses the base identity: a role must then insist on its external
     * ID.
     */
    isShared: async (): Promise<boolean> => config.apiTokens.length > 0 || orgs.areSeveral(),
    isForeignExternalId: orgs.isForeignExternalId,
  };
}

/** Throws DB_UNAVAILABLE, DB_NOT_MIGRATED, DB_TOO_NEW. */
export async function openCurrentStores(
  config: StoreConfig,
  dataKeys?: () => Promise<DataKeyService>,
): Promise<OpenStores> {
  await requireCurrentSchema(config.databaseUrl);
  return openStores(config, dataKeys);
}
