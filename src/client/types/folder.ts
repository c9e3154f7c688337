/**
 * `client.secrets`: folders of secrets, the source of every sync. Values go in; only names come
 * out.
 */
import type { FolderChange, SecretName } from '../../domain/folders.ts';

/** Where secrets are. */
export interface FolderPath {
  /** 1 to 128 letters, digits or `. _ -`. */
  readonly projectId: string;
  /** 1 to 128 letters, digits or `. _ -`. */
  readonly environment: string;
  /** Starts with `/`; at most 512 characters. */
  readonly secretPath: string;
}

/** A change of a folder. */
export interface SetSecrets {
  /** Key to value; null removes the key. */
  readonly values: Readonly<Record<string, string | null>>;
  /** Key to metadata, which syncs may write as tags. A key without a value here keeps its value. */
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /**
   * `merge` (default) leaves other keys alone; `replace` removes them, except those that a rotation
   * manages.
   */
  readonly mode?: 'merge' | 'replace';
  /**
   * Refuses the change with PAYLOAD_STALE unless the folder still has this revision (or one of
   * these).
   */
  readonly ifRevision?: number | readonly number[];
}

/** Throws PAYLOAD_INVALID for a place or a key that no folder takes. */
export interface SecretsClient {
  /**
   * One new revision of the folder, which is made if need be; its syncs become due. Throws
   * SECRET_MANAGED for keys of a rotation, and PAYLOAD_STALE; with `ifRevision` also
   * SECRET_FOLDER_NOT_FOUND.
   */
  set(place: FolderPath, input: SetSecrets): Promise<FolderChange>;
  /** Grows with every change of the folder. Throws SECRET_FOLDER_NOT_FOUND. */
  revision(place: FolderPath): Promise<number>;
  /** Names and revisions, never values. Throws SECRET_FOLDER_NOT_FOUND. */
  list(place: FolderPath): Promise<readonly SecretName[]>;
  /**
   * Removes keys; a key that is not there is an error that names it. Throws
   * SECRET_FOLDER_NOT_FOUND, SECRET_MANAGED.
   */
  unset(place: FolderPath, keys: readonly string[]): Promise<FolderChange>;
}
