/**
 * Request quotas: token buckets per account, region and operation group, charged to the caller's
 * account. Rates are in calls per second; sources and grades of the figures are in docs/sandbox.md.
 */
import type { ServiceName } from './service.ts';

export interface QuotaBucket {
  /** Operations that share the bucket, as `ssm.PutParameter`. */
  readonly operations: readonly string[];
  readonly ratePerSecond: number;
  readonly burst: number;
}

export type QuotaPreset = 'off' | 'documented' | 'support-2023' | 'high-throughput' | 'hostile';

export interface QuotaSettings {
  /** Where to start from; default 'off'. */
  readonly preset?: QuotaPreset;
  /** Multiplies every rate and burst. */
  readonly scale?: number;
  /** Sent as `x-amz-retry-after` with every refusal. */
  readonly retryAfterMs?: number;
  /** Replace the preset's bucket of each operation they name. */
  readonly buckets?: readonly QuotaBucket[];
}

export type QuotaOption = QuotaPreset | QuotaSettings;

const bucket = (operations: string, ratePerSecond: number, burst = ratePerSecond): QuotaBucket => ({
  operations: operations.split(' '),
  ratePerSecond,
  burst,
});

const STS = [bucket('sts.AssumeRole sts.GetCallerIdentity sts.GetAccessKeyInfo sts.GetFederationToken', 600)];

const IAM = [
  bucket(
    'iam.ListAccessKeys iam.CreateAccessKey iam.UpdateAccessKey iam.DeleteAccessKey iam.GetAccessKeyLastUsed',
    5,
    15,
  ),
  bucket('iam.GetUser iam.ListUserTags iam.TagUser', 5, 15),
  bucket('iam.SimulatePrincipalPolicy', 5, 10),
  bucket('iam.GetAccountSummary', 5, 15),
];

const SECRETS_MANAGER = [
  bucket('secretsmanager.GetSecretValue', 10_000),
  bucket('secretsmanager.DescribeSecret', 40_000),
  bucket('secretsmanager.BatchGetSecretValue', 100),
  bucket('secretsmanager.ListSecrets', 100),
  bucket(
    'secretsmanager.PutSecretValue secretsmanager.UpdateSecret secretsmanager.UpdateSecretVersionStage secretsmanager.ReplicateSecretToRegions secretsmanager.RemoveRegionsFromReplication',
    50,
  ),
  bucket('secretsmanager.TagResource secretsmanager.UntagResource', 50),
  bucket('secretsmanager.RestoreSecret', 50),
  bucket('secretsmanager.ValidateResourcePolicy', 50),
  bucket('secretsmanager.CreateSecret', 50),
  bucket('secretsmanager.DeleteSecret', 50),
  bucket('secretsmanager.ListSecretVersionIds', 50),
];

/** Operations for which AWS publishes no rate: "very low". */
const SSM_UNPUBLISHED = [
  bucket('ssm.DescribeParameters', 5, 10),
  bucket('ssm.DeleteParameter ssm.DeleteParameters', 5, 10),
  bucket('ssm.GetParameterHistory', 5, 10),
  bucket('ssm.AddTagsToResource ssm.RemoveTagsFromResource ssm.ListTagsForResource', 5, 10),
  bucket('ssm.LabelParameterVersion ssm.UnlabelParameterVersion', 5, 10),
  bucket('ssm.GetServiceSetting', 5, 10),
];
const SSM_READS = bucket('ssm.GetParameter ssm.GetParameters ssm.GetParametersByPath', 40);

const PRESETS: Readonly<Record<QuotaPreset, readonly QuotaBucket[]>> = {
  off: [],
  documented: [...STS, ...IAM, ...SECRETS_MANAGER, ...SSM_UNPUBLISHED, SSM_READS, bucket('ssm.PutParameter', 5, 10)],
  'support-2023': [
    ...STS,
    ...IAM,
    ...SECRETS_MANAGER,
    ...SSM_UNPUBLISHED,
    SSM_READS,
    bucket('ssm.PutParameter', 3, 20),
  ],
  'high-throughput': [
    ...STS,
    ...IAM,
    ...SECRETS_MANAGER,
    ...SSM_UNPUBLISHED,
    bucket('ssm.GetParameter', 10_000),
    bucket('ssm.GetParameters', 1_000),
    bucket('ssm.GetParametersByPath', 100),
    bucket('ssm.PutParameter', 10, 20),
  ],
  hostile: [...STS, ...IAM, ...SECRETS_MANAGER, ...SSM_UNPUBLISHED, SSM_READS, bucket('ssm.PutParameter', 1)].map(
    (b) => ({
      operations: b.operations,
      ratePerSecond: Math.min(b.ratePerSecond, 2),
      burst: Math.min(b.burst, 2),
    }),
  ),
};

export interface QuotaQuestion {
  readonly service: ServiceName;
  readonly operation: string;
  readonly accountId: string;
  readonly region: string;
  /** Milliseconds. */
  readonly now: number;
}

export interface Quotas {
  /** Takes a token; false: throttled. */
  take(question: QuotaQuestion): boolean;
  readonly retryAfterMs: number | undefined;
}

export function createQuotas(option: QuotaOption = 'off'): Quotas {
  const settings: QuotaSettings = typeof option === 'string' ? { preset: option } : option;
  const byOperation = new Map<string, QuotaBucket>();
  for (const b of [...PRESETS[settings.preset ?? 'off'], ...(settings.buckets ?? [])]) {
    for (const operation of b.operations) byOperation.set(operation, b);
  }
  const scale = settings.scale ?? 1;
  const levels = new Map<string, { tokens: number; at: number }>();
  return {
    retryAfterMs: settings.retryAfterMs,
    take: (question) => {
      const rule = byOperation.get(`${question.service}.${question.operation}`);
      if (!rule) return true;
      const name = `${question.accountId}/${question.region}/${rule.operations.join(' ')}`;
      const burst = Math.max(rule.burst * scale, 1);
      const level = levels.get(name) ?? { tokens: burst, at: question.now };
      const refill = (Math.max(question.now - level.at, 0) / 1000) * rule.ratePerSecond * scale;
      const tokens = Math.min(burst, level.tokens + refill);
      levels.set(name, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: question.now });
      return tokens >= 1;
    },
  };
}
