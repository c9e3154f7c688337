/**
 * Rows as users see them: camelCase, without ciphertexts, leases and other machinery. A new column
 * is either machinery, named here, or documented in `types/`; until it is one of them, nothing
 * compiles.
 */
import type { ListedChange } from '../db/history.ts';
import type { LogicalRun } from '../db/logical-runs.ts';
import type { RunRow } from '../db/requests.ts';
import type { SourceRow } from '../db/sources.ts';
import type { SyncView } from '../db/sync/syncs.ts';
import type { ConnectionRow, RotationRow } from '../db/engine/subjects.ts';
import type { DeliveryRow, WebhookRow } from '../db/webhooks.ts';
import type { SameAs } from './same.ts';
import type { Connection } from './types/connection.ts';
import type { AuditRecord } from './types/history.ts';
import type { Rotation } from './types/rotation.ts';
import type { ListedRun, RunRecord } from './types/run.ts';
import type { FolderSource } from './types/source.ts';
import type { Sync } from './types/sync.ts';
import type { Webhook, WebhookDelivery } from './types/webhook.ts';

const machinery = [
  'runToken',
  'runLeaseUntil',
  'dispatchLeaseUntil',
  'dueReason',
  'dueRequestedBy',
  'dueTraceparent',
  'datedStatus',
  'cancelledRunId',
  'secretAccessKey',
  'candidateSecret',
] as const;

type Machinery = (typeof machinery)[number];

function withoutMachinery<T extends object>(row: T): Omit<T, Machinery> {
  const hidden: ReadonlySet<string> = new Set(machinery);
  return Object.fromEntries(Object.entries(row).filter(([name]) => !hidden.has(name))) as Omit<T, Machinery>;
}

export function toConnection(row: ConnectionRow): SameAs<Connection, Omit<ConnectionRow, Machinery>> {
  return withoutMachinery(row);
}

/** What a sync is shown with of the rows that it belongs to. */
interface SyncPlace {
  readonly connectionName: string;
  readonly environment: string;
  readonly secretPath: string;
}

/** `progress` is for the next run only. */
type ShownSync = Omit<SyncView['sync'], Machinery | 'progress'> & SyncPlace & { readonly progress: object | null };

export function toSync(view: SyncView): SameAs<Sync, ShownSync> {
  const { environment, secretPath } = view.folder;
  return { ...withoutMachinery(view.sync), connectionName: view.connectionName, environment, secretPath };
}

export function toRotation(row: RotationRow): SameAs<Rotation, Omit<RotationRow, Machinery | 'phaseState'>> {
  const { phaseState: _, ...view } = withoutMachinery(row);
  return view;
}

export function toRunRecord(row: RunRow): SameAs<RunRecord, RunRow> {
  return row;
}

export function toListedRun(run: LogicalRun): SameAs<ListedRun, LogicalRun> {
  return run;
}

export function toAuditRecord(row: ListedChange): SameAs<AuditRecord, ListedChange> {
  return row;
}

export function toFolderSource(row: SourceRow): SameAs<FolderSource, SourceRow> {
  return row;
}

export function toWebhook(row: WebhookRow): SameAs<Webhook, WebhookRow> {
  return row;
}

export function toDelivery(row: DeliveryRow): SameAs<WebhookDelivery, DeliveryRow> {
  return row;
}
