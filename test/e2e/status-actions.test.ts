/**
 * What operators order in a real browser, with JavaScript and without: connect, sync, pause,
 * cancel, confirm deletions; and that no other site can.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type BrowserContext, type Page, type Request } from 'playwright-core';
import { afterAll, beforeAll, describe, it, type ExpectStatic } from 'vitest';

import { findChromium } from './support/chromium.ts';
import { ACCOUNT, LOGIN, startInstallation, type Installation } from './support/installation.ts';

const REGION = 'eu-west-1';
/** Long enough to press Cancel on a busy machine. */
const HELD_MS = 6_000;
const LONG = { timeout: 120_000 };
const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/keyferry`;
const secrets = { A: 'a', B: 'b', C: 'c', D: 'd' };

const placeOf = (name: string) => ({ projectId: 'shop', environment: 'prod', secretPath: `/${name}` });

/** Mostly waiting for the page's own refresh: at the same time they wait together. */
describe.concurrent('orders in a browser', () => {
  let installation: Installation;
  let browser: Browser;
  beforeAll(async () => {
    installation = await startInstallation();
    installation.trust('acme');
    const { program, environment } = await findChromium();
    browser = await chromium.launch({
      executablePath: program,
      args: ['--no-sandbox'],
      env: { ...process.env, ...environment },
    });
  });
  afterAll(async () => {
    await browser.close();
    await installation.stop();
  });

  async function open(options: Parameters<Browser['newContext']>[0] = {}): Promise<[BrowserContext, Page]> {
    const context = await browser.newContext({ httpCredentials: LOGIN, ...options });
    context.setDefaultTimeout(15_000);
    return [context, await context.newPage()];
  }

  const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
  const isIn = (page: Page, state: string) =>
    page.locator('h1 + .chip', { hasText: new RegExp(`^\\s*${state}\\s*$`) }).waitFor();
  const isTold = (page: Page, text: string) => page.locator('#told', { hasText: text }).waitFor();
  const written = (path: string) =>
    installation.sandbox.inspect
      .parameters({ accountId: ACCOUNT, region: REGION, prefix: path })
      .map(({ name }) => name.slice(path.length));

  async function createSync(name: string, connection: string): Promise<string> {
    const { keyferry } = installation;
    const place = placeOf(name);
    await keyferry.secrets.set(place, { values: secrets });
    const { id } = await keyferry.syncs.create({
      name,
      connection,
      source: place,
      destination: 'aws-parameter-store',
      destinationConfig: { region: REGION, path: `/${name}/` },
      isAutoSyncEnabled: false,
    });
    return id;
  }

  async function connect(page: Page, name: string, expect: ExpectStatic): Promise<void> {
    await page.goto(`${installation.url}/connections`);
    await page.getByRole('link', { name: 'Connect an AWS account' }).first().click();
    const form = page.getByRole('region', { name: '3. Connect' });
    const fill = (label: string, text: string) => form.getByRole('textbox', { name: label }).fill(text);
    await fill('Org', 'acme');
    await fill('Name', name);
    await fill('Role ARN', 'arn:aws:iam::1:role/keyferry');
    await fill('Region', REGION);
    await press(page, 'Connect');
    await isTold(page, 'One field is not right');
    expect(await form.locator('[aria-invalid]').getAttribute('name')).toBe('roleArn');
    await fill('Role ARN', ROLE_ARN);
    await press(page, 'Connect');
    await isTold(page, 'The connection is made.');
    await isIn(page, 'valid');
  }

  async function cancelUnderWay(page: Page, name: string): Promise<void> {
    const { keyferry, sandbox } = installation;
    const release = sandbox.faults.add({
      operation: 'PutParameter',
      match: { parametersInclude: `/${name}/` },
      action: { delayMs: HELD_MS },
    });
    await keyferry.secrets.set(placeOf(name), { values: { A: 'changed', B: 'changed' } });
    await press(page, 'Sync now');
    await page.getByText('Cancel …').click();
    await press(page, 'Cancel the sync');
    await isTold(page, 'The sync is cancelled.');
    release();
  }

  async function confirmDeletions(page: Page, name: string): Promise<void> {
    await installation.keyferry.secrets.set(placeOf(name), { values: { A: null, B: null, C: null, D: null } });
    await press(page, 'Sync now');
    const count = page.getByRole('textbox', { name: 'Number of objects that are deleted at AWS' });
    // Without JavaScript it appears with the first reload after the run that was held has ended.
    await count.waitFor({ timeout: 30_000 });
    await count.fill('3');
    await press(page, 'Delete and sync');
    await page.getByText('3 were confirmed, the plan has changed since.').first().waitFor();
    await count.fill('4');
    await press(page, 'Delete and sync');
    await isIn(page, 'succeeded');
  }

  it.for([
    ['with JavaScript', true],
    ['without JavaScript', false],
  ] as const)('connect a role and steer a sync of it %s', LONG, async ([, javaScriptEnabled], { expect }) => {
    const name = javaScriptEnabled ? 'scripted' : 'plain';
    const [context, connecting] = await open({ javaScriptEnabled });
    await connect(connecting, name, expect);
    const id = await createSync(name, name);
    // In a tab of its own: without JavaScript a page reloads itself, which can end another
    // navigation of its tab.
    const page = await context.newPage();
    await connecting.close();
    await page.goto(`${installation.url}/syncs/${id}`);
    await press(page, 'Sync now');
    await isIn(page, 'succeeded');
    expect(written(`/${name}/`)).toEqual(['A', 'B', 'C', 'D']);
    await press(page, 'Pause');
    await isTold(page, 'The sync is paused.');
    await press(page, 'Resume');
    await isTold(page, 'The sync is resumed.');
    await cancelUnderWay(page, name);
    await confirmDeletions(page, name);
    expect(written(`/${name}/`)).toEqual([]);
    await context.close();
  });

  it('come with the origin of the page, and are refused from another site', async ({ expect }) => {
    const { url, keyferry } = installation;
    const credentials = { method: 'assume-role', roleArn: ROLE_ARN } as const;
    await keyferry.connections.create({ name: 'foreign', credentials });
    const id = await createSync('foreign', 'foreign');
    const [context, page] = await open();
    const posts: Request[] = [];
    page.on('request', (request) => request.method() === 'POST' && posts.push(request));
    await page.goto(`${url}/syncs/${id}`);
    const token = await page.locator('[name=token]').first().inputValue();
    await press(page, 'Pause');
    await isTold(page, 'The sync is paused.');
    expect(await posts[0]?.allHeaders()).toMatchObject({
      origin: url,
      referer: `${url}/syncs/${id}`,
      'sec-fetch-site': 'same-origin',
    });

    // The worst case: the other site knows a token, and the browser holds the login.
    const other = await serve(`<form method="post" action="${url}/syncs/${id}">
      <input name="token" value="${token}"><button name="action" value="resume">Win a prize</button></form>`);
    await page.goto(`http://localhost:${String((other.address() as AddressInfo).port)}/`);
    const answer = page.waitForResponse((one) => one.request().method() === 'POST');
    await press(page, 'Win a prize');
    expect((await answer).status()).toBe(403);
    expect((await posts[1]?.allHeaders())?.['authorization']).toMatch(/^Basic /);
    expect((await keyferry.syncs.get(id)).pausedAt).not.toBeNull();
    await context.close();
    other.closeAllConnections();
    other.close();
  });
});

/** Another site: another name and another port. */
async function serve(body: string): Promise<Server> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return server;
}
