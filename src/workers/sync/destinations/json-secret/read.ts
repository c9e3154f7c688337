/** The members of a JSON secret: their names for a plan, their values for an import. */
import type { SecretsManager } from '../../../../aws/secrets-manager.ts';
import { memberValue, parseDocument } from '../../../../domain/sync/document.ts';
import type { Inventory } from '../../../../domain/sync/inventory.ts';
import { sourceKeyOf } from '../../../../domain/sync/target.ts';
import { isStorable } from '../../../../domain/text.ts';
import type { SyncJob } from '../../job.ts';
import type { Found } from '../destination.ts';
import { isOthers, toOthers } from '../secrets-manager/read.ts';

export async function lookInside(
  job: SyncJob,
  secrets: SecretsManager,
  inventory: Inventory,
): Promise<ReadonlySet<string> | undefined> {
  const name = job.target.namePrefix;
  if (inventory.get(name)?.exists !== true) return undefined;
  const value = await secrets.value(name);
  const document = value?.text === undefined ? undefined : parseDocument(value.text);
  return document && new Set(document.keys());
}

export async function readDocument(job: SyncJob, secrets: SecretsManager): Promise<readonly Found[]> {
  const remoteName = job.target.namePrefix;
  const there = await secrets.describe(remoteName);
  if (there && isOthers(job, there)) return [toOthers(remoteName, there)];
  const value = await secrets.value(remoteName);
  if (!value) return [];
  const document = value.text === undefined ? undefined : parseDocument(value.text);
  if (!document) return [{ key: remoteName, remoteName, value: undefined, version: value.version }];
  return [...document.keys()].flatMap((name) => {
    const key = sourceKeyOf(job.target, name);
    if (key === undefined) return [];
    return [
      { key, remoteName, value: isStorable(name) ? memberValue(document, name) : undefined, version: value.version },
    ];
  });
}
