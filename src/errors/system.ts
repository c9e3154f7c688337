/** Configuration, the database, encryption keys, leases and defects. */
import { type ErrorEntry, entry } from './entry.ts';

export const systemErrors = {
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
    'Changes at AWS are disabled: this database was moved, restored or copied, or a worker was started as guarded.',
    'The database may be older than what AWS holds, or a copy of one that is still in use. Workers validate, check and plan, and write nothing.',
    'Run `keyferry restore status`, then declare what the database is with `keyferry restore accept`.',
  ),
  DB_UNAVAILABLE: entry(
    'snooze',
    'PostgreSQL cannot be reached.',
    'The database does not respond or closed the connection.',
    'Check DATABASE_URL and that the server is running. Runs wait, keep their status, and resume when it responds.',
  ),
  DB_CONTENDED: entry(
    'snooze',
    'Too many others change the same object at once.',
    'Other requests or runs changed the folder, sync or rotation first, twenty times in a row.',
    'Try again. Runs wait and try again by themselves.',
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
    'KMS, the network or the base identity does not answer or throttles. What needs a stored value waits; nothing is lost, and everything else continues.',
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
