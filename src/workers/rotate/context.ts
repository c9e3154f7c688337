/**
 * What the steps of a rotation share: the run, the stores, access to AWS, and the one way to write.
 */
import type { AccessKeys } from '../../aws/access-keys.ts';
import type { AwsAccess, AwsSession } from '../../aws/session.ts';
import type { Connections } from '../../db/connections.ts';
import type { Installation } from '../../db/installation.ts';
import type { RotationSteps } from '../../db/rotation/steps.ts';
import type { ConnectionRow, RotationRow } from '../../db/engine/subjects.ts';
import type { KeyOwners } from '../../domain/rotation/keys.ts';
import { policyFor } from '../../domain/policy/policies.ts';
import { applyTransition, type Intent, type RotationView, type Transition } from '../../domain/rotation/rotation.ts';
import { defaultRegionOf, parseRoleArn, partitionOfConnection } from '../../domain/partitions.ts';
import { untilWon } from '../../concurrency/races.ts';
import { JobError } from '../../errors.ts';
import type { Run } from '../engine/processor.ts';

export interface RotateDependencies {
  readonly aws: Pick<AwsAccess, 'session' | 'keySession'>;
  /** The port of `src/aws/access-keys.ts`. */
  readonly openAccessKeys: (session: AwsSession, userName: string) => AccessKeys;
  readonly connections: Pick<Connections, 'byId' | 'credentialsOf'>;
  readonly rotations: { readonly run: RotationSteps };
  readonly installation: Installation;
  /** Short waits inside a run; ends early, without an error, when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface RotationContext {
  readonly deps: RotateDependencies;
  readonly run: Run<'rotate'>;
  readonly row: RotationRow;
}

/**
 * Persists a transition under the run's token. Throws LEASE_LOST when the rotation is not this
 * run's any more.
 */
export async function write(
  context: RotationContext,
  view: RotationView,
  transition: Transition,
): Promise<RotationView> {
  const { run, row, deps } = context;
  const now = run.now();
  const written = await deps.rotations.run.advance({ rotation: row, runId: run.id, now }, transition);
  return { ...applyTransition(view, transition, now), ...written };
}

/**
 * For a transition that sets the next rotation: based on the present settings, which may differ
 * from those at the claim.
 */
export async function writeScheduled(
  context: RotationContext,
  view: RotationView,
  toTransition: (row: RotationRow) => Transition,
): Promise<RotationView> {
  const { run, deps } = context;
  const now = run.now();
  const attempt = async () => {
    const row = await deps.rotations.run.current(context.row.id);
    const transition = toTransition(row);
    const fence = { rotation: row, runId: run.id, now, version: row.version };
    const written = await deps.rotations.run.advance(fence, transition);
    return written && { ...applyTransition(view, transition, now), ...written };
  };
  return untilWon(attempt, 'Too many others change the rotation at once. The run waits and tries again by itself.');
}

export interface OpenKeys {
  readonly keys: AccessKeys;
  readonly connection: ConnectionRow;
}

/**
 * With the connection's present credentials: they change in the middle of a rotation of the
 * connection's own key.
 */
export async function openKeys(context: RotationContext): Promise<OpenKeys> {
  const { deps, run, row } = context;
  const connection = await deps.connections.byId(row.connectionId);
  const partition = partitionOf(connection);
  const session = deps.aws.session({
    credentials: await deps.connections.credentialsOf(connection),
    region: connection.region ?? defaultRegionOf(partition),
    policy: policyFor(
      { use: 'access-key-rotation', userName: row.userName },
      { partition, accountId: accountOf(connection) ?? '*' },
    ),
    scope: run.scope,
  });
  return { keys: deps.openAccessKeys(session, row.userName), connection };
}

export function accountOf(connection: ConnectionRow): string | undefined {
  return connection.accountId ?? parseRoleArn(connection.roleArn ?? '')?.accountId;
}

export function partitionOf(connection: ConnectionRow): string {
  return partitionOfConnection(connection) ?? 'aws';
}

export interface KeyInventory {
  readonly owners: KeyOwners;
  readonly clock: Intent['clock'];
}

/** The user's keys at AWS, and whose each is. */
export async function lookAtKeys(
  context: RotationContext,
  view: RotationView,
  { keys, connection }: OpenKeys,
): Promise<KeyInventory> {
  const now = context.run.now();
  const { keys: remote, clock } = await keys.list(now);
  const ids = remote.map((key) => key.accessKeyId);
  const heldElsewhere = await context.deps.rotations.run.heldElsewhere(context.row, ids);
  const connectionKeyId = connection.method === 'access-key' ? (connection.accessKeyId ?? undefined) : undefined;
  return {
    owners: { now, remote, known: view.keys, quarantine: view.state.quarantine, connectionKeyId, heldElsewhere },
    clock,
  };
}

export function userChanged(userName: string): JobError {
  return new JobError('KEY_USER_CHANGED', {
    message: `The IAM user ${userName} was re-created: its id is not the one pinned at the first rotation. If the new user is intended, delete the rotation and create it again.`,
  });
}
