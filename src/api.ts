/** What the HTTP API is made of: part of the composition root. */
import { createClient, type ClientPorts } from './client/client.ts';
import type { Config } from './config/config.ts';
import { createFingerprintKeys } from './db/fingerprint-key.ts';
import { createIdempotencyKeys } from './db/idempotency.ts';
import type { ServerDependencies } from './server/server.ts';
import { toPageActions } from './page-actions.ts';
import type { OpenStores } from './stores.ts';
import { VERSION } from './version.ts';

/** Most validations end within two seconds; a client's own time limit is rarely below a minute. */
const VERDICT_SECONDS = 20;

/** What changes something over HTTP: the API for applications, the status page for operators. */
export function toServed(config: Config, stores: OpenStores, ports: ClientPorts) {
  return { api: toApi(config, stores, ports), pageActions: toPageActions(config, stores, ports) };
}

function toApi(
  config: Pick<Config, 'apiTokens' | 'jwtLogins'>,
  stores: OpenStores,
  ports: ClientPorts,
): NonNullable<ServerDependencies['api']> {
  const { db } = stores.database;
  return {
    tokens: config.apiTokens,
    jwtLogins: config.jwtLogins,
    identities: stores.identities,
    clientOf: ({ orgId, name }) => createClient(stores, { orgId, name, via: 'api' }, ports),
    notifications: stores.sources,
    fingerprints: createFingerprintKeys(db, stores.encryption),
    idempotency: createIdempotencyKeys(db),
    verdictSeconds: VERDICT_SECONDS,
    version: VERSION,
  };
}
