/**
 * Tags, replicas and KMS key of a secret, for both kinds that write to Secrets Manager. None of these
 * changes makes a version, and making one twice does no harm.
 */
import type { SecretMetadata, SecretsManager } from '../../../../aws/secrets-manager.ts';
import { missingTags } from '../../../../domain/ownership.ts';
import { isSameKey } from '../../../../domain/sync/inventory.ts';
import type { EntrySettings } from '../../../../domain/sync/ledger.ts';
import type { SyncJob } from '../../job.ts';

interface ChangeContext {
  readonly job: Pick<SyncJob, 'owner'>;
  readonly secrets: SecretsManager;
}

interface SettingsChange {
  /** Of the secret. */
  readonly name: string;
  /** As the ledger knows them. */
  readonly before: EntrySettings;
  readonly wanted: EntrySettings;
  /** The secret as it is at AWS now. */
  readonly found: SecretMetadata;
}

export async function changeTags(
  { job, secrets }: ChangeContext,
  { name, before, wanted, found }: SettingsChange,
): Promise<void> {
  const added = missingTags(wanted.tags, found.tags, job.owner);
  // Only what we had set ourselves is ever taken away.
  const dropped = Object.keys(before.tags).filter((key) => !(key in wanted.tags) && key in found.tags);
  if (Object.keys(added).length > 0) await secrets.addTags(name, added);
  if (dropped.length > 0) await secrets.removeTags(name, dropped);
}

/** What is missing or failed is replicated again; only replicas of our own are taken away. */
export async function changeReplicas(
  { secrets }: Pick<ChangeContext, 'secrets'>,
  { name, before, wanted, found: { replicas = {} } }: SettingsChange,
): Promise<void> {
  const [old, regions] = [before.replicaRegions ?? [], wanted.replicaRegions ?? []];
  const added = regions.filter((region) => replicas[region] === undefined || replicas[region].status === 'Failed');
  const dropped = old.filter((region) => !regions.includes(region) && replicas[region] !== undefined);
  if (added.length > 0) await secrets.replicate(name, added);
  if (dropped.length > 0) await secrets.unreplicate(name, dropped);
}

export async function changeKey(
  { secrets }: Pick<ChangeContext, 'secrets'>,
  { name, wanted, found }: SettingsChange,
): Promise<void> {
  const { keyId } = wanted;
  if (!isSameKey(keyId, found.keyId)) await secrets.update({ name, token: crypto.randomUUID(), keyId });
}
