/** What else the HTTP server reports: machine identities and webhooks. */
import { type ErrorEntry, entry } from './entry.ts';

export const serverErrors = {
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
} as const satisfies Record<string, ErrorEntry>;
