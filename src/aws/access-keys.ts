/**
 * The access keys of one IAM user. Every call is made once: what a lost answer meant is found out
 * by the rotation, never by sending it again. A denied call says which action on which user; the
 * two that a rotation can do without answer `denied` instead.
 */
import {
  type AccessKeyMetadata,
  CreateAccessKeyCommand,
  DeleteAccessKeyCommand,
  GetAccessKeyLastUsedCommand,
  GetUserCommand,
  type IAMClient,
  ListAccessKeysCommand,
  UpdateAccessKeyCommand,
} from '@aws-sdk/client-iam';

import type { KeyUse, RemoteKey } from '../domain/rotation/rotation.ts';
import { JobError } from '../errors.ts';
import type { AwsSession } from './session.ts';

export interface KeyList {
  readonly keys: readonly RemoteKey[];
  /**
   * How far AWS's clock is ahead of this machine's, from the answer's Date header, and the error of
   * that measurement.
   */
  readonly clock: { readonly aheadMs: number; readonly errorMs: number };
}

export interface CreatedKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly createdAt: Date;
}

/** `gone`: the key no longer exists, which counts as done. */
export type KeyChangeResult = 'done' | 'gone';

export interface AccessKeys {
  /** All pages; may lag some seconds behind changes. */
  list(now: Date): Promise<KeyList>;
  /** Not idempotent: an error with `context.isAmbiguous` may have made a key. */
  create(): Promise<CreatedKey>;
  setStatus(accessKeyId: string, status: 'Active' | 'Inactive'): Promise<KeyChangeResult>;
  delete(accessKeyId: string): Promise<KeyChangeResult>;
  lastUsed(accessKeyId: string): Promise<KeyUse>;
  /** The user's immutable id; undefined where the role may not ask. */
  userId(): Promise<string | undefined>;
  /**
   * Changes nothing: asks AWS to change a key that cannot exist, and throws AWS_ACCESS_DENIED when
   * it refuses to look.
   */
  requirePermissions(): Promise<void>;
}

/** AWS allows two keys per user. */
const MAX_PAGES = 10;
/** Real keys begin with AKIA or ASIA. */
const IMPOSSIBLE_KEY_ID = 'KEYFERRYPROBE0000000';
/** The Date header counts whole seconds and travels for a while. */
const DATE_ERROR_MS = 2_000;
/** Without the header: both clocks are taken to be right within a minute. */
const UNKNOWN_CLOCK = { aheadMs: 0, errorMs: 60_000 } as const;

interface Target {
  readonly iam: IAMClient;
  readonly session: AwsSession;
  readonly userName: string;
}

export function createAccessKeys(session: AwsSession, userName: string): AccessKeys {
  const target: Target = { iam: session.iam, session, userName };
  return {
    list: (now) => listKeys(target, now),
    create: () => createKey(target),
    setStatus: (accessKeyId, status) => setStatus(target, accessKeyId, status),
    delete: (accessKeyId) => deleteKey(target, accessKeyId),
    lastUsed: (accessKeyId) => lastUsed(target, accessKeyId),
    userId: () => userId(target),
    requirePermissions: async () => {
      await setStatus(target, IMPOSSIBLE_KEY_ID, 'Inactive');
      await deleteKey(target, IMPOSSIBLE_KEY_ID);
    },
  };
}

async function listKeys(target: Target, now: Date): Promise<KeyList> {
  const keys: RemoteKey[] = [];
  let clock: KeyList['clock'] = UNKNOWN_CLOCK;
  let marker: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const command = new ListAccessKeysCommand({ UserName: target.userName, ...(marker ? { Marker: marker } : {}) });
    const dated = readDate(command);
    const page = await named(target, 'iam:ListAccessKeys', () => target.iam.send(command, abort(target)));
    if (marker === undefined) clock = clockOf(dated(), now);
    if (!page.AccessKeyMetadata) throw unreadable('ListAccessKeys', 'without a list of keys');
    keys.push(...page.AccessKeyMetadata.map(toRemoteKey));
    if (page.IsTruncated !== true) return { keys, clock };
    if (!page.Marker) throw unreadable('ListAccessKeys', 'with a truncated page and no marker');
    marker = page.Marker;
  }
  throw unreadable('ListAccessKeys', `with more than ${String(MAX_PAGES)} pages`);
}

/** A key that is misread may be taken for another's, or for inactive, so no field is guessed. */
function toRemoteKey({ AccessKeyId, Status, CreateDate }: AccessKeyMetadata): RemoteKey {
  if (!AccessKeyId || !CreateDate) throw unreadable('ListAccessKeys', 'with a key without id or creation date');
  if (Status !== 'Active' && Status !== 'Inactive')
    throw unreadable('ListAccessKeys', 'with a key that is neither Active nor Inactive');
  return { accessKeyId: AccessKeyId, isActive: Status === 'Active', createdAt: CreateDate };
}

function unreadable(operation: string, how: string): JobError {
  return new JobError('AWS_UNREACHABLE', { message: `AWS answered ${operation} ${how}.` });
}

function clockOf(date: string | undefined, now: Date): KeyList['clock'] {
  const at = Date.parse(date ?? '');
  return Number.isNaN(at) ? UNKNOWN_CLOCK : { aheadMs: at - now.getTime(), errorMs: DATE_ERROR_MS };
}

/** Returns a function that gives the answer's Date header once the command was sent. */
function readDate(command: ListAccessKeysCommand): () => string | undefined {
  let date: string | undefined;
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Readonly<Record<string, string>> };
      date = headers?.['date'] ?? headers?.['Date'];
      return result;
    },
    { step: 'deserialize', name: 'keyferryReadDate', priority: 'low' },
  );
  return () => date;
}

async function createKey(target: Target): Promise<CreatedKey> {
  const command = new CreateAccessKeyCommand({ UserName: target.userName });
  const { AccessKey } = await named(target, 'iam:CreateAccessKey', () => target.iam.send(command, abort(target)));
  if (!AccessKey?.AccessKeyId || !AccessKey.SecretAccessKey) {
    // A key was created but its secret did not arrive: the rotation recovers it as after a lost
    // answer.
    throw new JobError('AWS_UNREACHABLE', {
      message: 'CreateAccessKey answered without a key.',
      context: { isAmbiguous: true },
    });
  }
  return {
    accessKeyId: AccessKey.AccessKeyId,
    secretAccessKey: AccessKey.SecretAccessKey,
    createdAt: AccessKey.CreateDate ?? new Date(),
  };
}

async function setStatus(target: Target, accessKeyId: string, status: 'Active' | 'Inactive'): Promise<KeyChangeResult> {
  const command = new UpdateAccessKeyCommand({ UserName: target.userName, AccessKeyId: accessKeyId, Status: status });
  return orGone(named(target, 'iam:UpdateAccessKey', () => target.iam.send(command, abort(target))));
}

async function deleteKey(target: Target, accessKeyId: string): Promise<KeyChangeResult> {
  const command = new DeleteAccessKeyCommand({ UserName: target.userName, AccessKeyId: accessKeyId });
  return orGone(named(target, 'iam:DeleteAccessKey', () => target.iam.send(command, abort(target))));
}

async function orGone(call: Promise<unknown>): Promise<KeyChangeResult> {
  try {
    await call;
    return 'done';
  } catch (error) {
    if (isError(error, /^NoSuchEntity/)) return 'gone';
    throw error;
  }
}

async function lastUsed(target: Target, accessKeyId: string): Promise<KeyUse> {
  const command = new GetAccessKeyLastUsedCommand({ AccessKeyId: accessKeyId });
  const answer = await orDenied(
    named(target, 'iam:GetAccessKeyLastUsed', () => target.iam.send(command, abort(target))),
  );
  if (answer === 'denied') return 'denied';
  const use = answer.AccessKeyLastUsed;
  if (!use) throw unreadable('GetAccessKeyLastUsed', 'without a last use');
  if (!use.LastUsedDate) {
    // A key that was never used has no date, and this service and region.
    if (known(use.ServiceName) === undefined && known(use.Region) === undefined) return 'never';
    throw unreadable('GetAccessKeyLastUsed', 'with a service or region but no date');
  }
  return { at: use.LastUsedDate, service: known(use.ServiceName), region: known(use.Region) };
}

function known(text: string | undefined): string | undefined {
  return text === undefined || text === 'N/A' ? undefined : text;
}

async function userId(target: Target): Promise<string | undefined> {
  const command = new GetUserCommand({ UserName: target.userName });
  const answer = await orDenied(named(target, 'iam:GetUser', () => target.iam.send(command, abort(target))));
  return answer === 'denied' ? undefined : answer.User?.UserId;
}

async function orDenied<T>(call: Promise<T>): Promise<T | 'denied'> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof JobError && error.code === 'AWS_ACCESS_DENIED') return 'denied';
    throw error;
  }
}

function abort(target: Target): { abortSignal: AbortSignal } {
  return { abortSignal: target.session.scope.signal };
}

/** Where NoSuchEntity can only mean the user. */
const ofUser = new Set(['iam:ListAccessKeys', 'iam:CreateAccessKey', 'iam:GetUser']);

/** Lets a denial say which action on which user is missing. */
async function named<T>(target: Target, action: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    if (error.code === 'AWS_ACCESS_DENIED') throw await denied(target, action, error);
    if (isError(error, /^NoSuchEntity/) && ofUser.has(action)) throw noUser(target, error);
    throw error;
  }
}

async function denied(target: Target, action: string, error: JobError): Promise<JobError> {
  const { accountId, partition } = await target.session.identity();
  const arn = `arn:${partition}:iam::${accountId}:user/${target.userName}`;
  const explicit = error.context.deniedBy === 'explicit-deny' ? ' (a policy denies it explicitly)' : '';
  return new JobError('AWS_ACCESS_DENIED', {
    message: `AWS denied ${action} on ${arn}${explicit}. Allow it: \`keyferry policy access-key-rotation --user ${target.userName}\` prints the statement.`,
    context: { ...error.context, action, resource: arn },
    cause: error,
  });
}

function noUser(target: Target, error: JobError): JobError {
  return new JobError('AWS_NOT_FOUND', {
    message: `There is no IAM user ${target.userName} in the connection's account.`,
    context: error.context,
    cause: error,
  });
}

function isError(error: unknown, name: RegExp): error is JobError {
  if (!(error instanceof JobError)) return false;
  const { awsError } = error.context;
  return typeof awsError === 'string' && name.test(awsError);
}
