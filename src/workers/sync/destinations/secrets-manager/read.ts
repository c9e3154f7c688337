/** All secrets under the names of a sync, with their values. */
import type { SecretMetadata, SecretsManager } from '../../../../aws/secrets-manager.ts';
import { chunk } from '../../../../concurrency/pool.ts';
import { SECRETS_PER_READ } from '../../../../domain/destinations/secrets-manager.ts';
import { whoseTags } from '../../../../domain/ownership.ts';
import { commonPrefixOf, sourceKeyOf } from '../../../../domain/sync/target.ts';
import type { SyncJob } from '../../job.ts';
import type { Found } from '../destination.ts';

export async function readSecrets(
  job: Pick<SyncJob, 'target' | 'owner'>,
  secrets: SecretsManager,
): Promise<readonly Found[]> {
  const keys = new Map<string, string>();
  const found: Found[] = [];
  for await (const page of secrets.list({ prefix: commonPrefixOf(job.target) })) {
    for (const one of page) {
      const key = one.deletionScheduledAt ? undefined : sourceKeyOf(job.target, one.name);
      if (key !== undefined && isOthers(job, one)) found.push(toOthers(key, one));
      else if (key !== undefined) keys.set(one.name, key);
    }
  }
  for (const names of chunk([...keys.keys()], SECRETS_PER_READ)) {
    const values = await secrets.values(names);
    for (const name of names) {
      const value = values.get(name);
      found.push({ key: keys.get(name) ?? name, remoteName: name, value: value?.text, version: value?.version ?? '' });
    }
  }
  return found;
}

/** Their values belong into another folder, or change by themselves. */
export function isOthers(job: Pick<SyncJob, 'owner'>, { tags, managedBy }: SecretMetadata): boolean {
  const whose = whoseTags(tags, job.owner);
  return managedBy !== undefined || whose === 'other-sync' || whose === 'other-installation';
}

export function toOthers(key: string, { name, version }: SecretMetadata): Found {
  return { key, remoteName: name, value: undefined, version, isOthers: true };
}
