/**
 * The only reader of the environment. All settings are parsed once and together: a bad environment
 * is one error that names every wrong variable, and never the value of a secret one. Every secret
 * variable may also come from a file (`NAME_FILE`).
 */
import { statSync } from 'node:fs';

import { z } from 'zod';

import {
  apiTokens,
  boolean,
  concurrency,
  databaseUrl,
  duration,
  encryptionKeys,
  hosts,
  isHost,
  kmsKeys,
  jwtLogins,
  logLevel,
  port,
  redisUrl,
  roleArn,
  roleArns,
  webUrl,
  type EncryptionKeySetting,
} from './values.ts';
import type { Environment } from './environment.ts';
import { describeIssues, invalid, readPart, secretVariables, withFiles } from './reading.ts';
import { parseLogins, type ConfiguredLogins } from './operators.ts';
import { strayVariables } from './stray-variables.ts';
import { defined } from '../domain/defined.ts';
import type { JwtLogin } from '../domain/jwt-logins.ts';
import { ORG_PATTERN, ORG_PROBLEM } from '../domain/org.ts';
import { parseDatabaseUrl } from '../domain/servers/database-url.ts';
import { regionShape } from '../domain/region-shape.ts';
import type { Kind } from '../domain/run.ts';

export interface BaseKeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** When the file of the secret key was last written; undefined where it comes from a variable. */
  readonly fileChangedAt?: Date;
}

/** How the worker itself reaches AWS. */
export interface AwsConfig {
  /** Reads the pair again where it comes from files, which may be replaced at any time. */
  readonly baseCredentials: (() => Promise<BaseKeyPair>) | undefined;
  readonly baseRoleArn: string | undefined;
  readonly allowCustomEndpoints: boolean;
  readonly awsRegion: string | undefined;
  /**
   * The environment itself, for the SDK's own settings (endpoints, profiles); read by `src/aws`
   * through arguments only.
   */
  readonly environment: Environment;
}

export interface Config extends AwsConfig {
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
  readonly encryptionKeys: readonly [EncryptionKeySetting, ...EncryptionKeySetting[]];
  readonly kms: z.output<typeof kmsKeys> | undefined;
  readonly ownAccountRoles: readonly string[];
  readonly org: string;
  /** Name of this installation: a database that belongs to another one is guarded. */
  readonly installation: string | undefined;
  readonly concurrency: Readonly<Record<Kind, number>>;
  readonly revalidateEveryMs: number;
  readonly reconcileEveryMs: number;
  /** How long ended runs, answered requests and audit rows are kept. */
  readonly keepHistoryMs: number;
  readonly httpHost: string;
  readonly httpPort: number;
  /** Of a worker's health and metrics; undefined: it serves none. */
  readonly workerHttpPort: number | undefined;
  /** Further names under which the server may be reached, lower case. */
  readonly httpAllowedHosts: readonly string[];
  readonly logins: ConfiguredLogins;
  readonly isBoardWritable: boolean;
  readonly metricsToken: string | undefined;
  readonly webhook: { readonly url: string; readonly secret: string } | undefined;
  /** Hosts that webhooks may reach by plain http and at private addresses, lower case. */
  readonly webhookHosts: readonly string[];
  /** Hosts from which sources may be read by plain http and at private addresses, lower case. */
  readonly sourceHosts: readonly string[];
  readonly apiTokens: z.output<typeof apiTokens>;
  readonly jwtLogins: readonly JwtLogin[];
  readonly logLevel: string;
  readonly otlpEndpoint: string | undefined;
}

const shape = z.object({
  DATABASE_URL: databaseUrl,
  REDIS_URL: redisUrl.optional(),
  KEYFERRY_ENCRYPTION_KEYS: encryptionKeys,
  KEYFERRY_KMS_KEY_ARN: kmsKeys.optional(),
  INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: z.string().optional(),
  INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: z.string().optional(),
  KEYFERRY_BASE_ROLE_ARN: roleArn.optional(),
  KEYFERRY_OWN_ACCOUNT_ROLES: roleArns,
  KEYFERRY_ORG: z.string().regex(ORG_PATTERN, ORG_PROBLEM).default('default'),
  KEYFERRY_INSTALLATION: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits or . _ -')
    .optional(),
  KEYFERRY_ALLOW_CUSTOM_ENDPOINTS: boolean,
  AWS_REGION: regionShape.optional(),
  KEYFERRY_CONCURRENCY: concurrency,
  KEYFERRY_REVALIDATE_EVERY: duration('1h'),
  KEYFERRY_RECONCILE_EVERY: duration('1h'),
  KEYFERRY_KEEP_HISTORY: duration('90d'),
  KEYFERRY_HTTP_HOST: z
    .string()
    .refine(isHost, 'must be the name or address of an interface, without scheme and port')
    .default('127.0.0.1'),
  KEYFERRY_HTTP_PORT: port.default(3010),
  KEYFERRY_WORKER_HTTP_PORT: port.optional(),
  KEYFERRY_BOARD_USER: z.string().optional(),
  KEYFERRY_BOARD_PASSWORD: z.string().optional(),
  KEYFERRY_BOARD_WRITABLE: boolean,
  KEYFERRY_HTTP_ALLOWED_HOSTS: hosts,
  KEYFERRY_METRICS_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  KEYFERRY_WEBHOOK_URL: webUrl.optional(),
  KEYFERRY_WEBHOOK_SECRET: z.string().min(16, 'must have at least 16 characters').optional(),
  KEYFERRY_WEBHOOK_HOSTS: hosts,
  KEYFERRY_SOURCE_HOSTS: hosts,
  KEYFERRY_API_TOKENS: apiTokens,
  KEYFERRY_JWT_ISSUERS: jwtLogins,
  KEYFERRY_LOG_LEVEL: logLevel.default('info'),
  OTEL_EXPORTER_OTLP_ENDPOINT: webUrl.optional(),
});

/** Every variable that is read here; the SDK reads its own. */
export const variables: readonly string[] = Object.keys(shape.shape);

/** With the names of files that hold a secret one. */
export const settingNames: readonly string[] = [...variables, ...secretVariables.map((name) => `${name}_FILE`)];

const together = [
  ['INF_APP_CONNECTION_AWS_ACCESS_KEY_ID', 'INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY'],
  ['KEYFERRY_WEBHOOK_URL', 'KEYFERRY_WEBHOOK_SECRET'],
] as const;

const halfSet = (values: Environment, pairs: readonly (typeof together)[number][]): readonly string[] =>
  pairs
    .filter(([first, second]) => (values[first] === undefined) !== (values[second] === undefined))
    .map(([first, second]) => `${first} and ${second}: set both or neither`);

/**
 * Throws CONFIG_INVALID listing every problem; `problems` is in the error's context, one line each.
 */
export function loadConfig(environment: Environment): Config {
  const { values, problems } = withFiles(environment);
  problems.push(...strayVariables(values, settingNames));
  const parsed = shape.safeParse(values);
  problems.push(...halfSet(values, together));
  const { problems: ofLogins, ...logins } = parseLogins(values.KEYFERRY_BOARD_USER, values.KEYFERRY_BOARD_PASSWORD);
  problems.push(...ofLogins);
  if (!parsed.success) problems.push(...describeIssues(parsed.error, { values, problems }));
  if (values.REDIS_URL === undefined && parseDatabaseUrl(values.DATABASE_URL ?? '').server?.isPooled === true)
    problems.push('DATABASE_URL has pgbouncer=true, but the queue in PostgreSQL needs whole sessions: set REDIS_URL');
  if (!parsed.success || problems.length > 0) throw invalid(problems);
  return toConfig(parsed.data, environment, logins);
}

function toConfig(data: z.output<typeof shape>, environment: Environment, logins: ConfiguredLogins): Config {
  const { KEYFERRY_WEBHOOK_URL: webhookUrl, KEYFERRY_WEBHOOK_SECRET: webhookSecret } = data;
  return {
    ...toAwsConfig(data, environment),
    databaseUrl: data.DATABASE_URL,
    redisUrl: data.REDIS_URL,
    encryptionKeys: data.KEYFERRY_ENCRYPTION_KEYS,
    kms: data.KEYFERRY_KMS_KEY_ARN,
    ownAccountRoles: data.KEYFERRY_OWN_ACCOUNT_ROLES,
    org: data.KEYFERRY_ORG,
    installation: data.KEYFERRY_INSTALLATION,
    concurrency: data.KEYFERRY_CONCURRENCY,
    revalidateEveryMs: data.KEYFERRY_REVALIDATE_EVERY,
    reconcileEveryMs: data.KEYFERRY_RECONCILE_EVERY,
    keepHistoryMs: data.KEYFERRY_KEEP_HISTORY,
    httpHost: data.KEYFERRY_HTTP_HOST,
    httpPort: data.KEYFERRY_HTTP_PORT,
    workerHttpPort: data.KEYFERRY_WORKER_HTTP_PORT,
    httpAllowedHosts: data.KEYFERRY_HTTP_ALLOWED_HOSTS,
    logins,
    isBoardWritable: data.KEYFERRY_BOARD_WRITABLE,
    metricsToken: data.KEYFERRY_METRICS_TOKEN,
    webhook: webhookUrl && webhookSecret ? { url: webhookUrl, secret: webhookSecret } : undefined,
    webhookHosts: data.KEYFERRY_WEBHOOK_HOSTS,
    sourceHosts: data.KEYFERRY_SOURCE_HOSTS,
    apiTokens: data.KEYFERRY_API_TOKENS,
    jwtLogins: data.KEYFERRY_JWT_ISSUERS,
    logLevel: data.KEYFERRY_LOG_LEVEL,
    otlpEndpoint: data.OTEL_EXPORTER_OTLP_ENDPOINT,
  };
}

/** Throws CONFIG_INVALID when the files that hold the pair cannot be read. */
async function readBaseCredentials(environment: Environment): Promise<BaseKeyPair> {
  const { values, problems } = withFiles(environment, [
    'INF_APP_CONNECTION_AWS_ACCESS_KEY_ID',
    'INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY',
  ]);
  const {
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: secretAccessKey,
  } = values;
  if (problems.length > 0) throw invalid(problems);
  if (!accessKeyId || !secretAccessKey)
    throw invalid(['The files of the two INF_APP_CONNECTION_AWS_ variables are empty']);
  const fileChangedAt = changeOf(environment.INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY_FILE);
  return Promise.resolve({ accessKeyId, secretAccessKey, ...defined({ fileChangedAt }) });
}

function changeOf(file: string | undefined): Date | undefined {
  return file ? statSync(file, { throwIfNoEntry: false })?.mtime : undefined;
}

const serversShape = shape.pick({ DATABASE_URL: true, REDIS_URL: true });

/**
 * Only where the state and the queues are, for commands that need nothing else. Throws
 * CONFIG_INVALID.
 */
export function serversOf(environment: Environment): Pick<Config, 'databaseUrl' | 'redisUrl'> {
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = readPart(serversShape, environment, {
    files: ['DATABASE_URL', 'REDIS_URL'],
  });
  return { databaseUrl, redisUrl };
}

const awsShape = shape.pick({
  INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: true,
  INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: true,
  KEYFERRY_BASE_ROLE_ARN: true,
  KEYFERRY_ALLOW_CUSTOM_ENDPOINTS: true,
  AWS_REGION: true,
});

/** Only the worker’s own way to AWS, for commands without a database. Throws CONFIG_INVALID. */
export function awsConfigOf(environment: Environment): AwsConfig {
  const [baseKeyPair] = together;
  const check = (values: Environment) => halfSet(values, [baseKeyPair]);
  const data = readPart(awsShape, environment, { files: baseKeyPair, check });
  return toAwsConfig(data, environment);
}

function toAwsConfig(data: z.output<typeof awsShape>, environment: Environment): AwsConfig {
  return {
    baseCredentials: data.INF_APP_CONNECTION_AWS_ACCESS_KEY_ID ? () => readBaseCredentials(environment) : undefined,
    baseRoleArn: data.KEYFERRY_BASE_ROLE_ARN,
    allowCustomEndpoints: data.KEYFERRY_ALLOW_CUSTOM_ENDPOINTS,
    awsRegion: data.AWS_REGION,
    environment,
  };
}
