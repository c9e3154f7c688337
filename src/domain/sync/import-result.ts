/** What an import did with what it found. Pure. */
export interface ImportResult {
  /** Keys written into the folder. */
  readonly imported: readonly string[];
  /** Keys whose value in the folder was kept. */
  readonly kept: readonly string[];
  /** Keys that a rotation manages: nobody else writes them. */
  readonly managed: readonly string[];
  /** Names that hold nothing to import: empty, binary or no JSON object. */
  readonly unreadable: readonly string[];
  /** Keys that a folder does not take, as `secrets set` would refuse them. */
  readonly refused: readonly string[];
  /**
   * Names that another sync or installation, an AWS service or a rotation writes: their values are
   * never imported.
   */
  readonly others: readonly string[];
}

/** As many names of each list as a run remembers from slice to slice. */
const MAX_NAMES = 200;

export function shortenImport(result: ImportResult): ImportResult {
  const { imported, kept, managed, unreadable, refused, others } = result;
  return {
    imported: firstOf(imported),
    kept: firstOf(kept),
    managed: firstOf(managed),
    unreadable: firstOf(unreadable),
    refused: firstOf(refused),
    others: firstOf(others),
  };
}

function firstOf(names: readonly string[]): readonly string[] {
  const more = names.length - MAX_NAMES;
  return more <= 0 ? names : [...names.slice(0, MAX_NAMES), `and ${String(more)} more`];
}
