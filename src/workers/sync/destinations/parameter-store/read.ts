/** All parameters under the names of a sync, with their values. */
import type { ParameterStore } from '../../../../aws/parameter-store.ts';
import { commonPrefixOf, sourceKeyOf } from '../../../../domain/sync/target.ts';
import type { SyncJob } from '../../job.ts';
import type { Found } from '../destination.ts';

export async function readParameters(job: Pick<SyncJob, 'target'>, store: ParameterStore): Promise<readonly Found[]> {
  const start = commonPrefixOf(job.target);
  const path = start.slice(0, start.lastIndexOf('/')) || '/';
  const found: Found[] = [];
  for await (const page of store.readPath(path, { isRecursive: job.target.schemas.size > 1 })) {
    for (const [remoteName, { value, version }] of page) {
      const key = sourceKeyOf(job.target, remoteName);
      if (key !== undefined) found.push({ key, remoteName, value, version });
    }
  }
  return found;
}
