/** The environment of tests: no test and no process that it starts may reach a real system. */
import { sandboxEnvironment } from '../../src/sandbox/environment.ts';

/** For child processes of a test: the clean environment plus what the test passes by name. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { ...sandboxEnvironment(process.env), ...extra };
}

/**
 * 192.0.2.0/24 is reserved for documentation: whoever follows one of these hangs or fails, and
 * reaches nobody.
 */
const HOSTILE_HOST = '192.0.2.1';
const hostileUrl = (scheme: string, port: number): string =>
  `${scheme}://hostile:hostile@${HOSTILE_HOST}:${port}/hostile`;

/**
 * The worst environment of a developer's shell. Safe code must behave as if none of it were set.
 */
export function hostileEnvironment(): Record<string, string> {
  return {
    ...sandboxEnvironment(process.env),
    ...hostileAws(),
    ...hostileServers(),
    ...hostileSettings(),
  };
}

/** The same with settings of the process itself that `up --sandbox` obeys. */
export const hostileEnvironmentOfUp = (): Record<string, string> => ({
  ...hostileEnvironment(),
  KEYFERRY_HTTP_HOST: '127.0.0.1',
  KEYFERRY_CONCURRENCY: 'validate=2',
});

function hostileAws(): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: 'AKIAHOSTILEHOSTILE00',
    AWS_SECRET_ACCESS_KEY: 'hostile',
    AWS_SESSION_TOKEN: 'hostile',
    AWS_PROFILE: 'hostile-production',
    AWS_DEFAULT_PROFILE: 'hostile-production',
    AWS_REGION: 'hostile-region-1',
    AWS_DEFAULT_REGION: 'hostile-region-1',
    AWS_ENDPOINT_URL: `http://${HOSTILE_HOST}:1`,
    AWS_ENDPOINT_URL_STS: `http://${HOSTILE_HOST}:1`,
    AWS_ENDPOINT_URL_SSM: `http://${HOSTILE_HOST}:1`,
    AWS_ENDPOINT_URL_IAM: `http://${HOSTILE_HOST}:1`,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://${HOSTILE_HOST}:1`,
    AWS_CA_BUNDLE: '/nonexistent/hostile.pem',
    AWS_CONFIG_FILE: '/nonexistent/hostile-config',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/hostile-credentials',
    AWS_ROLE_ARN: 'arn:aws:iam::999999999999:role/hostile',
    AWS_WEB_IDENTITY_TOKEN_FILE: '/nonexistent/hostile-token',
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://${HOSTILE_HOST}:1/credentials`,
    AWS_EC2_METADATA_DISABLED: 'false',
    AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${HOSTILE_HOST}:1`,
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: 'AKIAHOSTILEHOSTILE01',
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: 'hostile',
  };
}

function hostileServers(): Record<string, string> {
  return {
    DATABASE_URL: hostileUrl('postgres', 5432),
    DATABASE_URL_FILE: '/nonexistent/hostile-url',
    REDIS_URL: hostileUrl('redis', 6379),
    PGHOST: HOSTILE_HOST,
    PGPORT: '1',
    PGDATA: '/nonexistent/hostile-data',
    PGUSER: 'hostile',
    PGPASSWORD: 'hostile',
    PGDATABASE: 'hostile',
    PGSSLMODE: 'verify-full',
    PGOPTIONS: '-c statement_timeout=1',
    HTTP_PROXY: `http://${HOSTILE_HOST}:1`,
    HTTPS_PROXY: `http://${HOSTILE_HOST}:1`,
    http_proxy: `http://${HOSTILE_HOST}:1`,
    https_proxy: `http://${HOSTILE_HOST}:1`,
    NODE_USE_ENV_PROXY: '1',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${HOSTILE_HOST}:1`,
  };
}

function hostileSettings(): Record<string, string> {
  return {
    KEYFERRY_ENCRYPTION_KEYS: 'hostile:aG9zdGlsZQ==',
    KEYFERRY_KMS_KEY_ARN: 'arn:aws:kms:us-east-1:999999999999:key/00000000-0000-0000-0000-000000000000',
    KEYFERRY_BASE_ROLE_ARN: 'arn:aws:iam::999999999999:role/hostile',
    KEYFERRY_ALLOW_CUSTOM_ENDPOINTS: 'true',
    KEYFERRY_ORG: 'hostile-org',
    KEYFERRY_CONCURRENCY: 'validate=0',
    KEYFERRY_HTTP_HOST: '0.0.0.0',
    KEYFERRY_HTTP_PORT: '1',
    KEYFERRY_API_TOKENS: 'hostile:hostile:00',
    KEYFERRY_JWT_ISSUERS: 'hostile',
    KEYFERRY_LOG_LEVEL: 'trace',
  };
}
