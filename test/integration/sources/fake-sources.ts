/**
 * Servers that sources are read from: one for any answer, and one that answers as Infisical's API
 * does.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeServer {
  readonly url: string;
  /** Method and path of each request, in order. */
  readonly requests: { readonly what: string; readonly headers: IncomingMessage['headers'] }[];
  /** Decides whether and when a request is answered; without it, each is at once. */
  intercept?: (request: IncomingMessage, response: ServerResponse, respond: () => void) => void;
  close(): Promise<void>;
}

export type Respond = (request: IncomingMessage, response: ServerResponse, body: string) => void;

async function openFakeServer(respond: Respond): Promise<FakeServer> {
  const requests: FakeServer['requests'] = [];
  const server = createServer((request, response) => {
    requests.push({ what: `${request.method ?? ''} ${request.url ?? ''}`, headers: request.headers });
    void request
      .setEncoding('utf8')
      .toArray()
      .then((parts) => {
        const answer = (): void => {
          respond(request, response, parts.join(''));
        };
        if (fake.intercept) fake.intercept(request, response, answer);
        else answer();
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fake: FakeServer = {
    requests,
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

export const json = (response: ServerResponse, status: number, body: unknown, headers: object = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

/** What a test lets the world behind a source do, whatever its kind. */
export interface FakeSource {
  readonly server: FakeServer;
  values: Readonly<Record<string, string>>;
  /** What happens to the next requests for secrets; afterwards they are answered. */
  faults: ('error' | 'denied' | 'cut' | 'nonsense' | 'large' | 'redirect')[];
}

/** True when the fault was the answer. */
function answersFault(fake: FakeSource, response: ServerResponse): boolean {
  const fault = fake.faults.shift();
  if (fault === undefined) return false;
  if (fault === 'error') json(response, 503, {});
  if (fault === 'denied') json(response, 403, { message: 'canary of a refusal' });
  if (fault === 'nonsense') json(response, 200, ['canary']);
  if (fault === 'large') json(response, 200, { A: 'x'.repeat(1_048_577) });
  if (fault === 'redirect') response.writeHead(302, { location: '/elsewhere' }).end();
  if (fault === 'cut') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1_000 });
    response.write('{"A":"a"', () => response.destroy());
  }
  return true;
}

function etagOf(values: Readonly<Record<string, string>>): string {
  return `W/"${createHash('sha256').update(JSON.stringify(values)).digest('base64url')}"`;
}

export async function openHttpSource(token: string): Promise<FakeSource> {
  const fake = { values: {}, faults: [] } as unknown as { -readonly [K in keyof FakeSource]: FakeSource[K] };
  fake.server = await openFakeServer((request, response) => {
    const etag = etagOf(fake.values);
    if (answersFault(fake, response)) return;
    if (request.headers.authorization !== `Bearer ${token}`) json(response, 401, {});
    else if (request.headers['if-none-match'] === etag) response.writeHead(304, { etag }).end();
    else json(response, 200, fake.values, { etag });
  });
  return fake;
}

export interface FakeInfisical extends FakeSource {
  /** Secrets of imports and of folders below, beside `values`. */
  imports: readonly { readonly secretPath: string; readonly secrets: readonly object[] }[];
  more: readonly object[];
  expiresIn: number;
  /** Makes the tokens that were given out invalid. */
  revoke(): void;
}

export const infisicalSecret = (secretKey: string, secretValue: string, secretPath = '/'): object => ({
  ...{ id: secretKey, _id: secretKey, workspace: 'p-1', environment: 'prod', version: 1, type: 'shared' },
  ...{ secretKey, secretValue, secretValueHidden: false, secretPath, secretComment: '', tags: [] },
});

export async function openInfisical(clientId: string, clientSecret: string): Promise<FakeInfisical> {
  let [tokens, made] = [new Set<string>(), 0];
  const fake = {
    ...{ values: {}, faults: [], imports: [], more: [], expiresIn: 7_200 },
    revoke: () => (tokens = new Set()),
  } as unknown as { -readonly [K in keyof FakeInfisical]: FakeInfisical[K] };
  const login = (response: ServerResponse, body: string) => {
    const sent = JSON.parse(body) as { clientId?: string; clientSecret?: string };
    if (sent.clientId !== clientId || sent.clientSecret !== clientSecret) {
      json(response, 401, { statusCode: 401, message: 'Invalid credentials', error: 'Unauthorized' });
      return;
    }
    const accessToken = `token-${String((made += 1))}`;
    tokens.add(accessToken);
    const { expiresIn } = fake;
    json(response, 200, { accessToken, expiresIn, accessTokenMaxTTL: 2_592_000, tokenType: 'Bearer' });
  };
  const list = (request: IncomingMessage, response: ServerResponse) => {
    if (!tokens.has(request.headers.authorization?.slice('Bearer '.length) ?? '')) {
      json(response, 401, { statusCode: 401, message: 'Token revoked', error: 'TokenError' });
      return;
    }
    const etag = etagOf(fake.values);
    const own = Object.entries(fake.values).map(([key, value]) => infisicalSecret(key, value));
    const body = { secrets: [...own, ...fake.more], imports: fake.imports };
    if (request.headers['if-none-match'] === etag) response.writeHead(304, { etag }).end();
    else json(response, 200, body, { etag });
  };
  fake.server = await openFakeServer((request, response, body) => {
    const path = (request.url ?? '').split('?')[0];
    if (path === '/api/v1/auth/universal-auth/login') login(response, body);
    else if (answersFault(fake, response)) return;
    else if (path === '/api/v3/secrets/raw') list(request, response);
    else json(response, 404, {});
  });
  return fake;
}

const CREDENTIAL = 'canary-credential-of-a-source';

/** Of every kind: a server, and the settings of a source that reads it. */
export const fakeKinds = {
  http: {
    open: () => openHttpSource(CREDENTIAL),
    settings: (url: string, credential = CREDENTIAL) => ({ kind: 'http', url: `${url}/secrets`, token: credential }),
  },
  infisical: {
    open: () => openInfisical('client-1', CREDENTIAL),
    settings: (url: string, credential = CREDENTIAL) => ({
      ...{ kind: 'infisical', url, projectId: 'p-1', environment: 'prod' },
      ...{ clientId: 'client-1', clientSecret: credential },
    }),
  },
};
