/**
 * The call budget: which operations share a rate at AWS, what is known of that rate, and the port through which every call asks for leave.
 * The rate itself is learned and kept in PostgreSQL (`db/call-budget.ts`).
 */

export interface QuotaGroup {
  readonly name: string;
  /** Calls per second to start with. */
  readonly initialRate: number;
  /** What learning never exceeds. */
  readonly maxRate: number;
  /** Calls that may be made at once after a pause. */
  readonly burst: number;
}

/** One call about to be made. */
export interface BudgetedCall {
  /** The account that AWS charges: the caller's. */
  readonly accountId: string;
  readonly region: string;
  readonly group: QuotaGroup;
  /** Calls of one account are shared out between subjects. */
  readonly subjectId: string;
}

export interface CallBudget {
  /** Resolves when the call may be made; throws AWS_THROTTLED (snooze, with `retryAfterMs`) when that would take too long. */
  take(call: BudgetedCall, signal: AbortSignal): Promise<void>;
  /** AWS refused the call for its rate. */
  throttled(call: BudgetedCall): Promise<void>;
}

/** The shared ledger of tokens behind the budget: one row per account, region and group, for all workers together. */
export interface BudgetLedger {
  /** Takes up to `wanted` tokens, also ahead of time as long as the last is due within `maxWaitMs`. */
  grant(key: BudgetKey, wanted: number, maxWaitMs: number): Promise<Reservation>;
  throttled(key: BudgetKey): Promise<void>;
}

export type BudgetKey = Omit<BudgetedCall, 'subjectId'>;

export interface Reservation {
  readonly granted: number;
  /** Tokens that were there: the n-th granted one is due (n − available) ÷ rate seconds from now. */
  readonly available: number;
  readonly ratePerSecond: number;
}

/** Milliseconds until the n-th token (from 1) of a reservation is due. */
export function dueInMs(reservation: Reservation, n: number): number {
  return Math.max(0, ((n - reservation.available) / reservation.ratePerSecond) * 1_000);
}

/** `[initialRate, maxRate, burst]` */
const group = (name: string, [initialRate, maxRate, burst]: readonly [number, number, number]): QuotaGroup => ({
  name,
  initialRate,
  maxRate,
  burst,
});

/** Published rates are used to 95 %; for unpublished ones (IAM, parameter writes, tags) the start is what AWS's support and users reported. */
const groups: readonly (readonly [QuotaGroup, readonly string[]])[] = [
  // 600/s together with what validations may take: sessions for work never queue behind them.
  [group('sts', [190, 600, 200]), ['sts.AssumeRole', 'sts.GetCallerIdentity', 'sts.GetAccessKeyInfo']],
  [group('ssm.put', [3, 40, 20]), ['ssm.PutParameter']],
  // They share 40/s by default. High throughput raises the first two and leaves the third at 100/s, so each learns its own rate.
  [group('ssm.get', [38, 1_000, 38]), ['ssm.GetParameter', 'ssm.GetParameters']],
  [group('ssm.path', [38, 95, 38]), ['ssm.GetParametersByPath']],
  [group('ssm.describe', [4, 20, 5]), ['ssm.DescribeParameters']],
  [group('ssm.delete', [4, 20, 5]), ['ssm.DeleteParameter', 'ssm.DeleteParameters']],
  [group('ssm.tags', [4, 20, 5]), ['ssm.AddTagsToResource', 'ssm.RemoveTagsFromResource', 'ssm.ListTagsForResource']],
  [
    group('secretsmanager.write', [47, 50, 47]),
    [
      'secretsmanager.PutSecretValue',
      'secretsmanager.UpdateSecret',
      'secretsmanager.UpdateSecretVersionStage',
      'secretsmanager.ReplicateSecretToRegions',
      'secretsmanager.RemoveRegionsFromReplication',
      'secretsmanager.StopReplicationToReplica',
    ],
  ],
  [group('secretsmanager.create', [47, 50, 47]), ['secretsmanager.CreateSecret']],
  [group('secretsmanager.delete', [47, 50, 47]), ['secretsmanager.DeleteSecret']],
  [group('secretsmanager.restore', [47, 50, 47]), ['secretsmanager.RestoreSecret']],
  [group('secretsmanager.tags', [47, 50, 47]), ['secretsmanager.TagResource', 'secretsmanager.UntagResource']],
  [group('secretsmanager.list', [95, 100, 95]), ['secretsmanager.ListSecrets']],
  [group('secretsmanager.versions', [47, 50, 47]), ['secretsmanager.ListSecretVersionIds']],
  [group('secretsmanager.batch', [95, 100, 95]), ['secretsmanager.BatchGetSecretValue']],
  [
    group('iam.keys', [5, 20, 10]),
    [
      'iam.ListAccessKeys',
      'iam.CreateAccessKey',
      'iam.UpdateAccessKey',
      'iam.DeleteAccessKey',
      'iam.GetAccessKeyLastUsed',
    ],
  ],
  [
    group('iam.other', [5, 20, 10]),
    ['iam.GetUser', 'iam.SimulatePrincipalPolicy', 'iam.ListUsers', 'iam.ListUserTags', 'iam.GetAccountSummary'],
  ],
];

/** STS calls of validations: a million connections an hour take 280 a second. */
export const validationGroup: QuotaGroup = group('sts.validation', [400, 500, 400]);

/** AWS allows thousands a second: asking for leave would cost more than it saves. */
const unbudgeted = new Set(['secretsmanager.GetSecretValue', 'secretsmanager.DescribeSecret']);

const byOperation = new Map(
  groups.flatMap(([one, operations]) => operations.map((operation) => [operation, one] as const)),
);

/** The group of `ssm.PutParameter`; undefined for operations that need no budget. */
export function quotaGroupOf(operation: string): QuotaGroup | undefined {
  if (unbudgeted.has(operation)) return undefined;
  // An operation that nobody listed gets a careful group of its own.
  return byOperation.get(operation) ?? group(operation, [4, 20, 5]);
}
