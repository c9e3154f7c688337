/**
 * Tags, replicas and KMS key of a secret, for both kinds that write to Secrets Manager. None of
 * these changes makes a version, and making one twice does no harm.
 */
import type { SecretMetadata, SecretsManager } from '../../../../aws/secrets-manager.ts';
import { missingTags } from '../../../../domain/ownership.ts';
import { isSameKey } from '../../../../domain/sync/kms-keys.ts';
import type { EntrySettings, LedgerEntry } from '../../../../domain/sync/ledger.ts';
import { begunReplicas, changedReplicas, planReplicas } from '../../../../domain/sync/replicas.ts';
import { toJobError } from '../../../../errors.ts';
import type { Journal, SyncJob } from '../../job.ts';
import { settleFailure, type WriteResult } from '../journal.ts';

interface ChangeContext {
  readonly job: Pick<SyncJob, 'owner' | 'ledger'>;
  readonly secrets: SecretsManager;
}

interface SettingsChange {
  /** Of the secret. */
  readonly name: string;
  /** As the ledger knows it. */
  readonly entry: LedgerEntry;
  readonly wanted: EntrySettings;
  /** The secret as it is at AWS now. */
  readonly found: SecretMetadata;
}

export async function changeTags(
  { job, secrets }: ChangeContext,
  { name, entry, wanted, found }: SettingsChange,
): Promise<void> {
  const added = missingTags(wanted.tags, found.tags, job.owner);
  // Only what we had set ourselves is ever taken away.
  const dropped = Object.keys(entry.settings.tags).filter((key) => !(key in wanted.tags) && key in found.tags);
  if (Object.keys(added).length > 0) await secrets.addTags(name, added);
  if (dropped.length > 0) await secrets.removeTags(name, dropped);
}

/**
 * What is missing or failed is replicated again. A replica with another key is removed first:
 * interrupted in between, it is missing, and the next run makes it. Returns the row with the
 * replicas that are ours now, for the caller to store.
 */
export async function changeReplicas(
  { job, secrets }: ChangeContext,
  { name, entry, wanted, found: { replicas = {} } }: SettingsChange,
): Promise<LedgerEntry> {
  const changes = planReplicas(entry, wanted, replicas);
  const { replaced, made, dropped } = changes;
  if (made.length > 0) await job.ledger.store(begunReplicas(job.ledger.get(entry.id) ?? entry, changes));
  if (replaced.length > 0) await secrets.unreplicate(name, replaced);
  if (made.length > 0) await secrets.replicate(name, made);
  if (dropped.length > 0) await secrets.unreplicate(name, dropped);
  return changedReplicas(entry, changes, wanted);
}

export async function changeKey(
  { secrets }: Pick<ChangeContext, 'secrets'>,
  { name, wanted, found }: SettingsChange,
): Promise<void> {
  const { keyId } = wanted;
  if (!isSameKey(keyId, found.keyId)) await secrets.update({ name, token: crypto.randomUUID(), keyId });
}

/**
 * A deleted sync of this folder had scheduled it for deletion. Returns the failure, which is
 * stored, if there is one.
 */
export async function restoreLeft(
  { job, secrets }: { readonly job: Journal; readonly secrets: SecretsManager },
  { name, entry }: Pick<SettingsChange, 'name' | 'entry'>,
): Promise<WriteResult | undefined> {
  try {
    await secrets.restore(name);
    return undefined;
  } catch (raw) {
    return settleFailure(job, { before: entry, pending: { ...entry, inFlight: null } }, toJobError(raw));
  }
}
