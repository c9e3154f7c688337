/** Rows as users see them: camelCase, without ciphertexts, leases and other machinery. */
import type { RunRow } from '../db/requests.ts';
import type { SyncView } from '../db/sync/syncs.ts';
import type { ConnectionRow, RotationRow } from '../db/engine/subjects.ts';

const machinery = [
  'runToken',
  'runLeaseUntil',
  'dispatchLeaseUntil',
  'dueReason',
  'dueRequestedBy',
  'dueTraceparent',
  'datedStatus',
  'cancelledRunId',
  'secretAccessKey',
  'candidateSecret',
] as const;

type Machinery = (typeof machinery)[number];

function withoutMachinery<T extends object>(row: T): Omit<T, Machinery> {
  const hidden: ReadonlySet<string> = new Set(machinery);
  return Object.fromEntries(Object.entries(row).filter(([name]) => !hidden.has(name))) as Omit<T, Machinery>;
}

export type Connection = Omit<ConnectionRow, Machinery>;

export function toConnection(row: ConnectionRow): Connection {
  return withoutMachinery(row);
}

export type Sync = Omit<SyncView['sync'], Machinery> & {
  readonly connectionName: string;
  readonly environment: string;
  readonly secretPath: string;
};

export function toSync(view: SyncView): Sync {
  const { environment, secretPath } = view.folder;
  return { ...withoutMachinery(view.sync), connectionName: view.connectionName, environment, secretPath };
}

export type Rotation = Omit<RotationRow, Machinery | 'phaseState'>;

export function toRotation(row: RotationRow): Rotation {
  const { phaseState: _, ...view } = withoutMachinery(row);
  return view;
}

/**
 * One run: history and audit. `counts` is null while it runs. `awsCalls` are the calls so far, of an abandoned run at least these; a run that replaced
 * `repeats` earlier ones like it counts theirs, too.
 */
export type RunRecord = RunRow;

export function toRunRecord(row: RunRow): RunRecord {
  return row;
}
