/** How a sync is deleted, and what that leaves. Pure data. */

/** An object that stays at AWS without an owner. */
export interface LeftBehind {
  readonly remoteName: string;
  readonly region: string;
  /** 12 digits. */
  readonly accountId: string;
}

export interface SyncDeletion {
  /** Leave what the sync owns at AWS. */
  readonly abandon: boolean;
}
