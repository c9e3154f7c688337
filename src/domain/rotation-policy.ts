/** The permissions that a rotation uses, no more: what `keyferry policy access-key-rotation` prints and what a session is narrowed to. */
import type { PolicyDocument } from './policy-document.ts';

/** Without these nothing works. */
export const requiredRotationActions = [
  'iam:ListAccessKeys',
  'iam:CreateAccessKey',
  'iam:UpdateAccessKey',
  'iam:DeleteAccessKey',
] as const;

/** What each adds; a rotation without them goes by time alone. */
export const optionalRotationActions = {
  'iam:GetAccessKeyLastUsed': 'would let keyferry see whether the old key is still used before it retires it',
  'iam:GetUser': 'would let keyferry notice a re-created user before it makes a key',
} as const;

export interface RotationTarget {
  readonly partition: string;
  readonly accountId: string;
  readonly userName: string;
}

/** With and without a path: IAM's ARNs hold it, users are named without. */
export function userArns(target: RotationTarget): readonly [string, string] {
  const prefix = `arn:${target.partition}:iam::${target.accountId}:user/`;
  return [`${prefix}${target.userName}`, `${prefix}*/${target.userName}`];
}

export function rotationPolicy(target: RotationTarget): PolicyDocument {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'KeyferryRotateAccessKeys',
        Effect: 'Allow',
        Action: [...requiredRotationActions, ...Object.keys(optionalRotationActions)],
        Resource: userArns(target),
      },
    ],
  };
}
