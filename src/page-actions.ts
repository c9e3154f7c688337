/** The actions of operators on the status page: part of the composition root. */
import { hkdfSync } from 'node:crypto';

import { createClient, type ClientPorts } from './client/client.ts';
import type { Config } from './config/config.ts';
import type { ServerDependencies } from './server/server.ts';
import type { OpenStores } from './stores.ts';

const FORM_KEY_BYTES = 32;

/** Undefined: operators may only read. */
export function toPageActions(
  { org, encryptionKeys, isBoardWritable }: Pick<Config, 'org' | 'encryptionKeys' | 'isBoardWritable'>,
  stores: OpenStores,
  ports: ClientPorts,
): ServerDependencies['pageActions'] {
  if (!isBoardWritable) return undefined;
  const [{ key }] = encryptionKeys;
  return {
    org,
    clientOf: (actor) => createClient(stores, { ...actor, via: 'operator' }, ports),
    // Every server has the encryption keys, so a form of one is accepted by the others.
    formKey: new Uint8Array(hkdfSync('sha256', key, '', 'forms of the status page', FORM_KEY_BYTES)),
  };
}
