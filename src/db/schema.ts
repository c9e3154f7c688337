/**
 * Every table of the schema `keyferry`. Columns named in the public contract are stable for
 * readers; the rest is internal. Ciphertexts are text (`db/encryption.ts`) and never appear in the
 * reporting views.
 */
export { orgs, callBudgets } from './schema/accounts.ts';
export { connections } from './schema/connections.ts';
export {
  accessTokens,
  auditLog,
  idempotencyKeys,
  identities,
  notifications,
  notificationStates,
  webhooks,
} from './schema/operations.ts';
export { installation, tombstones } from './schema/ownership.ts';
export { rotationKeys, rotations, rotationSteps } from './schema/rotations.ts';
export { requests, runs } from './schema/runs.ts';
export { folders, secrets, sources } from './schema/secrets.ts';
export { syncEntries, syncs } from './schema/syncs.ts';
