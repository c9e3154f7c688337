/**
 * What a code of PostgreSQL, its drivers or the network means, and what to do; the same for
 * keyferry's tables and for the queue. Pure.
 */
import { tlsProblem } from './tls-problems.ts';

const REACH = 'Check DATABASE_URL and that the server is running.';

/**
 * The first match wins. Each concerns the server or the network: the statement may be repeated once
 * it is over.
 */
const problems: readonly (readonly [RegExp, string, string])[] = [
  [/^25006$/, 'is read-only: a standby, or set to read-only', 'DATABASE_URL must lead to the primary.'],
  [/^53100$/, 'has no space left on its disk', 'Free or add space; work resumes automatically.'],
  [/^53200$/, 'is out of memory', 'Lower its load or give it more; work resumes automatically.'],
  [
    /^(53300|53400)$/,
    'has no connection left',
    'Raise max_connections or its limit for this role, or run fewer processes.',
  ],
  [/^53/, 'lacks resources', 'Check its log; work resumes automatically.'],
  [/^(58|F0|XX)/, 'has a fault of its own', 'Check its disk and its log.'],
  [/^(55000|55006)$/, 'does not accept work in this database', 'Check its log; keyferry retries automatically.'],
  [/^(25P03|25P04|57P05)$/, 'ended a session that took too long', 'keyferry retries automatically.'],
  [/^57P0/, 'is starting, stopping or failing over', 'keyferry retries automatically.'],
  [/^40003$/, 'ended a statement without an answer', 'keyferry retries automatically.'],
  [
    /^42501$/,
    'denies a right to the role of DATABASE_URL',
    'Make it the owner of the schemas keyferry and bullmq, or run `keyferry migrate` as their owner.',
  ],
  [/^28P01$/, 'refused the password', 'Correct DATABASE_URL.'],
  [
    /^(AUTH_TYPE_NOT_IMPLEMENTED|SASL_)/,
    'asks for a login that the driver cannot make',
    'Use scram-sha-256 for this role in pg_hba.conf.',
  ],
  [/^28/, 'refused the login', 'Check user and password in DATABASE_URL, and pg_hba.conf for TLS and address.'],
  [/^3D000$/, 'has no such database', 'Create it, or correct DATABASE_URL.'],
  [
    /^(08P01|26000)$/,
    'is behind a pooler that gives no whole sessions',
    'Set pool_mode = session, or add pgbouncer=true to DATABASE_URL.',
  ],
  [/^(40001|40P01|55P03|57014)$/, 'asked to repeat the statement', 'keyferry retries automatically.'],
  [/^(ENOTFOUND|EAI_\w+)$/, 'has no address', 'Check the host in DATABASE_URL and DNS.'],
  [/^EACCES$/, 'has a socket that this process may not use', 'Check its rights and the user of this process.'],
  [/^(EMFILE|ENFILE)$/, 'cannot be reached: this process has no file descriptor left', 'Raise its limit (ulimit -n).'],
  [/^ENOENT$/, 'has no socket there', 'Check the host directory and the port in DATABASE_URL.'],
  [/^(CONNECTION_|CONNECT_|ECONN|EHOST|ENET|EADDR|ENOTCONN|ETIMEDOUT|EPIPE|08)/, 'cannot be reached', REACH],
];

/**
 * The rest of the sentence after the name of the server; undefined when the code concerns neither
 * server nor network.
 */
export function postgresProblem(code: string): string | undefined {
  const tls = tlsProblem(code);
  if (tls !== undefined) return `cannot be trusted: ${tls} (${code}). Check sslmode and sslrootcert in DATABASE_URL.`;
  const found = problems.find(([pattern]) => pattern.test(code));
  return found && `${found[1]} (${code}). ${found[2]}`;
}
