/** An issuer of JWTs on this machine: discovery document, key set, and tokens of any kind. */
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { JwtLogin } from '../../src/domain/jwt-logins.ts';

interface Key {
  readonly id: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: JWK;
}

export interface JwtIssuer {
  readonly url: string;
  /** Requests for discovery document and key set. */
  readonly requests: readonly string[];
  /** A token that is accepted, apart from the changes; a claim that is undefined is left out. */
  token(claims?: object, header?: object): Promise<string>;
  /** Further tokens are signed with a new key, and only that one is in the key set. */
  rotate(): Promise<void>;
  /** What the issuer answers instead, until the next call; undefined for its own answers. */
  answer(instead: ((response: ServerResponse, path: string) => void) | undefined): void;
  close(): Promise<void>;
}

export const AUDIENCE = 'keyferry';
export const SUBJECT = 'repo:acme/shop:ref:refs/heads/main';

/** An entry of KEYFERRY_JWT_ISSUERS that accepts the issuer's tokens. */
export function jwtLoginOf({ url }: JwtIssuer, changes: Partial<JwtLogin> = {}): JwtLogin {
  return {
    name: 'deploy',
    issuer: url,
    jwksUrl: undefined,
    audience: AUDIENCE,
    subject: 'repo:acme/shop:*',
    claims: {},
    orgId: 'acme',
    scope: 'write',
    projects: null,
    onExisting: 'fail',
    ...changes,
  };
}

export async function startJwtIssuer(alg = 'ES256'): Promise<JwtIssuer> {
  let key = await newKey(alg);
  let instead: ((response: ServerResponse, path: string) => void) | undefined;
  const requests: string[] = [];
  const server = createServer(({ url: path = '' }, response) => {
    requests.push(path);
    if (instead !== undefined) {
      instead(response, path);
      return;
    }
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify(path === '/keys' ? { keys: [key.publicKey] } : { issuer: url, jwks_uri: `${url}/keys` }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    url,
    requests,
    token: (claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1_000);
      const payload = { iss: url, aud: AUDIENCE, sub: SUBJECT, iat: now, exp: now + 300, ...claims };
      return new SignJWT(payload).setProtectedHeader({ alg, kid: key.id, ...header }).sign(key.privateKey);
    },
    async rotate() {
      key = await newKey(alg);
    },
    answer(given) {
      instead = given;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

let made = 0;

async function newKey(alg: string): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  made += 1;
  const id = `key-${String(made)}`;
  return { id, privateKey, publicKey: { ...(await exportJWK(publicKey)), kid: id, alg, use: 'sig' } };
}
