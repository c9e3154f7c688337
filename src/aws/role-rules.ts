/**
 * What is refused before any call: roles that no connection may use, and keys that cannot belong to
 * a connection.
 */
import { isLongLivedKeyId, parseRoleArn, partitionOfRegion, type RoleArn } from '../domain/partitions.ts';
import { regionProblem } from '../domain/regions.ts';
import { JobError } from '../errors.ts';
import type { Identity } from './session.ts';

export function checkRoleArn(roleArn: string, basePartition: string): RoleArn {
  const role = parseRoleArn(roleArn);
  if (!role)
    throw new JobError('CONNECTION_ROLE_REFUSED', {
      message: 'The role ARN of the connection is not the ARN of an IAM role.',
    });
  if (role.partition === basePartition) return role;
  throw new JobError('CONNECTION_ROLE_REFUSED', {
    message: `The role lies in partition ${role.partition}, the base identity in ${basePartition}; no role can be assumed across partitions. AWS_REGION tells the base identity’s partition.`,
  });
}

/**
 * A role in the base identity's own account may serve any purpose, so only the operator can allow a
 * tenant to use it.
 */
export function checkOwnAccount(roleArn: string, base: Identity, ownAccountRoles: readonly string[]): void {
  if (parseRoleArn(roleArn)?.accountId !== base.accountId || ownAccountRoles.includes(roleArn)) return;
  throw new JobError('CONNECTION_ROLE_REFUSED', {
    message:
      'The role lies in the base identity’s own account. If connections may use it, list its ARN in KEYFERRY_OWN_ACCOUNT_ROLES.',
  });
}

export function checkAccessKeyId(accessKeyId: string): void {
  if (isLongLivedKeyId(accessKeyId)) return;
  const why = accessKeyId.startsWith('ASIA') ? 'is temporary (ASIA…)' : 'does not have the form AKIA…';
  throw new JobError('CONNECTION_KEY_REFUSED', {
    message: `The access key ${why}: only long-lived keys of IAM users are used.`,
  });
}

export function checkNotRoot(identity: Identity): void {
  if (!identity.arn.endsWith(':root')) return;
  throw new JobError('CONNECTION_KEY_REFUSED', {
    message: 'The access key belongs to the root user of the account: use a key of an IAM user.',
  });
}

export function checkRegion(region: string, partition: string): void {
  const found = partitionOfRegion(region);
  if (found === partition) return;
  const message =
    found === undefined
      ? `${region} ${regionProblem(region) ?? 'is no region'}.`
      : `Region ${region} lies in partition ${found}, the connection in ${partition}.`;
  throw new JobError('CONNECTION_REGION_DISABLED', { message });
}
