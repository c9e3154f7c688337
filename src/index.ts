/**
 * The library: what an upstream application imports to create connections, set secrets, create syncs and rotations, request runs and read results.
 * It talks to PostgreSQL only; workers find the rest there. Importing it loads no server, board, sandbox or embedded database.
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
import { createClient, type Client } from './client/client.ts';
import { type Environment, loadConfig, processEnvironment } from './config/config.ts';
import { openCurrentStores } from './stores.ts';

export interface ConnectOptions {
  /** `postgres://user:password@host:5432/name`, migrated by `keyferry migrate`. */
  readonly databaseUrl: string;
  /** As KEYFERRY_ENCRYPTION_KEYS: `id:base64(32 bytes)`, comma-separated; the first encrypts. */
  readonly encryptionKeys: string;
  /**
   * As KEYFERRY_KMS_KEY_ARN: AWS KMS wraps the data keys. It is asked with the AWS SDK's default credentials of this process, under the `AWS_…` and proxy
   * variables of its environment.
   */
  readonly kmsKeyArn?: string;
  /** Everything the client sees and does belongs to this org; its id is the external ID of its roles. Default: `default`. */
  readonly org?: string;
  /** Who asks: in runs, and in the audit trail, which says `library` without it; at most 256 characters. */
  readonly actor?: string;
  /**
   * `tenant` (default) for an application that acts for its customers: external IDs cannot be chosen, and a role must insist on its own.
   * `operator` for whoever runs the installation.
   */
  readonly actsFor?: 'tenant' | 'operator';
}

export interface Keyferry extends Client {
  /** The same database as another org or actor. */
  as(actor: { readonly org?: string; readonly actor?: string }): Client;
  close(): Promise<void>;
}

/** Throws CONFIG_INVALID, DB_UNAVAILABLE, DB_NOT_MIGRATED, DB_TOO_NEW. */
export async function connect(options: ConnectOptions): Promise<Keyferry> {
  const config = loadConfig({
    DATABASE_URL: options.databaseUrl,
    KEYFERRY_ENCRYPTION_KEYS: options.encryptionKeys,
    ...(options.kmsKeyArn === undefined ? {} : { ...awsVariables(), KEYFERRY_KMS_KEY_ARN: options.kmsKeyArn }),
    ...(options.org === undefined ? {} : { KEYFERRY_ORG: options.org }),
  });
  const stores = await openCurrentStores(config, async () =>
    (await import('./aws-settings.ts')).openDataKeyService(config),
  );
  const as = (actor: { readonly org?: string; readonly actor?: string }) =>
    createClient(
      stores,
      {
        orgId: actor.org ?? config.org,
        ...(actor.actor === undefined ? {} : { name: actor.actor }),
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

export type { Client } from './client/client.ts';
export type { CreateConnection, UpdateConnection } from './client/connections.ts';
export type { CreateRotation, UpdateRotation } from './client/rotations.ts';
export type { FolderPath, SetSecrets } from './client/secrets.ts';
export type { FolderSource, PullSource, SetSource } from './client/sources.ts';
export type { CreateSync, RunSync, UpdateSync } from './client/syncs.ts';
export type { Connection, Rotation, RunRecord, Sync } from './client/views.ts';
export type { WaitOptions } from './client/waiting.ts';
export { JobError, type ErrorCode } from './errors.ts';
export { generateEncryptionKey } from './config/values.ts';
