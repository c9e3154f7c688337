/**
 * What an error of Redis, its client or the network means, and what to do. Never the error's own
 * text, which may repeat an argument. Pure.
 */
import { tlsProblem } from './tls-problems.ts';

/** By the first word of Redis's answer, which a script's error carries further inside. */
const answers: readonly (readonly [RegExp, string])[] = [
  [
    /READONLY/,
    'is a replica (READONLY). REDIS_URL must lead to the primary; after a failover keyferry recovers automatically.',
  ],
  [/\bMOVED\b/, 'is a node of a cluster (MOVED). List its nodes in REDIS_URL, separated by commas.'],
  [/WRONGPASS|invalid password/, 'refused the password (WRONGPASS). Correct user and password in REDIS_URL.'],
  [/NOAUTH/, 'asks for a password (NOAUTH). Add it to REDIS_URL.'],
  [/NOPERM/, 'denies a command or key to the user of REDIS_URL (NOPERM). Allow it all commands on {keyferry}:*.'],
  [/CLUSTERDOWN/, 'is a cluster that is down (CLUSTERDOWN). Check that all its slots are served.'],
  [/MASTERDOWN/, 'is a replica that has lost its primary (MASTERDOWN). REDIS_URL must lead to the primary.'],
  [/LOADING/, 'is still loading its data (LOADING). Work resumes automatically.'],
  [/MISCONF/, 'cannot write to its disk (MISCONF). Check its disk; work resumes automatically.'],
  [/NOREPLICAS/, 'has too few replicas to accept writes (NOREPLICAS). Check its replicas.'],
  [/\bOOM\b/, 'is full (OOM). Raise maxmemory; work resumes automatically.'],
  [/NOSCRIPT/, 'has forgotten a script (NOSCRIPT). keyferry retries automatically.'],
  [/TRYAGAIN/, 'is moving keys between nodes of its cluster (TRYAGAIN). keyferry retries automatically.'],
  [/max number of clients/, 'has no connection left (maxclients). Raise maxclients, or run fewer processes.'],
  [/^-?DENIED/, 'refuses other machines in protected mode (DENIED). Give it a password, or bind it to an address.'],
  [
    /WRONGTYPE/,
    'holds other data under {keyferry}: (WRONGTYPE). Give keyferry a database number of its own in REDIS_URL.',
  ],
  [/\bBUSY\b/, 'is busy with a script (BUSY). keyferry retries automatically.'],
  [/DB index is out of range|SELECT is not allowed/, 'has no such database number. Correct the path in REDIS_URL.'],
  [/unknown command/i, 'does not know a command that BullMQ needs. Use Redis 6.2 or newer, or Valkey.'],
];

const network: readonly (readonly [RegExp, string])[] = [
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'has no address'],
  [/^ETIMEDOUT_TLS$/, 'does not answer a TLS handshake: does it expect redis:// (no TLS)?'],
  [/^(ECONNRESET|EPIPE)$/, 'closes connections at once: does it expect rediss:// (TLS), or redis:// (none)?'],
];

interface RawError {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly lastNodeError?: unknown;
}

/** The rest of the sentence after the server's name. */
export function redisProblem(error: unknown): string {
  const { message, code, lastNodeError } = (error ?? {}) as RawError;
  if (lastNodeError !== undefined) return redisProblem(lastNodeError);
  const text = typeof message === 'string' ? message : '';
  const answer = answers.find(([pattern]) => pattern.test(text))?.[1];
  if (answer !== undefined) return answer;
  const name = typeof code === 'string' ? code : '';
  const tls = tlsProblem(name);
  if (tls !== undefined)
    return `cannot be trusted: ${tls} (${name}). Check the scheme of REDIS_URL and NODE_EXTRA_CA_CERTS.`;
  const known = network.find(([pattern]) => pattern.test(name))?.[1];
  const unknown = /^([A-Z][A-Z0-9]{2,31}) /.exec(text)?.[1];
  if (name === '' && unknown !== undefined) return `refuses to work (${unknown}). Look at its log.`;
  const reason = name === '' ? '' : ` (${name})`;
  return `${known ?? 'cannot be reached'}${reason}. Check REDIS_URL and that the server runs.`;
}
