/**
 * The call budget: which operations share a rate at AWS, what is known of that rate, and the port
 * through which every call gets its token. The rate itself is learned and kept in PostgreSQL
 * (`db/call-budget.ts`).
 */

import { services } from './destinations/registry.ts';
import { type QuotaGroup, quotaGroup } from './quota-group.ts';

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
  /**
   * Resolves when the call may be made; throws AWS_THROTTLED (snooze, with `retryAfterMs`) when
   * that would take too long.
   */
  take(call: BudgetedCall, signal: AbortSignal): Promise<void>;
  /** AWS throttled the call. */
  throttled(call: BudgetedCall): Promise<void>;
}

/**
 * The shared ledger of tokens behind the budget: one row per account, region and group, for all
 * workers together.
 */
export interface BudgetLedger {
  /**
   * Takes up to `wanted` tokens, also ahead of time as long as the last is due within `maxWaitMs`.
   */
  grant(key: BudgetKey, wanted: number, maxWaitMs: number): Promise<Reservation>;
  /**
   * AWS refused a call; `returned` tokens were promised to the caller, who gives them back unused.
   */
  throttled(key: BudgetKey, returned: number): Promise<void>;
}

export type BudgetKey = Omit<BudgetedCall, 'subjectId'>;

export interface Reservation {
  readonly granted: number;
  /**
   * Tokens that were there: the n-th granted one is due (n − available) ÷ rate seconds from now.
   */
  readonly available: number;
  readonly ratePerSecond: number;
}

/** Milliseconds until the n-th token (from 1) of a reservation is due. */
export function dueInMs(reservation: Reservation, n: number): number {
  return Math.max(0, ((n - reservation.available) / reservation.ratePerSecond) * 1_000);
}

/**
 * Services that are not destinations. IAM publishes no rates; the initial ones are what AWS's
 * support and users reported.
 */
const otherGroups: readonly (readonly [QuotaGroup, readonly string[]])[] = [
  // 600/s together with what validations may take: sessions for work never queue behind them.
  [
    quotaGroup('sts', [190, 600, 200]),
    ['sts.AssumeRole', 'sts.GetCallerIdentity', 'sts.GetAccessKeyInfo', 'sts.GetFederationToken'],
  ],
  [
    quotaGroup('iam.keys', [5, 20, 10]),
    [
      'iam.ListAccessKeys',
      'iam.CreateAccessKey',
      'iam.UpdateAccessKey',
      'iam.DeleteAccessKey',
      'iam.GetAccessKeyLastUsed',
    ],
  ],
  [
    quotaGroup('iam.other', [5, 20, 10]),
    ['iam.GetUser', 'iam.SimulatePrincipalPolicy', 'iam.ListUsers', 'iam.ListUserTags', 'iam.GetAccountSummary'],
  ],
];

/** STS calls of validations: a million connections an hour take 280 a second. */
export const validationGroup: QuotaGroup = quotaGroup('sts.validation', [400, 500, 400]);

const unbudgeted = new Set(services.flatMap((service) => service.unbudgeted));

const byOperation = new Map(
  [...services.flatMap((service) => service.quotas), ...otherGroups].flatMap(([group, operations]) =>
    operations.map((operation) => [operation, group] as const),
  ),
);

/** The group of `ssm.PutParameter`; undefined for operations that need no budget. */
export function quotaGroupOf(operation: string): QuotaGroup | undefined {
  if (unbudgeted.has(operation)) return undefined;
  // An operation that is not listed gets its own group with a cautious rate.
  return byOperation.get(operation) ?? quotaGroup(operation, [4, 20, 5]);
}
