/**
 * A person at the status page, without a browser: reads a page, takes the token of its forms, sends
 * one.
 */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';

import { createClient } from '../../../src/client/client.ts';
import type { ServerDependencies } from '../../../src/server/server.ts';
import { openStores, type OpenStores } from '../../../src/stores.ts';
import type { ServerFixture } from './support.ts';

export type PageActions = NonNullable<ServerDependencies['pageActions']>;

export const formKey = new Uint8Array(randomBytes(32));

/** As the composition root makes them, with an encryption key of the test. */
export function openPageActions(
  { database }: ServerFixture,
  ports: Parameters<typeof createClient>[2] = {},
): { readonly stores: OpenStores; readonly pageActions: PageActions } {
  const stores = openStores({ databaseUrl: database.url, encryptionKeys: [{ id: 'test', key: randomBytes(32) }] });
  const clientOf: PageActions['clientOf'] = (actor) => createClient(stores, { ...actor, via: 'operator' }, ports);
  return { stores, pageActions: { clientOf, org: 'default', formKey } };
}

export interface Sent {
  readonly status: number;
  readonly location: string;
  readonly text: string;
}

export type Headers = Readonly<Record<string, string>>;

/** With Node's own client: `fetch` lets nobody choose Host. */
export function send(
  address: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: Headers; body?: string } = {},
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const sent = request(address, { method, headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8').replace(/\s+/g, ' ');
        resolve({ status: answer.statusCode ?? 0, location: answer.headers.location ?? '', text });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

export async function tokenOn(address: string, headers: Headers = {}): Promise<string> {
  const { text } = await send(address, { headers });
  const token = /name="token" value="([^"]+)"/.exec(text)?.[1];
  if (token === undefined) throw new Error(`${address} has no form.`);
  return token;
}

/** As a browser does it; `fields` may bring a token of their own. */
export async function submit(
  address: string,
  fields: Readonly<Record<string, string>>,
  headers: Headers = {},
): Promise<Sent> {
  const token = fields['token'] ?? (await tokenOn(address, headers));
  return post(address, { ...fields, token }, headers);
}

export function post(address: string, fields: Readonly<Record<string, string>>, headers: Headers = {}): Promise<Sent> {
  const { origin } = new URL(address);
  return send(address, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin, ...headers },
    body: new URLSearchParams(fields).toString(),
  });
}
