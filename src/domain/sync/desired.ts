/**
 * What the destination should hold: the source's secrets through patterns, key schema and options,
 * with everything wrong that shows without a value. Pure.
 */
import { defined } from '../defined.ts';
import { isSelected } from '../patterns.ts';
import { pathOfSourceKey } from '../source-key.ts';
import type { SyncOptions } from './config.ts';
import type { EntrySettings, AwsLocation } from './ledger.ts';
import { findTagsProblem, invalid, type EntryProblem } from './rules.ts';
import { documentKeyOf, remoteNameOf, type Target } from './target.ts';

/** A secret of the source, without its value. `key`: the source key. */
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
  const selected = input.secrets.filter(({ key }) => isSelected(input.options, key));
  return withoutClashes(selected.map((secret) => toEntry(secret, input)));
}

function toEntry(secret: SourceSecret, input: DesiredInput): DesiredEntry {
  const remoteName = remoteNameOf(input.target, secret.key);
  const settings = settingsOfEntry(secret, input);
  const problem = input.target.kind.findNameProblem(remoteName, input.place) ?? findTagsProblem(settings.tags);
  const { key, revision } = secret;
  const documentKey = documentKeyOf(input.target, key);
  return { key, remoteName, documentKey, revision, settings, ...defined({ problem }) };
}

/**
 * Secrets of several folders may get one name: none of them is written, since each would overwrite
 * the other.
 */
function withoutClashes(entries: readonly DesiredEntry[]): readonly DesiredEntry[] {
  const byName = new Map<string, DesiredEntry[]>();
  for (const entry of entries) byName.set(nameOf(entry), [...(byName.get(nameOf(entry)) ?? []), entry]);
  return entries.map((entry) => {
    const other = byName.get(nameOf(entry))?.find((one) => one !== entry);
    return other === undefined || entry.problem ? entry : { ...entry, problem: clash(other.key) };
  });
}

const nameOf = ({ remoteName, documentKey }: DesiredEntry): string => `${remoteName}\n${documentKey}`;

function clash(other: string): EntryProblem {
  return invalid(
    `${pathOfSourceKey(other)} gets the same name. Add {{path}} to the key schema, rename one of the two, or exclude one.`,
  );
}

/** Of a key inside a JSON secret: key, tags and regions belong to the secret as a whole. */
const noSettings: EntrySettings = { keyId: null, tags: {} };

/** A member of an object that holds all keys has no settings of its own. */
export function settingsOfEntry(
  secret: Pick<SourceSecret, 'metadata'>,
  input: Pick<DesiredInput, 'target' | 'options'>,
): EntrySettings {
  return input.target.kind.holdsAllKeys ? noSettings : settingsFor(secret, input);
}

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
    ...(hasReplicas && hasAny(options.replicaKeys) ? { replicaKeys: options.replicaKeys } : {}),
  };
}

function hasAny(values: Readonly<Record<string, string>> | undefined): values is Readonly<Record<string, string>> {
  return Object.keys(values ?? {}).length > 0;
}
