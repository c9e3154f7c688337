/**
 * The worker's own identity: where it comes from, how old its key is, and what its faults mean.
 * Faults concern the installation: no connection, sync or rotation caused them, and none changes.
 * Pure.
 */
import type { JobError } from '../../errors.ts';
import { counted } from '../counted.ts';

/** Where the worker's own credentials come from, and how that is called. */
export const baseKinds = {
  'key-pair': 'access key in INF_APP_CONNECTION_AWS_ACCESS_KEY_ID',
  'key-pair-file': 'access key in files (INF_APP_CONNECTION_AWS_…_FILE)',
  environment: 'access key in AWS_ACCESS_KEY_ID',
  profile: 'profile of the shared AWS files',
  'profile-role': 'role of a profile',
  process: 'credential_process of a profile',
  sso: 'SSO session of a profile',
  'web-identity': 'web identity (IRSA)',
  'pod-identity': 'EKS Pod Identity',
  'ecs-task': 'ECS task role',
  container: 'container credentials endpoint',
  instance: 'EC2 instance role',
  unknown: 'SDK’s default chain',
} as const;

export type BaseKind = keyof typeof baseKinds;

/** What is known of the worker's own credentials and their owner. */
export interface BaseReport {
  readonly kind: BaseKind;
  readonly accountId: string;
  /**
   * Of the user or the role's session; of the base role's session where KEYFERRY_BASE_ROLE_ARN
   * names one.
   */
  readonly arn: string;
  /** Of a long-lived key; null for temporary credentials, whose key changes all the time. */
  readonly accessKeyId: string | null;
  /** As IAM says; null where that is not allowed. */
  readonly keyCreatedAt: Date | null;
  /** When the files that hold the key were last written. */
  readonly fileChangedAt: Date | null;
  /** Of temporary credentials. */
  readonly expiresAt: Date | null;
}

/** As the workers of this installation have seen it. */
export interface SeenBaseIdentity extends BaseReport {
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
}

const MAX_KEY_AGE_DAYS = 90;
const DAY_MS = 86_400_000;

export interface KeyAge {
  readonly days: number;
  readonly since: Date;
  /**
   * Only IAM knows the age; a file or keyferry's own record shows that the key is at least that
   * old.
   */
  readonly source: 'IAM' | 'file' | 'record';
}

/** Undefined for temporary credentials, and while nothing is known. */
export function keyAgeOf(report: BaseReport & { readonly firstSeenAt?: Date }, now: Date): KeyAge | undefined {
  if (report.accessKeyId === null) return undefined;
  const toAge = (since: Date, source: KeyAge['source']): KeyAge => ({
    days: Math.max(0, Math.floor((now.getTime() - since.getTime()) / DAY_MS)),
    since,
    source,
  });
  if (report.keyCreatedAt) return toAge(report.keyCreatedAt, 'IAM');
  const { fileChangedAt, firstSeenAt } = report;
  const isFileOlder = fileChangedAt !== null && (firstSeenAt === undefined || fileChangedAt < firstSeenAt);
  if (isFileOlder) return toAge(fileChangedAt, 'file');
  return firstSeenAt && toAge(firstSeenAt, 'record');
}

/** `access key AKIA…, 12 days old (IAM)`. */
export function describeBaseKey(report: BaseReport & { readonly firstSeenAt?: Date }, now: Date): string {
  if (report.accessKeyId === null) return 'temporary credentials';
  const age = keyAgeOf(report, now);
  return `access key ${report.accessKeyId}${age === undefined ? '' : `, ${describeAge(age)}`}`;
}

function describeAge({ days, source }: KeyAge): string {
  const length = days === 0 ? 'less than a day' : counted(days, 'day');
  if (source === 'IAM') return `${length} old`;
  return source === 'file' ? `its file was written ${length} ago` : `in use for ${length}`;
}

/** What to do about a long-lived key that is too old; undefined if it is not. */
export function keyAgeWarning(report: BaseReport & { readonly firstSeenAt?: Date }, now: Date): string | undefined {
  const age = keyAgeOf(report, now);
  if (age === undefined || age.days <= MAX_KEY_AGE_DAYS) return undefined;
  const limit = `more than ${String(MAX_KEY_AGE_DAYS)} days`;
  const what = age.source === 'IAM' ? `is ${limit} old` : `has been in use for ${limit}`;
  return `The worker’s access key ${report.accessKeyId ?? ''} ${what} (${String(age.days)}). Create a second key for its user, configure it, and delete this one; or give the worker a role, which needs no key.`;
}

export function isBaseFault({ code }: JobError): boolean {
  return code === 'CONNECTION_NO_BASE_IDENTITY' || code === 'CONNECTION_BASE_REFUSED';
}
