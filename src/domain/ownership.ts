/**
 * Whose an object at AWS is, by its ownership tag. Pure.
 *
 *   keyferry:sync = <installation id>/<sync id>   written today
 *   keyferry:sync = <sync id>                     earlier versions; replaced by the next tag write
 */
export const OWNERSHIP_TAG = 'keyferry:sync';

/** A sync of one installation. */
export interface Owner {
  readonly installationId: string;
  readonly syncId: string;
}

export type Whose = 'ours' | 'ours-old-form' | 'other-sync' | 'other-installation' | 'none';

type Tags = Readonly<Record<string, string>>;

export function ownershipTag({ installationId, syncId }: Owner): string {
  return `${installationId}/${syncId}`;
}

/** Every value that marks an object as this owner's, for searches by tag. */
export function ownershipTags(owner: Owner): readonly string[] {
  return [ownershipTag(owner), owner.syncId];
}

/** `value` is that of OWNERSHIP_TAG; undefined when the object does not carry it. */
export function whoseTag(value: string | undefined, owner: Owner): Whose {
  if (value === undefined) return 'none';
  if (value === ownershipTag(owner)) return 'ours';
  if (value === owner.syncId) return 'ours-old-form';
  const { installationId } = parseOwnershipTag(value);
  return installationId === undefined || installationId === owner.installationId ? 'other-sync' : 'other-installation';
}

export function whoseTags(tags: Tags, owner: Owner): Whose {
  return whoseTag(tags[OWNERSHIP_TAG], owner);
}

export function isOurs(whose: Whose): boolean {
  return whose === 'ours' || whose === 'ours-old-form';
}

/** Without an installation: the old form, or a value that keyferry never wrote. */
export function parseOwnershipTag(value: string): { readonly installationId?: string; readonly syncId: string } {
  const slash = value.indexOf('/');
  return slash < 0 ? { syncId: value } : { installationId: value.slice(0, slash), syncId: value.slice(slash + 1) };
}

/** All tags of an object that this owner creates or takes over. */
export function tagsWithOwner(tags: Tags, owner: Owner): Tags {
  return { ...tags, [OWNERSHIP_TAG]: ownershipTag(owner) };
}

/**
 * The tags to write so that an object with the tags `found` carries `wanted` and the ownership tag.
 * The old form alone is not worth a call: the next tag write replaces it.
 */
export function missingTags(wanted: Tags, found: Tags, owner: Owner): Tags {
  const missing = Object.entries(wanted).filter(([key, value]) => found[key] !== value);
  const isMarked = isOurs(whoseTags(found, owner));
  return missing.length === 0 && isMarked ? {} : tagsWithOwner(Object.fromEntries(missing), owner);
}
