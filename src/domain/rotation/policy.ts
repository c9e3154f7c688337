/** The permissions that a rotation uses, no more. */

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
