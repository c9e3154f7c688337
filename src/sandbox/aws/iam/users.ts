/** Which user an IAM call is about. */
import { AwsError } from '../aws-error.ts';
import type { AccessNeed, Call } from '../service.ts';
import type { User } from '../state.ts';

export interface UserInput {
  readonly UserName?: string;
}

/** Without UserName the caller itself is meant, which only a user can be. */
function userNameOf(call: Call, input: UserInput): string {
  if (input.UserName !== undefined) return input.UserName;
  if (call.principal.kind === 'user') return call.principal.user.userName;
  throw new AwsError('ValidationError', 'Must specify userName when calling with non-User credentials');
}

export function getUser(call: Call, input: UserInput): User {
  const userName = userNameOf(call, input);
  const user = call.account.users.get(userName);
  if (!user) throw new AwsError('NoSuchEntity', `The user with name ${userName} cannot be found.`);
  return user;
}

export function userAccess(action: string): (call: Call, input: UserInput) => readonly AccessNeed[] {
  return (call, input) => {
    const userName = userNameOf(call, input);
    const resource = call.account.users.get(userName)?.arn ?? userArn(call, userName);
    return [{ action, resource, context: {} }];
  };
}

function userArn(call: Call, userName: string): string {
  return `arn:${call.partition.name}:iam::${call.account.accountId}:user/${userName}`;
}

/** IAM's pages: a marker that the caller hands back, here the position of the next item. */
export interface PageInput {
  readonly Marker?: string;
  readonly MaxItems?: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly IsTruncated: boolean;
  readonly Marker: string | undefined;
}

export function toPage<T>(items: readonly T[], input: PageInput, defaultSize = 100): Page<T> {
  const start = input.Marker === undefined ? 0 : readMarker(input.Marker);
  const end = start + (input.MaxItems ?? defaultSize);
  const more = end < items.length;
  return {
    items: items.slice(start, end),
    IsTruncated: more,
    Marker: more ? `sandbox-marker-${String(end)}` : undefined,
  };
}

function readMarker(marker: string): number {
  const position = /^sandbox-marker-(\d+)$/.exec(marker)?.[1];
  if (position === undefined) throw new AwsError('ValidationError', `Invalid Marker: ${marker}`);
  return Number(position);
}
