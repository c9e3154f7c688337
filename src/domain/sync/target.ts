/** Where a sync writes: names at the destination for keys of the source, and the way back. Pure. */
import { type AnyKind, type DestinationOfSync, kindOf } from '../destinations/registry.ts';
import { findKey, type KeySchema, renderKey, schemaBelow, type SchemaFolder } from '../key-schema.ts';
import { parseSourceKey, toSourceKey } from '../source-key.ts';
import type { SyncOptions } from './config.ts';
import type { EntrySettings } from './ledger.ts';
import { invalid, type EntryProblem } from './rules.ts';

export interface Target {
  readonly kind: AnyKind;
  readonly region: string;
  /**
   * What every remote name begins with; of a kind that holds all keys in one object, its whole
   * name.
   */
  readonly namePrefix: string;
  /**
   * Of each folder that is read, by its path below the sync's; the sync's own is the empty path.
   */
  readonly schemas: ReadonlyMap<string, KeySchema>;
  schemaOf(below: string): KeySchema;
}

export interface TargetSource extends DestinationOfSync {
  readonly syncOptions: Pick<SyncOptions, 'keySchema'>;
}

/** `below`: the folders that a recursive sync reads, besides its own. */
export function toTarget(sync: TargetSource, folder: SchemaFolder, below: readonly string[] = []): Target {
  const kind = kindOf(sync);
  const { destinationConfig: config } = sync;
  const schemaOf = (path: string) => schemaBelow(sync.syncOptions.keySchema, folder, path);
  const schemas = new Map(['', ...below].map((path) => [path, schemaOf(path)]));
  return {
    kind,
    region: config.region,
    namePrefix: kind.namePrefix(config),
    schemas,
    // A folder may be newer than the list.
    schemaOf: (path) => schemas.get(path) ?? schemaOf(path),
  };
}

/**
 * What two targets of one account, region and service must not share: they would write the same
 * names.
 */
export function nameTemplateOf({ kind, namePrefix, schemaOf }: Target): string {
  return kind.holdsAllKeys ? namePrefix : `${namePrefix}${renderKey(schemaOf(''), '{{secretKey}}')}`;
}

/** The remote object that holds this key's value. */
export function remoteNameOf(target: Target, key: string): string {
  return target.kind.holdsAllKeys ? target.namePrefix : target.namePrefix + documentKeyOf(target, key);
}

/** The key inside a JSON secret. */
export function documentKeyOf({ schemaOf }: Target, sourceKey: string): string {
  const { below, key } = parseSourceKey(sourceKey);
  return renderKey(schemaOf(below), key);
}

/**
 * The source key that an existing remote name (or key of a JSON secret) stands for, or undefined
 * when it is not of this target or could be of two folders.
 */
export function sourceKeyOf({ kind, namePrefix, schemas }: Target, name: string): string | undefined {
  if (!kind.holdsAllKeys && !name.startsWith(namePrefix)) return undefined;
  const rest = kind.holdsAllKeys ? name : name.slice(namePrefix.length);
  const found = [...schemas].flatMap(([below, schema]) => {
    const key = findKey(schema, rest);
    return key === undefined ? [] : [toSourceKey({ below, key })];
  });
  return found.length === 1 ? found[0] : undefined;
}

/** What every name under this target begins with. */
export function commonPrefixOf({ namePrefix, schemas }: Target): string {
  const [first = '', ...others] = [...schemas.values()].map((schema) => schema.prefix);
  return namePrefix + others.reduce(sharedBeginning, first);
}

function sharedBeginning(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}

/**
 * What to call a name that stands for no source key of this target: the key that it has under
 * another path, else its last part.
 */
export function labelOf({ schemaOf }: Target, name: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1);
  return findKey(schemaOf(''), last) ?? last;
}

/** Whether this sync would write an object of this name. */
export function isNameOf({ kind, namePrefix }: Target, remoteName: string): boolean {
  return kind.holdsAllKeys ? remoteName === namePrefix : remoteName.startsWith(namePrefix);
}

export function findValueProblem(value: string, { kind }: Target, settings: EntrySettings): EntryProblem | undefined {
  if (value === '' && !kind.takesEmptyValues)
    return invalid('The value is empty; AWS stores no empty values. Set a value or remove the secret.');
  return kind.findValueProblem(value, settings);
}
