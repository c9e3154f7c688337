/** What an API request carries along, and what the API is made of. */
import type { OpenAPIHono } from '@hono/zod-openapi';

import type { AuditLog } from '../../db/audit-log.ts';
import type { FingerprintKeys } from '../../db/fingerprint-key.ts';
import type { IdempotencyKeys } from '../../db/idempotency.ts';
import type { Sources } from '../../db/sources.ts';
import type { StatusQueries } from '../../db/status/queries.ts';
import type { Log } from '../../observe/log.ts';
import type { Identities } from '../../db/identities.ts';
import type { ApiToken, Caller } from '../../domain/caller.ts';
import type { JwtLogin } from '../../domain/jwt-logins.ts';
import type { Client } from '../../client/types/client.ts';

export type Api = OpenAPIHono;

export interface ApiOptions {
  readonly tokens: readonly ApiToken[];
  /** The logins whose JWTs are accepted. */
  readonly jwtLogins: readonly JwtLogin[];
  readonly identities: Pick<Identities, 'login' | 'issue' | 'renew' | 'revokeToken' | 'callerOf'>;
  /** The library's client, acting for the caller's org under the token's name. */
  clientOf(caller: Caller): Client;
  readonly notifications: Pick<Sources, 'notifySecretOf' | 'notify'>;
  readonly queries: StatusQueries;
  readonly audit: AuditLog;
  /** The key of an org, for hashes that say nothing about what they are made of. */
  readonly fingerprints: FingerprintKeys;
  readonly idempotency: IdempotencyKeys;
  /**
   * How long the creation of a connection or rotation waits for its first run, unless the request
   * says.
   */
  readonly verdictSeconds: number;
  readonly log: Log;
  readonly version: string;
  /** Milliseconds. */
  now(): number;
}
