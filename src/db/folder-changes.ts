/** What a change of a folder amounts to, compared with the secrets that it holds. */
import { JobError } from '../errors.ts';
import type { PullLease } from './pull-settlement.ts';
import type { ImportingRun } from './sync/initial-import.ts';

export type StoredSecret = {
  readonly key: string;
  readonly revision: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly managedBy: string | null;
} & ({ readonly value: string } | { readonly error: JobError });

export interface SecretChange {
  readonly key: string;
  /** Null removes the secret. */
  readonly value: string | null;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The pull that replaces the secrets of a folder. */
export interface PullInProgress {
  readonly lease: PullLease;
  /** Of the answer that it read. */
  readonly etag: string | null;
}

export interface Change {
  readonly changes: readonly SecretChange[];
  /** New metadata of secrets whose values stay. */
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;
  readonly mode: 'merge' | 'replace';
  /** Refuses the change unless the folder still has one of these revisions. */
  readonly ifRevision?: readonly number[] | undefined;
  readonly importer?: ImportingRun;
  /** The pull of the folder's source; only it may write where there is one. */
  readonly puller?: PullInProgress;
}

/** Metadata alone is a change to the value that is there. */
export function withDescribed(existing: readonly StoredSecret[], { metadata = {}, ...change }: Change): Change {
  const described = Object.entries(metadata).map(([key, one]) => {
    const before = existing.find((secret) => secret.key === key);
    if (before === undefined)
      throw new JobError('PAYLOAD_INVALID', { message: `metadata: there is no secret ${key}. Set its value as well.` });
    if ('error' in before) throw before.error;
    return { key, value: before.value, metadata: one };
  });
  return { ...change, changes: [...change.changes, ...described] };
}

/** Only what differs: setting the same values again makes no revision and no work. */
export function effectiveChanges(existing: readonly StoredSecret[], change: Change): readonly SecretChange[] {
  const byKey = new Map(existing.map((secret) => [secret.key, secret]));
  const wanted = new Map(change.changes.map((one) => [one.key, one]));
  const removals =
    change.mode === 'replace'
      ? existing
          .filter((secret) => !wanted.has(secret.key) && secret.managedBy === null)
          .map(({ key }) => ({ key, value: null }))
      : [];
  const differing = [...wanted.values()].filter((one) => {
    const before = byKey.get(one.key);
    if (one.value === null) return before !== undefined;
    return !(before && 'value' in before && before.value === one.value && sameMetadata(before.metadata, one.metadata));
  });
  return [...differing, ...removals];
}

function sameMetadata(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>> | undefined,
): boolean {
  if (after === undefined) return true;
  const text = (metadata: Readonly<Record<string, string>>) => JSON.stringify(Object.entries(metadata).sort());
  return text(before) === text(after);
}

export function refuseManaged(existing: readonly StoredSecret[], change: Change): void {
  const managed = new Set(existing.filter((secret) => secret.managedBy !== null).map((secret) => secret.key));
  const refused = change.changes.filter((one) => managed.has(one.key)).map((one) => one.key);
  if (refused.length === 0) return;
  throw new JobError('SECRET_MANAGED', {
    message: `${refused.join(', ')} is managed by a rotation, which alone may write it.`,
    context: { keys: refused },
  });
}
