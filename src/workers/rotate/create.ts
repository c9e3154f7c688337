/**
 * The step that adds a key, and the checks before it. The intent is stored before CreateAccessKey
 * is sent, and the pair before anything else happens: `recover.ts` finds whatever is interrupted in
 * between.
 */
import type { AccessKeys } from '../../aws/access-keys.ts';
import { decideSurvey, foreignKeys, type KeyOwners, SEND_WITHIN_MS, type Survey } from '../../domain/rotation/keys.ts';
import * as orphans from '../../domain/rotation/orphans.ts';
import * as to from '../../domain/rotation/transitions.ts';
import { BLOCKED_RECHECK_MS } from '../../domain/rotation/waits.ts';
import type { RotationView } from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import { type KeyInventory, lookAtKeys, openKeys, type RotationContext, userChanged, write } from './context.ts';
import { blockForeign, takeBackLeftKeys } from './foreign-keys.ts';
import { findDoubt, waitForPerson } from './doubt.ts';
import { checkAdoptedKey } from './verify.ts';

/** Reports before the first rotation what would block it, and pins the user of an adopted key. */
export async function inspect(context: RotationContext, view: RotationView): Promise<RotationView> {
  const now = context.run.now();
  const open = await openKeys(context);
  const { owners } = await lookAtKeys(context, view, open);
  const foreign = foreignKeys(owners);
  if (foreign.length > 0)
    return (
      (await takeBackLeftKeys(context, view, { open, owners })) ??
      blockForeign(context, view, { open, owners, foreign })
    );
  const adopted = await checkAdoptedKey(context, view, open.connection);
  if (adopted instanceof JobError)
    return write(context, view, to.block(view, adopted, { now, recheckMs: BLOCKED_RECHECK_MS }));
  return write(context, view, to.inspected(view, now, adopted));
}

export async function create(context: RotationContext, view: RotationView): Promise<RotationView> {
  const now = context.run.now();
  const open = await openKeys(context);
  const { keys } = open;
  const look = await lookAtKeys(context, view, open);
  const user = await checkUser(context, keys);
  if (user instanceof JobError) return write(context, view, to.block(view, user, { now }));
  const survey = decideSurvey(look.owners, view.state.cycle?.isEmergency ? 'emergency' : 'none');
  switch (survey.decision) {
    case 'block':
      return blockForeign(context, view, { open, owners: look.owners, foreign: survey.foreign });
    case 'wait':
      return write(
        context,
        view,
        to.wait(view, {
          until: survey.until,
          message: `Waiting until the inactive orphan ${survey.accessKeyId} may be deleted: two keys are AWS’s limit.`,
        }),
      );
    case 'delete':
      return deleteLeftover(context, view, { keys, accessKeyId: survey.accessKeyId });
    case 'create':
      return sendCreate(context, view, {
        look,
        survey,
        missingActions: [...user, ...(await probe(keys, survey))],
      });
  }
}

/**
 * Every permission that can be asked for without an effect. Throws AWS_ACCESS_DENIED; returns the
 * missing ones that a rotation can do without.
 */
async function probe(keys: AccessKeys, survey: Extract<Survey, { decision: 'create' }>): Promise<readonly string[]> {
  await keys.requirePermissions();
  const [old] = survey.oldKeyIds;
  return old !== undefined && (await keys.lastUsed(old)) === 'denied' ? ['iam:GetAccessKeyLastUsed'] : [];
}

/** Missing actions, or the verdict that the user is not the one whose keys these were. */
async function checkUser(context: RotationContext, keys: AccessKeys): Promise<readonly string[] | JobError> {
  const { userId: pinned, userName } = context.row;
  if (pinned === null) return [];
  const found = await keys.userId();
  if (found === undefined) return ['iam:GetUser'];
  return found === pinned ? [] : userChanged(userName);
}

async function deleteLeftover(
  context: RotationContext,
  view: RotationView,
  { keys, accessKeyId }: { keys: AccessKeys; accessKeyId: string },
): Promise<RotationView> {
  const doubt = await findDoubt(context, accessKeyId, view);
  if (doubt) return waitForPerson(context, view, doubt);
  const sent = await write(context, view, {
    phase: view.phase,
    state: view.state,
    note: { step: 'leftover-delete-sent', accessKeyId },
  });
  await keys.delete(accessKeyId);
  return write(context, sent, orphans.leftoverDeleted(sent, accessKeyId));
}

interface Sending {
  readonly look: KeyInventory;
  readonly survey: Extract<Survey, { decision: 'create' }>;
  readonly missingActions: readonly string[];
}

async function sendCreate(context: RotationContext, view: RotationView, sending: Sending): Promise<RotationView> {
  const { look, survey, missingActions } = sending;
  const { remote } = look.owners;
  const sentAt = context.run.now();
  const { keys } = await openKeys(sendingSoon(context, sentAt));
  // Checked before the key exists at AWS: its secret is shown once, and would be lost if KMS could
  // not encrypt it.
  await context.deps.rotations.run.requireSealing(context.row);
  const intent = { sentAt: sentAt.toISOString(), seen: idsOf(look.owners), clock: look.clock };
  const sent = await write(context, view, to.createSent(view, survey, { intent, remote, missingActions }));
  const pair = await createOnce(context, sent, keys);
  return 'view' in pair ? pair.view : write(context, sent, to.keyCreated(sent, pair, context.run.now()));
}

function idsOf(owners: KeyOwners): string[] {
  return owners.remote.map((key) => key.accessKeyId);
}

async function createOnce(
  context: RotationContext,
  view: RotationView,
  keys: AccessKeys,
): Promise<to.NewPair | { readonly view: RotationView }> {
  try {
    return await keys.create();
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    if (error.context.isAmbiguous === true) return afterLostAnswer(context, view, error);
    await write(context, view, to.createRefused(view, error.code));
    throw error.code === 'AWS_LIMIT_EXCEEDED' ? limitExceeded(context, error) : error;
  }
}

/**
 * Asked last before the request leaves: a key that is made too late after its intent would be taken
 * for a person's.
 */
function sendingSoon(context: RotationContext, sentAt: Date): RotationContext {
  const { run } = context;
  const sentAtWallMs = Date.now();
  const beforeMutation = async () => {
    await run.scope.beforeMutation();
    // The run's clock stands still while a virtual machine is suspended.
    const waitedMs = Math.max(run.now().getTime() - sentAt.getTime(), Date.now() - sentAtWallMs);
    if (waitedMs > SEND_WITHIN_MS) throw new JobError('AWS_NOT_SENT', { message: TOO_LATE, retryAfterMs: AGAIN_MS });
  };
  return { ...context, run: { ...run, scope: { ...run.scope, beforeMutation } } };
}

const TOO_LATE = 'CreateAccessKey waited too long and was not sent; the step starts again.';
const AGAIN_MS = 10_000;

/** The intent stays: the machine waits, then finds out what became of the call. */
async function afterLostAnswer(
  context: RotationContext,
  view: RotationView,
  error: JobError,
): Promise<{ readonly view: RotationView }> {
  if (context.run.scope.signal.aborted) throw error;
  return {
    view: await write(context, view, {
      phase: view.phase,
      state: view.state,
      note: { step: 'answer-lost', detail: error.code },
    }),
  };
}

/**
 * The list did not show the keys that fill the limit yet: soon it will, and then the verdict is
 * exact.
 */
function limitExceeded(context: RotationContext, cause: JobError): JobError {
  return new JobError('AWS_LIMIT_EXCEEDED', {
    message: `AWS says that IAM user ${context.row.userName} already has two access keys, but does not list them yet.`,
    disposition: 'retry',
    context: cause.context,
    cause,
  });
}
