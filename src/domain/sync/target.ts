/** Where a sync writes: names at the destination for keys of the source, and the way back. Pure. */
import { type AnyKind, type DestinationOfSync, kindOf } from '../destinations/registry.ts';
import { findKey, type KeySchema, parseKeySchema, renderKey } from '../key-schema.ts';
import type { SyncOptions } from './config.ts';
import type { EntrySettings } from './ledger.ts';
import { invalid, type EntryProblem } from './rules.ts';

export interface Target {
  readonly kind: AnyKind;
  readonly region: string;
  /** What every remote name begins with; of a kind that holds all keys in one object, its whole name. */
  readonly namePrefix: string;
  readonly schema: KeySchema;
}

export interface TargetSource extends DestinationOfSync {
  readonly syncOptions: Pick<SyncOptions, 'keySchema'>;
}

export function toTarget(sync: TargetSource, environment: string): Target {
  const kind = kindOf(sync);
  const { destinationConfig: config } = sync;
  const schema = parseKeySchema(sync.syncOptions.keySchema, environment);
  return { kind, region: config.region, namePrefix: kind.namePrefix(config), schema };
}

/** What two targets of one account, region and service must not share: they would write the same names. */
export function nameTemplateOf({ kind, namePrefix, schema }: Target): string {
  return kind.holdsAllKeys ? namePrefix : `${namePrefix}${schema.prefix}{{secretKey}}${schema.suffix}`;
}

/** The remote object that holds this key's value. */
export function remoteNameOf(target: Target, key: string): string {
  return target.kind.holdsAllKeys ? target.namePrefix : target.namePrefix + renderKey(target.schema, key);
}

/** The key inside a JSON secret. */
export function documentKeyOf(target: Target, key: string): string {
  return renderKey(target.schema, key);
}

/** The source key that an existing remote name (or key of a JSON secret) stands for, or undefined when it is not of this target. */
export function sourceKeyOf({ kind, namePrefix, schema }: Target, name: string): string | undefined {
  if (kind.holdsAllKeys) return findKey(schema, name);
  return name.startsWith(namePrefix) ? findKey(schema, name.slice(namePrefix.length)) : undefined;
}

/** What to call a name that stands for no source key of this target: the key that it has under another path, else its last part. */
export function labelOf({ schema }: Target, name: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1);
  return findKey(schema, last) ?? last;
}

/** Whether this sync would write an object of this name. */
export function isNameOf({ kind, namePrefix }: Target, remoteName: string): boolean {
  return kind.holdsAllKeys ? remoteName === namePrefix : remoteName.startsWith(namePrefix);
}

export function findValueProblem(value: string, { kind }: Target, settings: EntrySettings): EntryProblem | undefined {
  // A member of a JSON secret may be empty.
  if (value === '' && !kind.holdsAllKeys)
    return invalid('The value is empty; AWS stores no empty values. Set a value or remove the secret.');
  return kind.findValueProblem(value, settings);
}
