/**
 * The registry of error codes and the one error class. Every error that may leave the process is a `JobError`: its
 * public message is written here or by the code that raised it, never by drizzle, the SDK or zod. `docs/errors.md` is held to this table
 * by a test.
 */

import { cutText, toStorable } from './domain/text.ts';

export type Disposition = 'retry' | 'snooze' | 'fail';

interface ErrorEntry {
  /** What a run does with it: try again later, wait without spending an attempt, or stop. */
  readonly disposition: Disposition;
  /** The sentence shown when the raiser has nothing more exact to say. */
  readonly message: string;
  readonly meaning: string;
  /** What the reader of the message does next. */
  readonly nextStep: string;
}

/** disposition, message, meaning, next step */
type Line = readonly [Disposition, string, string, string];

const entry = (...[disposition, message, meaning, nextStep]: Line): ErrorEntry => ({
  disposition,
  message,
  meaning,
  nextStep,
});

export const errorTable = {
  CONFIG_INVALID: entry(
    'fail',
    'The configuration is not valid.',
    'One or more settings are missing, malformed or contradict each other.',
    'Set the variables that the message names; all problems are listed at once.',
  ),
  CONFIG_ENDPOINT_REFUSED: entry(
    'fail',
    'An AWS endpoint override points outside AWS and outside this machine.',
    'An endpoint setting could send credentials to a server that is not AWS.',
    'Unset the endpoint, or set KEYFERRY_ALLOW_CUSTOM_ENDPOINTS=true if it is meant.',
  ),
  CONFIG_DEPENDENCY_MISSING: entry(
    'fail',
    'An optional package is not installed.',
    'A command needs a package that was left out at installation.',
    'Install the package that the message names.',
  ),
  DB_GUARDED: entry(
    'fail',
    'Nothing may be changed at AWS: this database was moved, restored or copied, or a worker was started with --guarded.',
    'The database may be older than what AWS holds, or a copy of one that is still in use. Workers validate, check and plan, and write nothing.',
    'See `keyferry restore status`, then say what the database is with `keyferry restore accept --as moved|restored|clone`.',
  ),
  PAYLOAD_INVALID: entry(
    'fail',
    'The input is not valid.',
    'A field of a job, a request or a command is missing, unknown or malformed.',
    'Correct the field that the message names and send it again.',
  ),
  PAYLOAD_STALE: entry(
    'fail',
    'The object was changed in the meantime.',
    'The change was made from a version that is no longer the present one.',
    'Read the object again and repeat the change.',
  ),
  PAYLOAD_REQUEST_MISSING: entry(
    'fail',
    'There is no open request for this destructive job.',
    'import, remove and emergency jobs only name a request that the library, the CLI or the API recorded.',
    'Start it with the CLI, the API or the library instead of adding the job to the queue.',
  ),
  QUEUE_UNAVAILABLE: entry(
    'retry',
    'The queue cannot be reached.',
    'Redis, or PostgreSQL as the queue, does not answer.',
    'Check REDIS_URL and that the server runs; wishes are kept in PostgreSQL and run when it is back.',
  ),
  IDENTITY_NOT_FOUND: entry(
    'fail',
    'There is no such machine identity.',
    'A command named an identity that the org does not have.',
    'List them with `keyferry identity list`.',
  ),
  IDENTITY_NAME_TAKEN: entry(
    'fail',
    'An identity of this name exists already.',
    'Names of identities are unique within an org.',
    'Choose another name, or give that identity a new secret with `keyferry identity rotate-secret`.',
  ),
  CONNECTION_NOT_FOUND: entry(
    'fail',
    'There is no such connection.',
    'No connection of this org has this name or id.',
    'List them with `keyferry connection list`.',
  ),
  CONNECTION_NAME_TAKEN: entry(
    'fail',
    'A connection with this name exists already.',
    'Names are unique within a project.',
    'Choose another name, or update the existing connection.',
  ),
  CONNECTION_IN_USE: entry(
    'fail',
    'Syncs or rotations still use this connection.',
    'A connection with dependents is not deleted.',
    'Delete or move the dependents that the message names first.',
  ),
  CONNECTION_INVALID: entry(
    'fail',
    'The connection is not valid.',
    'AWS refused the credentials of the connection, so nothing that depends on it runs.',
    'Read `keyferry connection show`, apply the fix it names, then `keyferry connection validate`.',
  ),
  CONNECTION_PENDING: entry(
    'snooze',
    'The connection has not been validated yet.',
    'The first validation of the connection has not ended.',
    'Wait for it, or start it with `keyferry connection validate`.',
  ),
  CONNECTION_ACCESS_DENIED: entry(
    'fail',
    'AWS refused to let keyferry assume the role.',
    'Role, trust policy, external ID or the base identity’s permission do not match; AWS does not say which.',
    'Compare the role with `keyferry policy trust` and the base identity with `keyferry policy base-user`.',
  ),
  CONNECTION_KEY_UNKNOWN: entry(
    'fail',
    'AWS does not know this access key, or it is inactive.',
    'The key id was deleted, deactivated or mistyped.',
    'Activate the key, or give the connection another one with `keyferry connection update`.',
  ),
  CONNECTION_SECRET_WRONG: entry(
    'fail',
    'The secret access key does not belong to the access key id.',
    'AWS knows the key id, but the signature does not match.',
    'Give the connection the right pair with `keyferry connection update`.',
  ),
  CONNECTION_TOKEN_EXPIRED: entry(
    'retry',
    'The session expired.',
    'Temporary credentials of the connection or of the base identity ran out.',
    'keyferry takes new ones by itself; if it repeats, renew the base identity’s credentials.',
  ),
  CONNECTION_ACCOUNT_CHANGED: entry(
    'fail',
    'The credentials now belong to another AWS account.',
    'The account differs from the one verified before, so the connection’s syncs would write elsewhere.',
    'If the change is meant, create a new connection and move the syncs to it.',
  ),
  CONNECTION_EXTERNAL_ID_IGNORED: entry(
    'fail',
    'The role can be assumed without its external ID.',
    'The trust policy has no sts:ExternalId condition, so any customer of the base account could use the role.',
    'Add the condition that `keyferry policy trust` prints.',
  ),
  CONNECTION_ROLE_REFUSED: entry(
    'fail',
    'This role may not be used for a connection.',
    'It lies in the base identity’s own account or in another partition.',
    'List it in KEYFERRY_OWN_ACCOUNT_ROLES if it is meant, or use a role of the customer’s account.',
  ),
  CONNECTION_REGION_DISABLED: entry(
    'fail',
    'The region is not enabled for this account.',
    'STS or the service is switched off in this opt-in region.',
    'Enable the region in the account settings, or choose another.',
  ),
  CONNECTION_NO_BASE_IDENTITY: entry(
    'snooze',
    'The worker has no AWS credentials of its own.',
    'Neither the two INF_APP_CONNECTION_AWS_ variables nor the SDK’s default chain gave credentials; no connection is to blame.',
    'Repair the source that the message names. Runs wait, keep their status, and resume within a minute of the repair.',
  ),
  CONNECTION_BASE_REFUSED: entry(
    'snooze',
    'AWS refused the worker’s own identity.',
    'The base credentials are unknown, inactive, expired or mistyped, or the base role may not be assumed; no connection is to blame.',
    'Renew INF_APP_CONNECTION_AWS_ACCESS_KEY_ID and INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY, or the worker’s own role. Runs wait, keep their status, and resume within a minute of the repair.',
  ),
  CONNECTION_KEY_REFUSED: entry(
    'fail',
    'This kind of access key may not be used for a connection.',
    'It is a temporary key (ASIA…) or belongs to the root user of an account.',
    'Give the connection a long-lived key (AKIA…) of an IAM user with `keyferry connection update`.',
  ),
  SECRET_FOLDER_NOT_FOUND: entry(
    'fail',
    'There is no such folder.',
    'No secrets have been set under this project, environment and path.',
    'Create it with `keyferry secrets set`.',
  ),
  SECRET_MANAGED: entry(
    'fail',
    'This secret is managed by a rotation.',
    'Only its rotation may write it.',
    'Rotate it with `keyferry rotation run`, or delete the rotation first.',
  ),
  SECRET_UNDECRYPTABLE: entry(
    'fail',
    'A stored value cannot be decrypted.',
    'Its key id is not configured, or the row was changed outside keyferry.',
    'Run `keyferry keys check`; add the missing key or set the secret again.',
  ),
  SYNC_NOT_FOUND: entry(
    'fail',
    'There is no such sync.',
    'No sync of this org has this name or id.',
    'List them with `keyferry sync list`.',
  ),
  SYNC_NAME_TAKEN: entry(
    'fail',
    'A sync with this name exists already.',
    'Names are unique within a project.',
    'Choose another name, or update the existing sync.',
  ),
  SYNC_TARGET_TAKEN: entry(
    'fail',
    'Another sync of this org writes to the same target.',
    'Two syncs would overwrite each other.',
    'Choose another prefix, secret name or region, or delete the other sync.',
  ),
  SYNC_ENTRY_INVALID: entry(
    'fail',
    'A secret breaks a rule of the destination.',
    'Name, size, tier or tags of an entry are not allowed by AWS; the other entries were synced.',
    'Correct the entries listed in `keyferry sync show`.',
  ),
  SYNC_CONFLICT: entry(
    'fail',
    'An object with this name exists and is not ours.',
    'keyferry does not touch what it did not write.',
    'Remove or rename it, or allow taking it over with --on-existing adopt.',
  ),
  SYNC_DELETIONS_UNCONFIRMED: entry(
    'fail',
    'The plan deletes more than the brake allows.',
    'The source is empty or far more entries vanish than usual.',
    'Look at `keyferry sync plan`, then `keyferry sync run --confirm-deletions N`.',
  ),
  SYNC_PARTIAL: entry(
    'fail',
    'Some entries were not synced.',
    'One or more entries failed or are in conflict; all others are in place.',
    'See the entries with `keyferry sync show`.',
  ),
  SYNC_DRIFTED: entry(
    'fail',
    'Objects at AWS were changed by somebody else.',
    'The drift check found changed or missing objects, and the sync only detects.',
    'Repair them with `keyferry sync run`, or set --drift repair.',
  ),
  SYNC_LEFT_BEHIND: entry(
    'fail',
    'Objects that the sync wrote stay at AWS.',
    'The connection that wrote them can no longer be used, so they could not be deleted.',
    'Delete the objects that the run lists at AWS, then delete the sync with `keyferry sync delete NAME --abandon`.',
  ),
  SYNC_STILL_OWNED: entry(
    'fail',
    'The sync still owns objects at AWS.',
    'A sync is deleted only when nothing that it wrote is left at AWS, or when somebody abandons it.',
    'Delete them with `keyferry sync delete NAME --remove-secrets`, or leave them at AWS with --abandon.',
  ),
  KEY_ROTATION_NOT_FOUND: entry(
    'fail',
    'There is no such rotation.',
    'No rotation of this org has this name or id.',
    'List them with `keyferry rotation list`.',
  ),
  KEY_ROTATION_NAME_TAKEN: entry(
    'fail',
    'A rotation with this name exists already.',
    'Names are unique within a project.',
    'Choose another name, or update the existing rotation.',
  ),
  KEY_ROTATION_PAUSED: entry(
    'fail',
    'The rotation is paused.',
    'Nothing of it runs until it is resumed; its keys stay as they are.',
    'Resume it with `keyferry rotation resume`.',
  ),
  KEY_ROTATION_BUSY: entry(
    'fail',
    'The phase of the rotation does not allow this.',
    'Each order fits some phases only: cancelling before the publication, bringing a key back during the hold.',
    'Read `keyferry rotation show`, and do what the message names.',
  ),
  KEY_ROTATION_CANCELLED: entry(
    'fail',
    'The rotation was cancelled.',
    'A person cancelled it before its new key was published; the new key was deleted and the old one stays.',
    'Start it again with `keyferry rotation run` when it is wanted.',
  ),
  KEY_USER_TAKEN: entry(
    'fail',
    'Another rotation manages this IAM user.',
    'Two rotations of one user would delete each other’s keys.',
    'Delete the other rotation first.',
  ),
  KEY_USER_CHANGED: entry(
    'fail',
    'The IAM user was re-created.',
    'Its immutable id differs from the one pinned at the first rotation.',
    'Delete the rotation and create it anew if the new user is meant.',
  ),
  KEY_FOREIGN: entry(
    'fail',
    'The IAM user holds keys that this rotation did not make.',
    'A key of somebody else is never deleted, and AWS allows two keys a user.',
    'Adopt the key with `rotation create --adopt-key`, or remove it at AWS.',
  ),
  KEY_RESTORED: entry(
    'fail',
    'It is not certain which key consumers hold: the database was restored or failed over.',
    'AWS lists a key that the database does not know, lacks its newest one, or shows a use of a key that was never published. No key changes.',
    'Hand the key in use over with `rotation update NAME --adopt-key`, or delete at AWS what nobody uses.',
  ),
  KEY_AMBIGUOUS: entry(
    'fail',
    'It cannot be told which unknown key is the orphan of a lost answer.',
    'Several keys fit, or the one that fits was used.',
    'Delete the key that nobody uses at AWS, then `keyferry rotation run`.',
  ),
  KEY_VERIFY_TIMEOUT: entry(
    'fail',
    'The new key never started to work.',
    'AWS did not accept the new key within the limit; it was deleted and the old key stays.',
    'Run the rotation again later; if it repeats, look at the IAM user.',
  ),
  KEY_DEPENDENTS_WAITING: entry(
    'fail',
    'Dependent syncs have not written the new key.',
    'Both keys stay alive until every dependent sync confirmed.',
    'Run, fix or delete the syncs that the message names, or `keyferry rotation run --skip-sync NAME`.',
  ),
  AWS_ACCESS_DENIED: entry(
    'fail',
    'AWS denied the call.',
    'The identity lacks a permission, or a policy denies it.',
    'Allow the named action in the policy of the connection’s role or user; `keyferry policy` prints complete policies.',
  ),
  AWS_KMS_DENIED: entry(
    'fail',
    'AWS denied the use of the KMS key.',
    'The identity is not a user of the key, or the key is disabled or in another region.',
    'Allow the identity in the key policy, or enable the key.',
  ),
  AWS_THROTTLED: entry(
    'snooze',
    'AWS asks to slow down.',
    'The account’s request rate for this operation is used up.',
    'Nothing: keyferry waits and learns the rate.',
  ),
  AWS_LIMIT_EXCEEDED: entry(
    'fail',
    'A quota of the AWS account is used up.',
    'The account holds as many objects as AWS allows.',
    'Remove unused objects or raise the quota at AWS.',
  ),
  AWS_UNAVAILABLE: entry(
    'retry',
    'AWS answered with an internal error.',
    'The service has trouble; the call may or may not have had its effect and is checked before it is repeated.',
    'Nothing: it is tried again.',
  ),
  AWS_UNREACHABLE: entry(
    'retry',
    'AWS could not be reached.',
    'DNS, network, proxy or TLS failed, no answer came in time, or the answer was empty or cut.',
    'Check the network of the worker; it is tried again.',
  ),
  AWS_CLOCK_SKEW: entry(
    'retry',
    'The clock of this machine differs too much from AWS’s.',
    'AWS refuses signatures that are older than five minutes.',
    'Set the clock (NTP) of the worker’s machine.',
  ),
  AWS_REJECTED: entry(
    'fail',
    'AWS rejected the request.',
    'A parameter or the state of the object does not allow the call.',
    'Correct what the message names.',
  ),
  AWS_NOT_FOUND: entry(
    'fail',
    'The object does not exist at AWS.',
    'It was deleted, or never existed in this account and region.',
    'Check name, account and region.',
  ),
  AWS_CONFLICT: entry(
    'retry',
    'Somebody else changes the same object.',
    'AWS refused a concurrent change.',
    'Nothing: it is tried again.',
  ),
  DB_UNAVAILABLE: entry(
    'retry',
    'PostgreSQL cannot be reached.',
    'The database does not answer or ended the connection.',
    'Check DATABASE_URL and that the server runs.',
  ),
  DB_DENIED: entry(
    'fail',
    'PostgreSQL denies the role of DATABASE_URL a right that `keyferry migrate` needs.',
    'The role may neither create the schemas keyferry and bullmq, nor does it own them.',
    'Run the statement that the message names as the owner of the database, then `keyferry migrate` again.',
  ),
  DB_NOT_ACCEPTED: entry(
    'fail',
    'The database was not accepted.',
    '`restore accept` was refused: nothing is guarded, workers run, the counter does not fit, or the confirmation is missing.',
    'Do what the message says, then repeat the command; nothing was changed.',
  ),
  DB_NOT_MIGRATED: entry(
    'fail',
    'The database schema is older than this program.',
    'Migrations are missing.',
    'Run `keyferry migrate`.',
  ),
  DB_TOO_NEW: entry(
    'fail',
    'The database schema is newer than this program.',
    'Another, newer version migrated it.',
    'Update this installation of keyferry.',
  ),
  DB_KEY_MISSING: entry(
    'fail',
    'Rows are encrypted with a key that is not configured.',
    'KEYFERRY_ENCRYPTION_KEYS lacks a key id that is in use, or has another value for it.',
    'Add the key ids that the message names.',
  ),
  LEASE_LOST: entry(
    'retry',
    'The run lost its lease.',
    'The worker was paused or cut off, and another may have taken over.',
    'Nothing: the next run re-reads what was in flight.',
  ),
  LEASE_SHUTDOWN: entry(
    'snooze',
    'The worker is shutting down.',
    'The run stopped at a safe point and goes on elsewhere.',
    'Nothing.',
  ),
  BUG_UNEXPECTED: entry(
    'retry',
    'An unexpected error occurred.',
    'A defect of keyferry, or a state that it does not know.',
    'Look for the run’s id in the worker’s log and report it.',
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorTable;

export interface JobErrorDetails {
  /** The exact, public sentence; at most 256 characters are kept. Must hold no value and nothing of another org. */
  readonly message?: string;
  /** The same sentence with the names of servers, for the operator's terminal and log. Default: `message`. */
  readonly operatorMessage?: string | undefined;
  readonly disposition?: Disposition;
  readonly retryAfterMs?: number;
  /** Facts for the log and for callers: names and ids, never values. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

const MAX_PUBLIC_MESSAGE = 256;

export class JobError extends Error {
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly retryAfterMs: number | undefined;
  readonly publicMessage: string;
  readonly operatorMessage: string;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, details: JobErrorDetails = {}) {
    const message = truncate(details.message ?? errorTable[code].message);
    super(message, { cause: details.cause });
    this.name = 'JobError';
    this.code = code;
    this.disposition = details.disposition ?? errorTable[code].disposition;
    this.retryAfterMs = details.retryAfterMs;
    this.publicMessage = message;
    this.operatorMessage = truncate(details.operatorMessage ?? message);
    this.context = details.context ?? {};
  }
}

/** The message is stored with the run, and parts of it may come from AWS. */
function truncate(message: string): string {
  return toStorable(message.length <= MAX_PUBLIC_MESSAGE ? message : `${cutText(message, MAX_PUBLIC_MESSAGE - 1)}…`);
}

/** Unknown errors are private: their text stays in `cause`, for the redacted log only. */
export function toJobError(error: unknown): JobError {
  return error instanceof JobError ? error : new JobError('BUG_UNEXPECTED', { cause: error });
}
