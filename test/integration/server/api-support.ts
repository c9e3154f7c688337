/** An API on a real database, with tokens of two orgs and of every scope. */
import { createHash, randomBytes } from 'node:crypto';

import { createClient } from '../../../src/client/client.ts';
import { createFingerprintKeys } from '../../../src/db/fingerprint-key.ts';
import type { Identities } from '../../../src/db/identities.ts';
import { createIdempotencyKeys } from '../../../src/db/idempotency.ts';
import type { Scope } from '../../../src/domain/caller.ts';
import type { JwtLogin } from '../../../src/domain/jwt-logins.ts';
import type { ApiToken } from '../../../src/domain/caller.ts';
import { createServer, type ListeningServer, type ServerDependencies } from '../../../src/server/server.ts';
import { openStores } from '../../../src/stores.ts';
import type { ServerFixture } from './support.ts';

export interface Answer {
  readonly status: number;
  // The tests look into bodies of many shapes.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly headers: Headers;
}

export interface Call {
  readonly org?: string;
  readonly scope?: Scope;
  /** Undefined: none is sent. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiUnderTest {
  call(method: string, path: string, call?: Call): Promise<Answer>;
  readonly document: {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, unknown> };
  };
  /** For clients of their own; the address. Ends with `close`. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { name: string; in: string; required?: boolean }[];
  readonly requestBody?: { content: { 'application/json': { schema: unknown } } };
  readonly responses: Record<string, { content: { 'application/json': { schema: unknown } } }>;
}

/** The same for every server of a test. */
const encryptionKey = { id: 'test', key: randomBytes(32) };

const isPage = ({ headers }: Response): boolean => headers.get('content-type')?.startsWith('text/html') === true;

const toBytes = (body: unknown) => (body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body)));

export function tokenText(org: string, scope: Scope): string {
  return `test-token-${org}-${scope}`;
}

function tokenOf(org: string, scope: Scope): ApiToken {
  const sha256 = createHash('sha256').update(tokenText(org, scope)).digest('hex');
  return { orgId: org, name: `${org}-${scope}`, sha256, scope };
}

interface ApiOverrides extends Partial<ServerDependencies> {
  readonly jwtLogins?: readonly JwtLogin[];
  /** Instead of the usual ones. */
  readonly identities?: Identities;
}

export async function createApiUnderTest(
  fixture: ServerFixture,
  { jwtLogins = [], identities, ...overrides }: ApiOverrides = {},
): Promise<ApiUnderTest> {
  const stores = openStores({
    databaseUrl: fixture.database.url,
    encryptionKeys: [encryptionKey],
  });
  const tokens = ['acme', 'globex'].flatMap((org) =>
    (['read', 'write', 'admin'] as const).map((scope) => tokenOf(org, scope)),
  );
  const { app, listen } = createServer(
    fixture.dependencies({
      api: {
        tokens,
        jwtLogins,
        identities: identities ?? stores.identities,
        clientOf: ({ orgId, name }) => createClient(stores, { orgId, name, via: 'api' }),
        notifications: stores.sources,
        fingerprints: createFingerprintKeys(stores.database.db, stores.encryption),
        idempotency: createIdempotencyKeys(stores.database.db),
        // Without workers nobody would answer.
        verdictSeconds: 0,
        version: '0.0.0-test',
      },
      ...overrides,
    }),
  );
  let listening: ListeningServer | undefined;
  const document = (await (
    await app.request('/api/openapi.json', { headers: { host: 'localhost' } })
  ).json()) as ApiUnderTest['document'];
  return {
    document,
    async call(method, path, { org = 'acme', scope = 'admin', body, headers = {} } = {}) {
      const text = body === undefined || typeof body === 'string' ? body : toBytes(body);
      const answer = await app.request(path, {
        method,
        headers: {
          host: 'localhost',
          authorization: `Bearer ${tokenText(org, scope)}`,
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
          ...headers,
        },
        ...(text === undefined ? {} : { body: text }),
      });
      return {
        status: answer.status,
        body: isPage(answer) ? await answer.text() : await answer.json(),
        headers: answer.headers,
      };
    },
    async listen() {
      listening = await listen();
      return listening.url;
    },
    async close() {
      await listening?.close();
      await stores.close();
    },
  };
}

export const ROLE = 'arn:aws:iam::111122223333:role/keyferry';

export const assumeRole = (name: string) => ({ name, method: 'assume-role', credentials: { roleArn: ROLE } });
