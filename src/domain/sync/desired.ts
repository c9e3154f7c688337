/** What the destination should hold: the folder's secrets through key schema and options, with everything wrong that shows without a value. Pure. */
import type { SyncOptions } from './config.ts';
import type { EntrySettings, AwsLocation } from './ledger.ts';
import { findTagsProblem, type EntryProblem } from './rules.ts';
import { documentKeyOf, remoteNameOf, type Target } from './target.ts';

/** A secret of the source, without its value. */
export interface SourceSecret {
  readonly key: string;
  readonly revision: number;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface DesiredEntry {
  readonly key: string;
  readonly remoteName: string;
  /** The key inside a JSON secret; for other kinds the key itself. */
  readonly documentKey: string;
  readonly revision: number;
  readonly settings: EntrySettings;
  readonly problem?: EntryProblem;
  /** Known once the value was read. */
  readonly fingerprint?: string;
}

export interface DesiredInput {
  readonly secrets: readonly SourceSecret[];
  readonly target: Target;
  readonly options: SyncOptions;
  readonly place: AwsLocation;
}

export function toDesired(input: DesiredInput): readonly DesiredEntry[] {
  return input.secrets.map((secret) => {
    const remoteName = remoteNameOf(input.target, secret.key);
    const settings = input.target.kind.holdsAllKeys ? noSettings : settingsFor(secret, input);
    const problem = input.target.kind.findNameProblem(remoteName, input.place) ?? findTagsProblem(settings.tags);
    const { key, revision } = secret;
    const documentKey = documentKeyOf(input.target, key);
    return { key, remoteName, documentKey, revision, settings, ...(problem ? { problem } : {}) };
  });
}

/** Of a key inside a JSON secret: key, tags and regions belong to the secret as a whole. */
const noSettings: EntrySettings = { keyId: null, tags: {} };

/** The settings of the remote object that holds this secret. */
export function settingsFor(
  secret: Pick<SourceSecret, 'metadata'>,
  input: Pick<DesiredInput, 'target' | 'options'>,
): EntrySettings {
  const { options, target } = input;
  const { hasTier, hasReplicas, hasMetadataTags } = target.kind.settings;
  const hasMetadata = options.syncSecretMetadataAsTags && hasMetadataTags;
  const configured = Object.fromEntries((options.tags ?? []).map((tag) => [tag.key, tag.value]));
  return {
    keyId: options.keyId ?? null,
    ...(hasTier ? { tier: options.tier } : {}),
    // A configured tag wins over metadata of the same key.
    tags: { ...(hasMetadata ? secret.metadata : {}), ...configured },
    ...(hasReplicas && options.replicaRegions ? { replicaRegions: options.replicaRegions } : {}),
  };
}
