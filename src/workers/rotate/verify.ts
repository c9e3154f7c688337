/**
 * Does the new key work, and is it of the right user? If not within the limit, it is deleted again;
 * the old one was never touched.
 */
import type { Identity } from '../../aws/session.ts';
import type { ConnectionRow } from '../../db/engine/subjects.ts';
import { defaultRegionOf } from '../../domain/partitions.ts';
import { getCycle } from '../../domain/rotation/machine.ts';
import { deleteSent } from '../../domain/rotation/retirement.ts';
import * as to from '../../domain/rotation/transitions.ts';
import { afterRefusal, VERIFY_SPACING_MS, VERIFY_SUCCESSES } from '../../domain/rotation/waits.ts';
import type { RotationView } from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import { findDoubt, waitForPerson } from './doubt.ts';
import {
  accountOf,
  openKeys,
  partitionOf,
  type RotationContext,
  userChanged,
  write,
  writeScheduled,
} from './context.ts';

interface Pair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export async function verify(context: RotationContext, view: RotationView): Promise<RotationView> {
  const { deps, row } = context;
  const connection = await deps.connections.byId(row.connectionId);
  const pair = await newPair(context, view);
  if (pair instanceof JobError) return turnBack(context, view, pair);
  const identity = await acceptedInARow(context, view, { pair, connection });
  if (identity === undefined) return refused(context, view);
  const wrong = wrongUser(context, identity, connection);
  if (wrong) return turnBack(context, view, wrong);
  try {
    return await write(context, view, to.verified(view, { userId: identity.userId, accountId: identity.accountId }));
  } catch (error) {
    // Only now is the account certain, and another rotation has this user of it.
    if (error instanceof JobError && error.code === 'KEY_USER_TAKEN') return turnBack(context, view, error);
    throw error;
  }
}

async function newPair(context: RotationContext, view: RotationView): Promise<Pair | JobError> {
  const accessKeyId = getCycle(view).newKeyId;
  if (accessKeyId === undefined) return new JobError('BUG_UNEXPECTED');
  try {
    const secretAccessKey = await context.deps.rotations.run.secretOf(context.row, accessKeyId);
    return secretAccessKey === undefined ? new JobError('SECRET_UNDECRYPTABLE') : { accessKeyId, secretAccessKey };
  } catch (error) {
    // A key whose secret cannot be decrypted is useless: it is deleted, and the next rotation makes
    // another.
    if (error instanceof JobError && error.code === 'SECRET_UNDECRYPTABLE') return error;
    throw error;
  }
}

/** Undefined when AWS does not accept the key yet. */
async function acceptedInARow(
  context: RotationContext,
  view: RotationView,
  { pair, connection }: { pair: Pair; connection: ConnectionRow },
): Promise<Identity | undefined> {
  const { deps, run } = context;
  let identity: Identity | undefined;
  for (let successes = 0; successes < VERIFY_SUCCESSES; successes += 1) {
    if (successes > 0) await deps.wait(VERIFY_SPACING_MS, run.scope.signal);
    identity = await tryKey(context, view, { pair, connection });
    if (!identity) return undefined;
  }
  return identity;
}

async function tryKey(
  context: RotationContext,
  view: RotationView,
  { pair, connection }: { pair: Pair; connection: ConnectionRow },
): Promise<Identity | undefined> {
  const { deps, run, row } = context;
  const session = deps.aws.keySession({
    ...pair,
    region: connection.region ?? defaultRegionOf(partitionOf(connection)),
    scope: run.scope,
  });
  try {
    const identity = await session.identity();
    // From the publication on this key signs the retirement of its predecessor, so IAM must know it
    // too: AWS services learn of keys one by one.
    if (getCycle(view).isSelf) await deps.openAccessKeys(session, row.userName).list(run.now());
    return identity;
  } catch (error) {
    if (error instanceof JobError && notYet.has(error.code)) return undefined;
    throw error;
  }
}

/** The answers to a key that is still propagating; the last two where only IAM is behind. */
const notYet: ReadonlySet<string> = new Set([
  'CONNECTION_KEY_UNKNOWN',
  'CONNECTION_SECRET_WRONG',
  'CONNECTION_TOKEN_EXPIRED',
  'AWS_ACCESS_DENIED',
]);

function wrongUser(context: RotationContext, identity: Identity, connection: ConnectionRow): JobError | undefined {
  const { userId, userName } = context.row;
  const account = accountOf(connection);
  // IAM does not distinguish names by case and answers with the user's own spelling.
  const name = identity.arn.includes(':user/') ? identity.arn.split('/').at(-1) : undefined;
  const isUser = name?.toLowerCase() === userName.toLowerCase();
  if (!isUser || (account !== undefined && account !== identity.accountId)) {
    return new JobError('KEY_USER_CHANGED', {
      message: `The key belongs to ${identity.arn}, not to user ${userName} of the connection’s account.`,
    });
  }
  return userId === null || userId === identity.userId ? undefined : userChanged(userName);
}

async function refused(context: RotationContext, view: RotationView): Promise<RotationView> {
  const { verify: state, startedAt } = getCycle(view);
  const now = context.run.now();
  const next = afterRefusal({ startedAt: state?.startedAt ?? startedAt, polls: (state?.polls ?? 0) + 1 }, now);
  if (next.decision === 'timeout') return turnBack(context, view, new JobError('KEY_VERIFY_TIMEOUT'));
  return write(context, view, to.verifyRefused(view, to.later(now, next.delayMs)));
}

async function turnBack(context: RotationContext, view: RotationView, error: JobError): Promise<RotationView> {
  return write(context, view, to.turnedBack(view, { code: error.code, message: error.publicMessage }));
}

export async function rollBack(context: RotationContext, view: RotationView): Promise<RotationView> {
  const { newKeyId } = getCycle(view);
  if (newKeyId === undefined) return endRolledBack(context, view);
  const doubt = await findDoubt(context, newKeyId, view);
  if (doubt) return waitForPerson(context, view, doubt);
  const { keys } = await openKeys(context);
  const sent = await write(context, view, deleteSent(view, newKeyId));
  await keys.delete(newKeyId);
  return endRolledBack(context, sent);
}

function endRolledBack(context: RotationContext, view: RotationView): Promise<RotationView> {
  const now = context.run.now();
  return writeScheduled(context, view, ({ nextRotationAt }) => to.rolledBack({ ...view, nextRotationAt }, now));
}

/** An adopted pair must work and be the user's; pins the user. Nothing to check without one. */
export async function checkAdoptedKey(
  context: RotationContext,
  view: RotationView,
  connection: ConnectionRow,
): Promise<Partial<PinnedUser> | JobError> {
  const adopted = view.keys.find((key) => key.state === 'active');
  const secretAccessKey = adopted && (await context.deps.rotations.run.secretOf(context.row, adopted.accessKeyId));
  if (!adopted || secretAccessKey === undefined) return {};
  return checkPair(context, { accessKeyId: adopted.accessKeyId, secretAccessKey }, connection);
}

export interface PinnedUser {
  readonly userId: string;
  readonly accountId: string;
}

export async function checkPair(
  context: RotationContext,
  pair: Pair,
  connection: ConnectionRow,
): Promise<PinnedUser | JobError> {
  const { deps, run } = context;
  const region = connection.region ?? defaultRegionOf(partitionOf(connection));
  const session = deps.aws.keySession({ ...pair, region, scope: run.scope });
  try {
    const identity = await session.identity();
    return wrongUser(context, identity, connection) ?? { userId: identity.userId, accountId: identity.accountId };
  } catch (error) {
    if (
      error instanceof JobError &&
      (error.code === 'CONNECTION_KEY_UNKNOWN' || error.code === 'CONNECTION_SECRET_WRONG')
    ) {
      return new JobError(error.code, {
        message: `The adopted key ${pair.accessKeyId} is refused by AWS. Adopt it again with the right secret.`,
      });
    }
    throw error;
  }
}
