/**
 * What demo, sandbox mode and tests run in: an environment from which no real system can be
 * reached. Everything that names a server, an identity or a configuration is dropped, and the AWS
 * SDK's own places for shared configuration are pointed at nothing.
 */

/** Prefixes of variables that lead to real systems or change how they are reached. */
const DROPPED_PREFIXES = ['AWS_', 'INF_', 'KEYFERRY_', 'PG', 'OTEL_', 'BULLMQ_', 'REDIS_', 'DATABASE_', 'POSTGRES_'];
const DROPPED_NAMES = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'NODE_USE_ENV_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];
/** The only settings that tests take from outside. */
const KEPT_PREFIX = 'KEYFERRY_TEST_';

/**
 * A path that cannot exist: `/dev/null` is no folder. The SDK reads a missing file as an empty one.
 */
const NOWHERE = process.platform === 'win32' ? 'NUL\\keyferry' : '/dev/null/keyferry';

const SET = {
  AWS_CONFIG_FILE: NOWHERE,
  AWS_SHARED_CREDENTIALS_FILE: NOWHERE,
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
};

type Environment = Readonly<Record<string, string | undefined>>;

/** A clean copy; the given environment is not changed. */
export function sandboxEnvironment(environment: Environment): Record<string, string> {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !isDropped(name)) clean[name] = value;
  }
  return { ...clean, ...SET };
}

function isDropped(name: string): boolean {
  const upper = name.toUpperCase();
  if (upper.startsWith(KEPT_PREFIX)) return false;
  return DROPPED_NAMES.includes(upper) || DROPPED_PREFIXES.some((prefix) => upper.startsWith(prefix));
}

/** Makes this process's own environment the clean one: the SDK reads it by itself, at any time. */
export function enterSandboxEnvironment(): void {
  const clean = sandboxEnvironment(process.env);
  for (const name of Object.keys(process.env)) {
    if (!(name in clean)) Reflect.deleteProperty(process.env, name);
  }
  Object.assign(process.env, clean);
}

/**
 * Names of variables that could still reach a real system; empty inside the sandbox. For an
 * assertion at its start.
 */
export function findUnsafeVariables(environment: Environment): string[] {
  const unsafe = Object.keys(environment).filter(
    (name) => isDropped(name) && environment[name] !== SET[name as keyof typeof SET],
  );
  const missing = Object.keys(SET).filter((name) => environment[name] === undefined);
  return [...unsafe, ...missing].sort();
}
