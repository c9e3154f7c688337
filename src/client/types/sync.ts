/** `client.syncs`: what keeps AWS equal to a folder. */
import type { DestinationName, SyncDestination } from '../../domain/destinations/names.ts';
import type { LeftBehind, SyncDeletion } from '../../domain/sync/deletion.ts';
import type { FolderPath } from './folder.ts';
import type { RunRecord, WaitOptions } from './run.ts';
import type { Subject, UpdateOptions } from './subject.ts';
import type { NewSyncOptions, StoredSyncOptions, UpdateSyncOptions } from './sync-options.ts';

/** A sync of one folder to one place at AWS. */
export interface Sync extends Subject {
  /** The connection that it writes with. */
  readonly connectionId: string;
  /** Name of that connection. */
  readonly connectionName: string;
  /** The folder that it reads. */
  readonly folderId: string;
  /** Environment of the folder. */
  readonly environment: string;
  /** Path of the folder. */
  readonly secretPath: string;
  /** The service at AWS that it writes to. */
  readonly destination: DestinationName;
  /** Where it writes there. */
  readonly destinationConfig: SyncDestination;
  /** How it writes. */
  readonly syncOptions: StoredSyncOptions;
  /** Changes of the folder make it due. */
  readonly isAutoSyncEnabled: boolean;
  /**
   * `blocked`: it waits until somebody removes the cause; `partial`: some secrets were left out.
   */
  readonly syncStatus: 'pending' | 'running' | 'succeeded' | 'partial' | 'failed' | 'blocked' | 'cancelled';
  /** Id of its last run; null before the first. */
  readonly lastRunId: string | null;
  /** When it last succeeded. */
  readonly lastSyncedAt: Date | null;
  /** When the first run imported what the destination held: that is never done again. */
  readonly initialImportAt: Date | null;
  /** The folder's revision at its last success. */
  readonly syncedRevision: number | null;
  /** The sync's own `version` at its last success. */
  readonly syncedVersion: number | null;
  /** Where the next slice continues, in a form that may change; null when nothing is begun. */
  readonly progress: object | null;
  /** What the last comparison with AWS found: objects that others changed, or none. */
  readonly drift: 'unknown' | 'none' | 'drifted';
  /** When it was last compared with AWS. */
  readonly lastCheckedAt: Date | null;
  /** When the schedule compares it next. */
  readonly nextReconcileAt: Date | null;
  /** Null: it is not paused. */
  readonly pausedAt: Date | null;
  /** When it last compared itself with AWS after a restore. */
  readonly comparedAt: Date | null;
}

/** A sync to be. */
export interface CreateSync {
  /** 1 to 256 letters, digits or `. _ -`; unique in the org's project. */
  readonly name: string;
  /** At most 256 characters. */
  readonly description?: string | null | undefined;
  /** Name or id. */
  readonly connection: string;
  /** The folder that it reads; it must be there. */
  readonly source: FolderPath;
  /** The service at AWS that it writes to. */
  readonly destination: DestinationName;
  /**
   * Where it writes there: a `SyncDestination` that fits `destination`. Checked when it is given:
   * PAYLOAD_INVALID names the field.
   */
  readonly destinationConfig: unknown;
  /** How it writes. */
  readonly syncOptions?: NewSyncOptions | undefined;
  /** Changes of the folder make it due. Default: true. */
  readonly isAutoSyncEnabled?: boolean | undefined;
  /** Created paused: `plan` previews the first write, `resume` makes it. Default: false. */
  readonly isPaused?: boolean | undefined;
}

/** What changes; a field that is left out stays as it is. */
export interface UpdateSync {
  /** 1 to 256 letters, digits or `. _ -`; unique in the org's project. */
  readonly name?: string | undefined;
  /** At most 256 characters; null removes it. */
  readonly description?: string | null | undefined;
  /** Name or id of another connection. */
  readonly connection?: string | undefined;
  /** Parts that are left out stay as they are. */
  readonly source?: { readonly [Part in keyof FolderPath]?: FolderPath[Part] | undefined } | undefined;
  /** A `SyncDestination` that fits the sync's `destination`, as a whole. */
  readonly destinationConfig?: unknown;
  /** Options that are left out stay as they are; null removes one. */
  readonly syncOptions?: UpdateSyncOptions | undefined;
  /** Changes of the folder make it due. */
  readonly isAutoSyncEnabled?: boolean | undefined;
}

/** Options of a sync run. */
export interface RunSync extends WaitOptions {
  /** Confirms that the present plan deletes exactly this many objects. */
  readonly confirmDeletions?: number;
  /** After a restore: the folder's values replace what keyferry wrote later than the backup. */
  readonly acceptSource?: boolean;
}

/** What may be asked of a sync. */
export type SyncRequestKind = 'sync' | 'plan' | 'check' | 'import' | 'remove';

/** What `cancel` answers. */
export interface CancelledSync {
  /** As it is now; a sync that is automatic is paused. */
  readonly sync: Sync;
  /** The run that stops soon; null when none was under way. */
  readonly runId: string | null;
}

/**
 * Throws SYNC_NOT_FOUND where an id or a name is given that the org does not have. Methods that
 * wait resolve with a run that failed, too: see its `status`. They throw QUEUE_TIMEOUT.
 */
export interface SyncsClient {
  /**
   * Throws CONNECTION_NOT_FOUND, SECRET_FOLDER_NOT_FOUND, SYNC_NAME_TAKEN, SYNC_TARGET_TAKEN,
   * PAYLOAD_INVALID.
   */
  create(input: CreateSync): Promise<Sync>;
  /** The sync of this id or name. */
  get(idOrName: string): Promise<Sync>;
  /** All syncs of the org. */
  list(): Promise<readonly Sync[]>;
  /**
   * Changes become due at once; objects under old names are deleted after the new ones are written.
   * Throws PAYLOAD_STALE and what `create` throws.
   */
  update(idOrName: string, input: UpdateSync, options?: UpdateOptions): Promise<Sync>;
  /** Records a wish and returns the request's id. */
  request(kind: SyncRequestKind, idOrName: string, parameters?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Syncs now and waits for the run. */
  run(idOrName: string, options?: RunSync): Promise<RunRecord>;
  /**
   * After a restore: takes what AWS holds into the folder, where keyferry wrote it later than the
   * backup.
   */
  acceptDestination(idOrName: string, options?: WaitOptions): Promise<RunRecord>;
  /** Never writes; the plan is the run's `result`. */
  plan(idOrName: string, options?: WaitOptions): Promise<RunRecord>;
  /** Checks for drift now. */
  check(idOrName: string, options?: WaitOptions): Promise<RunRecord>;
  /**
   * Imports what the destination holds into the folder; `behavior` decides where both have a value.
   */
  import(
    idOrName: string,
    behavior: 'prioritize-source' | 'prioritize-destination',
    options?: WaitOptions,
  ): Promise<RunRecord>;
  /** Deletes what this sync wrote. */
  remove(idOrName: string, options?: WaitOptions): Promise<RunRecord>;
  /** Nothing is written until `resume`. */
  pause(idOrName: string): Promise<Sync>;
  /** Ends the pause; what changed meanwhile is written. */
  resume(idOrName: string): Promise<Sync>;
  /**
   * Withdraws what was asked for, and stops the run before its next write; what is written stays.
   * An automatic sync is paused. The run in the answer stops soon: its status is then `cancelled`.
   * Throws SYNC_NOTHING_TO_CANCEL.
   */
  cancel(idOrName: string): Promise<CancelledSync>;
  /**
   * Deletes what this sync wrote, then the sync. It is gone when the run succeeded; otherwise it
   * stays, and the run says why.
   */
  deleteWithSecrets(idOrName: string, options?: WaitOptions): Promise<RunRecord>;
  /**
   * Deletes the sync. Throws SYNC_STILL_OWNED while it owns objects at AWS; with `abandon` they
   * stay there, and are returned.
   */
  delete(idOrName: string, deletion?: SyncDeletion): Promise<readonly LeftBehind[]>;
}
