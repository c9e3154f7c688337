/** Folders as people see them: names, counts and revisions, never values. Pure data. */
export interface ListedFolder {
  readonly id: string;
  readonly projectId: string;
  readonly environment: string;
  readonly secretPath: string;
  /** Grows with every change. */
  readonly revision: number;
  /** How many it holds. */
  readonly secrets: number;
  /** That read it, recursive ones of the folders above among them. */
  readonly syncs: number;
  readonly updatedAt: Date;
}

export interface SecretName {
  readonly key: string;
  /** The folder's revision that wrote it. */
  readonly revision: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Id of the rotation that alone may write it; null: anybody may. */
  readonly managedBy: string | null;
  readonly updatedAt: Date;
}

/** What a change of a folder did. */
export interface FolderChange {
  readonly folderId: string;
  /** The folder's revision afterwards. */
  readonly revision: number;
  /** Secrets that were written. */
  readonly set: number;
  readonly removed: number;
  /** Syncs that became due. */
  readonly dueSyncs: number;
  /** Of a pull: keys that a rotation manages. */
  readonly skippedKeys?: readonly string[];
}
