/**
 * The library: what an upstream application imports to create connections, set secrets, create
 * syncs and rotations, request runs and read results. It talks to PostgreSQL only; workers find the
 * rest there. Importing it loads no server, board, sandbox or embedded database.
 *
 * @example
 * const keyferry = await connect({
 *   databaseUrl: process.env.DATABASE_URL,
 *   encryptionKeys: process.env.KEYFERRY_ENCRYPTION_KEYS,
 *   org: 'acme',
 * });
 * const { connection, requestId } = await keyferry.connections.create({
 *   name: 'prod',
 *   credentials: { method: 'assume-role', roleArn: 'arn:aws:iam::111122223333:role/keyferry' },
 * });
 * const run = await keyferry.runs.wait(requestId); // run.status === 'succeeded'
 * await keyferry.close();
 */
import { defined } from './domain/defined.ts';
import { createClient } from './client/client.ts';
import type { Client } from './client/types/client.ts';
import { loadConfig } from './config/config.ts';
import { type Environment, processEnvironment } from './config/environment.ts';
import { openCurrentStores } from './stores.ts';

/** What `connect` needs. */
export interface ConnectOptions {
  /** `postgres://user:password@host:5432/name`, migrated by `keyferry migrate`. */
  readonly databaseUrl: string;
  /** As KEYFERRY_ENCRYPTION_KEYS: `id:base64(32 bytes)`, comma-separated; the first encrypts. */
  readonly encryptionKeys: string;
  /**
   * As KEYFERRY_KMS_KEY_ARN: AWS KMS wraps the data keys. It is asked with the AWS SDK's default
   * credentials of this process, under the `AWS_…` and proxy variables of its environment.
   */
  readonly kmsKeyArn?: string;
  /**
   * Everything the client sees and does belongs to this org; its id is the external ID of its
   * roles. Default: `default`.
   */
  readonly org?: string;
  /**
   * Who asks: in runs, and in the audit trail, which says `library` without it; at most 256
   * characters.
   */
  readonly actor?: string;
  /**
   * `tenant` (default) for an application that acts for its customers: external IDs cannot be
   * chosen, and a role must insist on its own. `operator` for whoever runs the installation.
   */
  readonly actsFor?: 'tenant' | 'operator';
}

/** A client with connections to its database, until `close`. */
export interface Keyferry extends Client {
  /** The same database as another org or actor. Left out: the org of `connect`, and no actor. */
  as(actor: { readonly org?: string; readonly actor?: string }): Client;
  /** Ends the connections to PostgreSQL. Nothing else may be called afterwards. */
  close(): Promise<void>;
}

/** Throws CONFIG_INVALID, DB_UNAVAILABLE, DB_NOT_MIGRATED, DB_TOO_NEW. */
export async function connect(options: ConnectOptions): Promise<Keyferry> {
  const config = loadConfig({
    DATABASE_URL: options.databaseUrl,
    KEYFERRY_ENCRYPTION_KEYS: options.encryptionKeys,
    ...(options.kmsKeyArn === undefined ? {} : { ...awsVariables(), KEYFERRY_KMS_KEY_ARN: options.kmsKeyArn }),
    ...defined({ KEYFERRY_ORG: options.org }),
  });
  const stores = await openCurrentStores(config, async () =>
    (await import('./aws-settings.ts')).openDataKeyService(config),
  );
  const as = (actor: { readonly org?: string; readonly actor?: string }) =>
    createClient(
      stores,
      {
        orgId: actor.org ?? config.org,
        ...defined({ name: actor.actor }),
        via: options.actsFor === 'operator' ? 'operator' : 'library',
      },
      { audit: { log: stores.audit, via: 'library' } },
    );
  return { ...as(options), as, close: stores.close };
}

/** What the SDK would read itself: the application's other settings are none of keyferry's. */
function awsVariables(): Environment {
  const own = Object.entries(processEnvironment());
  return Object.fromEntries(own.filter(([name]) => /^(AWS_.*|HOME|(HTTPS|ALL|NO)_PROXY)$/i.test(name)));
}

export type { Client } from './client/types/client.ts';
export type {
  Connection,
  ConnectionsClient,
  CreateConnection,
  CreatedConnection,
  NewConnectionCredentials,
  UpdateConnection,
  UpdateConnectionOptions,
  ValidatedConnection,
} from './client/types/connection.ts';
export type { FolderPath, SecretsClient, SetSecrets } from './client/types/folder.ts';
export type { AuditRecord, HistoryClient, RunQuery } from './client/types/history.ts';
export type {
  CreatedRotation,
  CreateRotation,
  Rotation,
  RotationsClient,
  RunRotation,
  SecretsMapping,
  TimeOfDay,
  UpdateRotation,
} from './client/types/rotation.ts';
export type { ListedRun, RunRecord, RunsClient, WaitOptions } from './client/types/run.ts';
export type {
  FolderSource,
  HttpSource,
  InfisicalSource,
  PullSource,
  SetSource,
  SourcesClient,
  WaitForPull,
} from './client/types/source.ts';
export type { Subject, UpdateOptions } from './client/types/subject.ts';
export type { NewSyncOptions, StoredSyncOptions, SyncTag, UpdateSyncOptions } from './client/types/sync-options.ts';
export type {
  CancelledSync,
  CreateSync,
  RunSync,
  Sync,
  SyncRequestKind,
  SyncsClient,
  UpdateSync,
} from './client/types/sync.ts';
export type {
  CreatedWebhook,
  CreateWebhook,
  Webhook,
  WebhookDelivery,
  WebhooksClient,
} from './client/types/webhook.ts';
export type { ExternalIdException, StoredCandidate, Via } from './domain/connection/candidate.ts';
export type { Check } from './domain/connection/checks.ts';
export type { Dependent } from './domain/connection/dependent.ts';
export type {
  DestinationName,
  JsonSecretDestination,
  ParameterStoreDestination,
  SecretsManagerDestination,
  SyncDestination,
} from './domain/destinations/names.ts';
export type { FolderChange, ListedFolder, SecretName } from './domain/folders.ts';
export type { AdoptedKeyPair, KnownKey, RotationStep, RotationWish } from './domain/rotation/records.ts';
export type { RunCounts, RunKind, RunProgress, RunSlice, RunStatus } from './domain/run.ts';
export type { LeftBehind, SyncDeletion } from './domain/sync/deletion.ts';
export { generateEncryptionKey } from './config/encryption-key.ts';
export { JobError, type Disposition, type ErrorCode, type ErrorContext } from './errors.ts';
