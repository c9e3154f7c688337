/**
 * What a run writes into the folders that its sync reads: an import, or what a person accepts after
 * a restore.
 */
import type { SecretChange } from '../../db/folder-changes.ts';
import type { ImportingRun } from '../../db/sync/initial-import.ts';
import { parseSourceKey } from '../../domain/source-key.ts';
import type { SyncJob } from './job.ts';

/**
 * Merges the changes, named by source key, each into its folder. `importer`: the first run's own
 * import, recorded with the change of the sync's own folder, which comes last: what a crash leaves
 * undone is imported again. Returns the folders' revisions by their paths.
 */
export async function writeBack(
  job: Pick<SyncJob, 'deps' | 'folder'>,
  changes: readonly SecretChange[],
  importer?: ImportingRun,
): Promise<ReadonlyMap<string, number>> {
  const { folders } = job.deps;
  const grouped = groupByFolder(changes);
  const own = grouped.get('') ?? (importer ? [] : undefined);
  grouped.delete('');
  const byFolder = own === undefined ? grouped : grouped.set('', own);
  const revisions = new Map<string, number>();
  for (const [below, group] of byFolder) {
    const part = job.folder.parts.get(below);
    if (part === undefined) continue;
    const folder = await folders.get(part.id);
    const isLast = importer !== undefined && below === '';
    const change = isLast
      ? await folders.importInto(folder, group, importer)
      : await folders.change(folder, group, 'merge');
    revisions.set(below, change.revision);
  }
  return revisions;
}

function groupByFolder(changes: readonly SecretChange[]): Map<string, SecretChange[]> {
  const groups = new Map<string, SecretChange[]>();
  for (const change of changes) {
    const { below, key } = parseSourceKey(change.key);
    groups.set(below, [...(groups.get(below) ?? []), { ...change, key }]);
  }
  return groups;
}
