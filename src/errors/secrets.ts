/** Folders, their secrets and their sources. */
import { type ErrorEntry, entry } from './entry.ts';

export const secretsErrors = {
  SOURCE_NOT_FOUND: entry(
    'fail',
    'This folder has no source.',
    'A command named a folder whose secrets are set by hand, or that does not exist.',
    'Check `projectId`, `environment` and `secretPath`, or set a source with `keyferry source set`.',
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
    'Look at the source; if the removals are meant, run the source with the `confirmDeletions` that the message names.',
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
} as const satisfies Record<string, ErrorEntry>;
