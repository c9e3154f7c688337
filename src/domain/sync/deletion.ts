/** How a sync is deleted, and what it leaves behind. Pure data. */

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

/** The objects of rows, each once: a JSON secret has a row for each of its keys. */
export function objectsOf(rows: readonly LeftBehind[]): readonly LeftBehind[] {
  const objects = rows.map(({ remoteName, region, accountId }) => ({ remoteName, region, accountId }));
  const byName = new Map(objects.map((one) => [`${one.accountId} ${one.region} ${one.remoteName}`, one]));
  return [...byName.values()];
}
