/**
 * Several operators with names of their own: made by the command line, read from the file, named in
 * the trail of what they change.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { loadConfig } from '../../../src/config/config.ts';
import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import type { OpenStores } from '../../../src/stores.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { runKeyferry } from '../../support/processes.ts';
import { openPageActions, post, send, submit, tokenOn } from '../../integration/server/page-support.ts';
import { seedStates, type Seeded } from '../../integration/server/seed.ts';
import { useServer } from '../../integration/server/support.ts';

const passwords = { root: 'the password of root', ann: 'the password of ann' };
const headersOf = (name: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
});

const fixture = useServer(undefined);
let directory: string;
let stores: OpenStores;
let seeded: Seeded;
let page: string;
let ofBob: string;
let output: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyferry-operators-'));
  const file = join(directory, 'logins');
  const ann = await generate('ann', passwords.ann);
  const bob = await generate('bob', '');
  ofBob = /^Password of bob, shown once: (\S+)$/m.exec(bob.stderr)?.[1] ?? '';
  output = [ann.stdout, ann.stderr, bob.stdout].join('\n');
  await writeFile(file, `${passwords.root}\n${ann.stdout}${bob.stdout}`);
  const { logins } = loadConfig({
    DATABASE_URL: fixture().database.url,
    KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
    KEYFERRY_BOARD_USER: 'root',
    KEYFERRY_BOARD_PASSWORD_FILE: file,
  });
  seeded = await seedStates(fixture().handle.client);
  const acting = openPageActions(fixture());
  stores = acting.stores;
  const url = await fixture().start({ pageActions: acting.pageActions, ...logins });
  page = `${url}/connections/${seeded.validConnection}`;
}, 60_000);
afterAll(async () => {
  await stores.close();
  await rm(directory, { recursive: true });
});

function generate(name: string, input: string) {
  const environment = cleanEnvironment({});
  return runKeyferry(['keys', 'generate', '--operator', name], { environment, input });
}

it('are let in with their own passwords only', async () => {
  const known = { ...passwords, bob: ofBob };
  for (const [name, password] of Object.entries(known))
    expect([name, (await send(page, { headers: headersOf(name, password) })).status]).toEqual([name, 200]);
  for (const [name, password] of [
    ['ann', passwords.root],
    ['bob', passwords.ann],
    ['eve', passwords.ann],
  ] as const)
    expect([name, (await send(page, { headers: headersOf(name, password) })).status]).toEqual([name, 401]);
  expect((await send(page)).status).toBe(401);
});

it('are named by what they order, and none sends the form of another', async () => {
  const ann = headersOf('ann', passwords.ann);
  expect((await submit(page, { action: 'validate' }, ann)).status).toBe(303);
  const [row] = await fixture().handle.client`
    select actor, via, action from keyferry.audit_log order by id desc limit 1`;
  expect(row).toEqual({ actor: 'ann', via: 'page', action: 'connection.validate' });
  const token = await tokenOn(page, ann);
  const asRoot = await post(page, { action: 'validate', token }, headersOf('root', passwords.root));
  expect(asRoot.status).toBe(403);
});

it('are made without a word of the password', () => {
  expect(output).toMatch(/^ann:\$scrypt\$ln=14,r=8,p=5\$\S{22}\$\S{43}\n/);
  for (const password of [passwords.ann, ofBob]) expect(output).not.toContain(password);
  expect(ofBob).toMatch(/^[\w-]{32}$/);
});

it('need a name that the trail can hold, and a password that nobody guesses', async () => {
  const named = await generate('ann:bob', passwords.ann);
  expect([named.code, named.stderr]).toEqual([2, expect.stringMatching(/--operator must be 1 to 64 letters/)]);
  const short = await generate('ann', 'canary');
  expect([short.code, short.stderr]).toEqual([2, expect.stringMatching(/fewer than 12 characters/)]);
  expect(short.stdout + short.stderr).not.toContain('canary');
});
