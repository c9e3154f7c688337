/**
 * The client: everything that an application can do in one org. The interfaces know nothing of
 * PostgreSQL.
 */
import type { ConnectionsClient } from './connection.ts';
import type { SecretsClient } from './folder.ts';
import type { HistoryClient } from './history.ts';
import type { RotationsClient } from './rotation.ts';
import type { RunsClient } from './run.ts';
import type { SourcesClient } from './source.ts';
import type { SyncsClient } from './sync.ts';
import type { WebhooksClient } from './webhook.ts';

/**
 * Acts for one org. It only writes what is wanted; workers do the rest. Every error is a
 * `JobError`: PAYLOAD_INVALID names the fields that are wrong; DB_UNAVAILABLE and DB_CONTENDED
 * may be tried again.
 */
export interface Client {
  /** The org that it acts for. */
  readonly orgId: string;
  /** How keyferry reaches AWS accounts. */
  readonly connections: ConnectionsClient;
  /** Folders of secrets, the source of every sync. */
  readonly secrets: SecretsClient;
  /** Where the secrets of folders come from. */
  readonly sources: SourcesClient;
  /** What keeps AWS equal to a folder. */
  readonly syncs: SyncsClient;
  /** Access keys of IAM users, replaced on a schedule. */
  readonly rotations: RotationsClient;
  /** Who is notified when secrets change. */
  readonly webhooks: WebhooksClient;
  /** What was done in the org. */
  readonly history: HistoryClient;
  /** Single runs, and waiting for them. */
  readonly runs: RunsClient;
}
