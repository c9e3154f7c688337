/** Connections and the base identity of the workers. */
import { type ErrorEntry, entry } from './entry.ts';

export const connectionErrors = {
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
    'Update the connection with `externalId: ORG`, the id of its own org, and change the role’s trust policy.',
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
} as const satisfies Record<string, ErrorEntry>;
