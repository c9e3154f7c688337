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
    'Unset the endpoint, or set KEYFERRY_ALLOW_CUSTOM_ENDPOINTS=true if you trust it.',
  ),
  CONFIG_DEPENDENCY_MISSING: entry(
    'fail',
    'An optional package is not installed.',
    'A command needs a package that was left out at installation.',
    'Install the package that the message names.',
  ),
  DB_GUARDED: entry(
    'fail',
    'Changes at AWS are disabled: this database was moved, restored or copied, or a worker was started with --guarded.',
    'The database may be older than what AWS holds, or a copy of one that is still in use. Workers validate, check and plan, and write nothing.',
    'Run `keyferry restore status`, then declare what the database is with `keyferry restore accept --as moved|restored|clone`.',
  ),
  PAYLOAD_INVALID: entry(
    'fail',
    'The input is not valid.',
    'A field of a job, a request or a command is missing, unknown or malformed.',
    'Correct the field that the message names and send it again.',
  ),
  PAYLOAD_DECLINED: entry(
    'fail',
    'Nothing was done.',
    'A command that takes something away asks on a terminal, and the answer was not yes.',
    'Answer y, or give --yes.',
  ),
  PAYLOAD_STALE: entry(
    'fail',
    'The object was changed in the meantime.',
    'The change was based on a version that is no longer current.',
    'Read the object again and repeat the change.',
  ),
  PAYLOAD_REQUEST_MISSING: entry(
    'fail',
    'There is no open request for this destructive job.',
    'import, remove and emergency jobs only name a request that the library, the CLI or the API recorded.',
    'Start it with the CLI, the API or the library instead of adding the job to the queue.',
  ),
  QUEUE_TIMEOUT: entry(
    'fail',
    'The result did not come in time.',
    'Waiting for a run took longer than the time limit of the command or request. The run goes on.',
    'Look at `keyferry run list`, or wait longer with --timeout.',
  ),
  QUEUE_REQUEST_CANCELLED: entry(
    'fail',
    'The request was cancelled before a run answered it.',
    'Somebody cancelled what was asked for, or the object was deleted.',
    'Ask for it again if it is still wanted.',
  ),
  QUEUE_UNAVAILABLE: entry(
    'snooze',
    'The queue cannot be reached.',
    'Redis, or PostgreSQL as the queue, does not respond.',
    'Check REDIS_URL and that the server is running. Requests are kept in PostgreSQL and run when the queue is back.',
  ),
  IDENTITY_NOT_FOUND: entry(
    'fail',
    'There is no such machine identity.',
    'A command named an identity that the org does not have.',
    'List them with `keyferry identity list`.',
  ),
  IDENTITY_NAME_TAKEN: entry(
    'fail',
    'An identity with this name already exists.',
    'Identity names are unique within an org.',
    'Choose another name, or give that identity a new secret with `keyferry identity rotate-secret`.',
  ),
  IDENTITY_ISSUER_UNAVAILABLE: entry(
    'retry',
    'The keys of the issuer of a JWT cannot be read.',
    'A workload logged in with a JWT, and the issuer that KEYFERRY_JWT_ISSUERS names did not answer, or not with a key set of at most 256 KiB. Access tokens that were given out remain valid.',
    'Check that the server reaches the issuer over https; the message names the cause. The client logs in again.',
  ),
  WEBHOOK_NOT_FOUND: entry(
    'fail',
    'There is no such webhook.',
    'No webhook of this org has this name or id.',
    'List them with `keyferry webhook list`.',
  ),
  WEBHOOK_NAME_TAKEN: entry(
    'fail',
    'A webhook with this name already exists.',
    'Webhook names are unique within an org.',
    'Choose another name, or delete the existing webhook.',
  ),
  WEBHOOK_URL_REFUSED: entry(
    'fail',
    'The URL of the webhook is refused.',
    'Messages go to https URLs with public addresses only, so that nobody reaches inner services through keyferry.',
    'Use an https URL, or let the operator list the host in KEYFERRY_WEBHOOK_HOSTS.',
  ),
  SOURCE_NOT_FOUND: entry(
    'fail',
    'This folder has no source.',
    'A command named a folder whose secrets are set by hand, or that does not exist.',
    'Check --project, --env and --path, or set a source with `keyferry source set`.',
  ),
  SOURCE_URL_REFUSED: entry(
    'fail',
    'The URL of the source is refused.',
    'Sources are read from https URLs with public addresses only, so that nobody reads inner services through keyferry.',
    'Use an https URL, or let the operator list the host in KEYFERRY_SOURCE_HOSTS.',
  ),
  SOURCE_UNAVAILABLE: entry(
    'retry',
    'The source of a folder cannot be read.',
    'It did not answer within 10 s, or with an error of its own. The folder keeps its secrets.',
    'Check that the source is up and reachable from the workers; keyferry retries automatically.',
  ),
  SOURCE_DENIED: entry(
    'fail',
    'The source of a folder refuses the credentials or does not know what it is asked for.',
    'It answered with 401, 403, 404 or another refusal. The folder keeps its secrets.',
    'Check the credentials, the project, the environment and the path, then set the source again with `keyferry source set`.',
  ),
  SOURCE_ANSWER_REFUSED: entry(
    'fail',
    'The answer of the source of a folder cannot be used.',
    'It is larger than 1 MiB, no list of secrets, or names a secret that cannot be stored. Nothing of it was used; the folder keeps its secrets.',
    'Repair what the message names at the source, then `keyferry source run`.',
  ),
  SOURCE_DELETIONS_UNCONFIRMED: entry(
    'fail',
    'The source no longer has many of the secrets in its folder.',
    'An empty answer, one that would remove more than 10 secrets and 30 % of the folder, or the first answer after `source set` that removes any waits for a confirmation.',
    'Look at the source; if the removals are meant, run `keyferry source run` with the --confirm-deletions that the message names.',
  ),
  CONNECTION_NOT_FOUND: entry(
    'fail',
    'There is no such connection.',
    'No connection of this org has this name or id.',
    'List them with `keyferry connection list`.',
  ),
  CONNECTION_NAME_TAKEN: entry(
    'fail',
    'A connection with this name already exists.',
    'Names are unique within a project.',
    'Choose another name, or update the existing connection.',
  ),
  CONNECTION_IN_USE: entry(
    'fail',
    'Syncs or rotations still use this connection.',
    'A connection with dependents is not deleted.',
    'Delete or move them first.',
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
    'The role, the trust policy, the external ID or the permissions of the base identity do not match. AWS does not report which.',
    'Compare the role with `keyferry policy trust` and the base identity with `keyferry policy base-user`.',
  ),
  CONNECTION_KEY_UNKNOWN: entry(
    'fail',
    'AWS does not know this access key, or it is inactive.',
    'The key id was deleted, deactivated or mistyped.',
    'Activate the key, or set another one with `keyferry connection update`.',
  ),
  CONNECTION_SECRET_WRONG: entry(
    'fail',
    'The secret access key does not belong to the access key id.',
    'AWS knows the key id, but the signature does not match.',
    'Set the matching pair with `keyferry connection update`.',
  ),
  CONNECTION_TOKEN_EXPIRED: entry(
    'retry',
    'The session expired.',
    'Temporary credentials of the connection or of the base identity expired.',
    'keyferry requests new ones automatically. If this repeats, renew the credentials of the base identity.',
  ),
  CONNECTION_ACCOUNT_CHANGED: entry(
    'fail',
    'The credentials now belong to another AWS account.',
    'The account differs from the one verified before, so the connection’s syncs would write to another account.',
    'If the change is intended, create a new connection and move the syncs to it.',
  ),
  CONNECTION_EXTERNAL_ID_IGNORED: entry(
    'fail',
    'The role can be assumed without its external ID.',
    'The trust policy has no sts:ExternalId condition, so any customer of the base account could use the role.',
    'Add the condition that `keyferry policy trust` prints.',
  ),
  CONNECTION_EXTERNAL_ID_TAKEN: entry(
    'fail',
    'The external ID is another org’s.',
    'Another org has this id, or an operator gave it to a connection of another org first: with it, one org could use the other’s role.',
    'Give the connection its own org’s id (`keyferry connection update NAME --external-id ORG`), and change the role’s trust policy.',
  ),
  CONNECTION_ROLE_REFUSED: entry(
    'fail',
    'This role may not be used for a connection.',
    'The role is in the base identity’s own account or in another partition.',
    'If this is intended, list the role in KEYFERRY_OWN_ACCOUNT_ROLES; otherwise use a role in the customer’s account.',
  ),
  CONNECTION_REGION_DISABLED: entry(
    'fail',
    'The region is not enabled for this account.',
    'STS or the service is disabled in this opt-in region.',
    'Enable the region in the account settings, or choose another.',
  ),
  CONNECTION_NO_BASE_IDENTITY: entry(
    'snooze',
    'The worker has no AWS credentials of its own.',
    'Neither the two INF_APP_CONNECTION_AWS_ variables nor the SDK’s default chain provided credentials. The cause is not a connection.',
    'Fix the source that the message names. Runs wait, keep their status, and resume within a minute of the fix.',
  ),
  CONNECTION_BASE_REFUSED: entry(
    'snooze',
    'AWS refused the worker’s own identity.',
    'The base credentials are unknown, inactive, expired or mistyped, or the base role cannot be assumed. The cause is not a connection.',
    'Renew INF_APP_CONNECTION_AWS_ACCESS_KEY_ID and INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY, or fix the worker’s own role. Runs wait, keep their status, and resume within a minute of the fix.',
  ),
  CONNECTION_KEY_REFUSED: entry(
    'fail',
    'This kind of access key may not be used for a connection.',
    'It is a temporary key (ASIA…) or belongs to the root user of an account.',
    'Set a long-lived key (AKIA…) of an IAM user with `keyferry connection update`.',
  ),
  SECRET_FOLDER_NOT_FOUND: entry(
    'fail',
    'There is no such folder.',
    'No secrets have been set in this project, environment and path.',
    'Create it with `keyferry secrets set`.',
  ),
  SECRET_SOURCED: entry(
    'fail',
    'This folder has a source.',
    'The secrets of a folder with a source are written by its source and by rotations only, since the next pull would undo other changes.',
    'Change the secret at the source, or end that with `keyferry source unset`.',
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
    'Its encryption key is not configured, or the row was changed outside keyferry.',
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
    'A sync with this name already exists.',
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
    'AWS does not allow the name, size, tier or tags of an entry. The other entries were synced.',
    'Correct the entries listed in `keyferry sync show`.',
  ),
  SYNC_CONFLICT: entry(
    'fail',
    'An object with this name exists and is not managed by this sync.',
    'keyferry does not change objects that it did not write.',
    'Remove or rename the object, or let the sync take it over with --on-existing adopt.',
  ),
  SYNC_DELETIONS_UNCONFIRMED: entry(
    'fail',
    'The plan deletes more than the brake allows.',
    'The source is empty, or the plan deletes far more entries than usual.',
    'Check `keyferry sync plan`, then run `keyferry sync run --confirm-deletions N`.',
  ),
  SYNC_CANCELLED: entry(
    'fail',
    'A person cancelled it. What was written until then stays at AWS.',
    'The run stopped before its next write. An automatic sync is paused, so that it does not begin again by itself.',
    'Start an automatic sync again with `keyferry sync resume NAME`, or run it once with `keyferry sync run NAME`.',
  ),
  SYNC_NOTHING_TO_CANCEL: entry(
    'fail',
    'Nothing of the sync is running or waiting.',
    'A sync is cancelled only while a run or a request of it is open.',
    'To stop automatic runs, use `keyferry sync pause NAME`.',
  ),
  SYNC_PARTIAL: entry(
    'fail',
    'Some entries were not synced.',
    'One or more entries failed or are in conflict. All others were synced.',
    'List the entries with `keyferry sync show`.',
  ),
  SYNC_DRIFTED: entry(
    'fail',
    'Objects at AWS were changed outside keyferry.',
    'The drift check found changed or missing objects, and the sync only reports drift.',
    'Repair them with `keyferry sync run`, or set --drift repair.',
  ),
  SYNC_LEFT_BEHIND: entry(
    'fail',
    'Objects that the sync wrote remain at AWS.',
    'The connection that wrote them can no longer be used, so they could not be deleted.',
    'Delete the objects that the run lists at AWS, then delete the sync with `keyferry sync delete NAME --abandon`.',
  ),
  SYNC_STILL_OWNED: entry(
    'fail',
    'The sync still owns objects at AWS.',
    'A sync is deleted only when nothing that it wrote remains at AWS, or with --abandon.',
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
    'A rotation with this name already exists.',
    'Names are unique within a project.',
    'Choose another name, or update the existing rotation.',
  ),
  KEY_ROTATION_PAUSED: entry(
    'fail',
    'The rotation is paused.',
    'It does not run until it is resumed. Its keys stay as they are.',
    'Resume it with `keyferry rotation resume`.',
  ),
  KEY_ROTATION_BUSY: entry(
    'fail',
    'The phase of the rotation does not allow this.',
    'Each command is valid in some phases only: cancel before the publication, reactivate during the hold.',
    'Read `keyferry rotation show`, and do what the message names.',
  ),
  KEY_ROTATION_CANCELLED: entry(
    'fail',
    'The rotation was cancelled.',
    'A person cancelled it before its new key was published; the new key was deleted and the old one stays.',
    'Start another rotation with `keyferry rotation run`.',
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
    'If the new user is intended, delete the rotation and create it again.',
  ),
  KEY_FOREIGN: entry(
    'fail',
    'The IAM user has keys that this rotation did not create.',
    'keyferry never deletes a key that it did not create or adopt, and AWS allows two keys per user.',
    'Adopt the key with `rotation create --adopt-key`, or remove it at AWS.',
  ),
  KEY_RESTORED: entry(
    'fail',
    'keyferry cannot tell which key consumers use: the database was restored or failed over.',
    'AWS lists a key that the database does not know, lacks its newest one, or shows a use of a key that was never published. No key changes.',
    'Adopt the key in use with `rotation update NAME --adopt-key`, or delete unused keys at AWS.',
  ),
  KEY_AMBIGUOUS: entry(
    'fail',
    'keyferry cannot tell which of the unknown keys it created.',
    'The answer of a CreateAccessKey call was lost, and several keys match it or the matching key was used.',
    'Delete the key that nobody uses at AWS, then `keyferry rotation run`.',
  ),
  KEY_VERIFY_TIMEOUT: entry(
    'fail',
    'AWS did not accept the new key in time.',
    'Verification reached its time limit. The new key was deleted and the old key stays.',
    'Run the rotation again later. If this repeats, check the IAM user.',
  ),
  KEY_DEPENDENTS_WAITING: entry(
    'fail',
    'Dependent syncs have not written the new key.',
    'Both keys stay active until every dependent sync has written the new one.',
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
    'AWS throttled the call.',
    'The account’s request rate for this operation is used up.',
    'No action needed; keyferry waits and adapts to the rate.',
  ),
  AWS_LIMIT_EXCEEDED: entry(
    'fail',
    'A quota of the AWS account is used up.',
    'The account holds as many objects as AWS allows.',
    'Remove unused objects or raise the quota at AWS.',
  ),
  AWS_UNAVAILABLE: entry(
    'retry',
    'AWS returned an internal error.',
    'The call may have taken effect; keyferry checks before it repeats the call.',
    'No action needed; keyferry retries automatically.',
  ),
  AWS_UNREACHABLE: entry(
    'retry',
    'AWS could not be reached.',
    'DNS, network, proxy or TLS failed, no answer came in time, or the answer was empty or cut.',
    'Check the network of the worker. keyferry retries automatically.',
  ),
  AWS_CLOCK_SKEW: entry(
    'retry',
    'The clock of this machine differs too much from the clock of AWS.',
    'AWS refuses signatures that are older than five minutes.',
    'Set the clock (NTP) of the worker’s machine.',
  ),
  AWS_REJECTED: entry(
    'fail',
    'AWS rejected the request.',
    'A parameter or the state of the object does not permit the call.',
    'Correct what the message names.',
  ),
  AWS_NOT_FOUND: entry(
    'fail',
    'The object does not exist at AWS.',
    'It was deleted, or never existed in this account and region.',
    'Check the name, the account and the region.',
  ),
  AWS_CONFLICT: entry(
    'retry',
    'Another client is changing the same object.',
    'AWS refused a concurrent change.',
    'No action needed; keyferry retries automatically.',
  ),
  DB_UNAVAILABLE: entry(
    'snooze',
    'PostgreSQL cannot be reached.',
    'The database does not respond or closed the connection.',
    'Check DATABASE_URL and that the server is running. Runs wait, keep their status, and resume when it responds.',
  ),
  DB_DENIED: entry(
    'fail',
    'The role of DATABASE_URL lacks a privilege that `keyferry migrate` needs.',
    'The role neither owns the schemas keyferry and bullmq nor may create them.',
    'Run the statement that the message names as the owner of the database, then `keyferry migrate` again.',
  ),
  DB_NOT_ACCEPTED: entry(
    'fail',
    'The database was not accepted.',
    '`restore accept` was refused: nothing is guarded, workers are running, the counter does not match, or the confirmation is missing.',
    'Follow the message, then repeat the command. Nothing was changed.',
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
  KMS_UNAVAILABLE: entry(
    'snooze',
    'AWS KMS cannot be asked for the data keys that encrypt what is stored.',
    'KMS, the network or the base identity does not answer or throttles. What needs a stored value waits; nothing is lost, and everything else goes on.',
    'Check the network of the process and its AWS credentials. Runs wait, keep their status, and resume within a minute of the repair.',
  ),
  KMS_DENIED: entry(
    'snooze',
    'AWS denied the use of the KMS key that encrypts what is stored.',
    'The base identity of this process lacks a permission on the key of KEYFERRY_KMS_KEY_ARN, or the key’s policy denies it. What needs a stored value waits.',
    'Allow the action that the message names in the key’s policy, or as `keyferry policy base-user --kms-key` prints it. Runs resume within a minute.',
  ),
  KMS_KEY_UNUSABLE: entry(
    'snooze',
    'The KMS key that encrypts what is stored cannot be used.',
    'The key of KEYFERRY_KMS_KEY_ARN is disabled, pending deletion, or of another kind. Once it is deleted, everything under it is lost.',
    'Enable the key, or cancel its deletion, at once. Runs wait, keep their status, and resume within a minute.',
  ),
  LEASE_LOST: entry(
    'retry',
    'The run lost its lease.',
    'The worker was paused or disconnected, and another worker may have taken over.',
    'No action needed; the next run checks what was in flight.',
  ),
  LEASE_SHUTDOWN: entry(
    'snooze',
    'The worker is shutting down.',
    'The run stopped at a safe point and resumes on another worker.',
    'No action needed.',
  ),
  BUG_UNEXPECTED: entry(
    'retry',
    'An unexpected error occurred.',
    'A defect in keyferry, or a state that it does not handle.',
    'Find the run’s id in the worker’s log and report it.',
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorTable;

/** What a call to AWS failed with, as far as AWS, or the way to it, said. */
interface AwsFacts {
  /** `ssm.PutParameter`, for example. */
  readonly operation?: string;
  /** AWS's name of the error, or the SDK's. */
  readonly awsError?: string;
  readonly requestId?: string;
  readonly httpStatus?: number;
  /** Node's code of a connection that failed. */
  readonly network?: string;
  readonly deniedAction?: string;
  readonly deniedResource?: string;
  readonly deniedBy?: 'no-allow' | 'explicit-deny' | 'session-policy';
  /** A change may have been made although the call failed. */
  readonly isAmbiguous?: boolean;
  readonly clockSkewCorrected?: boolean;
  /** The action and the resource that a statement would allow. */
  readonly action?: string;
  readonly resource?: string;
}

/** Facts for the log and for callers: names and ids, never values. */
export interface ErrorContext extends AwsFacts {
  /** All that is wrong with an input or a configuration, as sentences. */
  readonly problems?: readonly string[];
  /** HTTP status that a source answered with. */
  readonly status?: number;
  readonly sqlState?: string;
  readonly setting?: string;
  readonly version?: number;
  readonly table?: string;
  readonly column?: string;
  readonly rowKey?: string;
  readonly subjectId?: string;
  readonly runId?: string;
  readonly accessKeyId?: string;
  readonly phase?: string;
  readonly secretPath?: string;
  readonly count?: number;
  readonly deletions?: number;
  readonly keys?: readonly string[];
  readonly syncs?: readonly string[];
  readonly candidates?: unknown;
  readonly dependents?: unknown;
  readonly checks?: unknown;
}

export interface JobErrorDetails {
  /** The exact, public sentence; at most 256 characters are kept. Must hold no value and nothing of another org. */
  readonly message?: string;
  /** The same sentence with the names of servers, for the operator's terminal and log. Default: `message`. */
  readonly operatorMessage?: string | undefined;
  readonly disposition?: Disposition;
  readonly retryAfterMs?: number;
  readonly context?: ErrorContext;
  readonly cause?: unknown;
}

const MAX_PUBLIC_MESSAGE = 256;

export class JobError extends Error {
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly retryAfterMs: number | undefined;
  readonly publicMessage: string;
  readonly operatorMessage: string;
  readonly context: ErrorContext;

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
