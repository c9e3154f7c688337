/**
 * What operators do, in a real browser: log in, see what fails and why, mend it, run it again, see
 * it well.
 */
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { findChromium } from './support/chromium.ts';
import { ACCOUNT, LOGIN, startInstallation, type Installation } from './support/installation.ts';

const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
/** Set to renew the pictures of the documentation. */
const PICTURES = process.env['KEYFERRY_TEST_PICTURES'];

describe('an operator in a browser', () => {
  let installation: Installation;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    installation = await startInstallation();
    const { program, environment } = await findChromium();
    browser = await chromium.launch({
      executablePath: program,
      args: ['--no-sandbox'],
      env: { ...process.env, ...environment },
    });
    context = await browser.newContext({
      httpCredentials: LOGIN,
      viewport: { width: 1280, height: 860 },
      colorScheme: 'light',
    });
    page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on(
      'request',
      (request) =>
        !request.url().startsWith(installation.url) &&
        !request.url().startsWith('data:') &&
        problems.push(`foreign request ${request.url()}`),
    );
  }, 120_000);

  afterAll(async () => {
    await browser.close();
    await installation.stop();
  }, 60_000);

  async function picture(name: string): Promise<void> {
    if (PICTURES !== undefined)
      await page.screenshot({ path: new URL(`../../docs/images/${name}.png`, import.meta.url).pathname });
  }

  it('is refused without a login and with a wrong password', async () => {
    for (const httpCredentials of [undefined, { ...LOGIN, password: 'wrong' }]) {
      const stranger = await browser.newContext(httpCredentials === undefined ? {} : { httpCredentials });
      const answer = await (await stranger.newPage()).goto(installation.url).catch((error: unknown) => error);
      // Chromium may end the navigation of a page that asks for a login which nobody can type.
      const status = answer instanceof Error ? 401 : (answer as { status(): number } | null)?.status();
      expect(status).toBe(401);
      await stranger.close();
    }
  });

  it('sees a failing connection with its cause and its fix', async () => {
    const { keyferry, url } = installation;
    const { requestId } = await keyferry.connections.create({
      name: 'prod-aws',
      region: 'eu-west-1',
      credentials: { method: 'assume-role', roleArn: `arn:aws:iam::${ACCOUNT}:role/keyferry` },
    });
    await keyferry.runs.wait(requestId);
    await page.goto(url);
    const trouble = page.locator('.trouble > li', { hasText: 'prod-aws' });
    await trouble.waitFor({ timeout: 90_000 });
    expect(await trouble.innerText()).toMatch(/invalid/);
    expect(await trouble.locator('.fix').innerText()).toMatch(/Fix:/);
    await picture('status-attention');
    await trouble.getByRole('link', { name: 'prod-aws' }).click();
    await page.getByRole('heading', { name: 'prod-aws', level: 1 }).waitFor();
    expect(await page.locator('main').innerText()).toContain('identity');
    await picture('connection-invalid');
  }, 120_000);

  it('mends the trust, retries the failed job on the board, and sees it succeed without a reload', async () => {
    const { url, keyferry } = installation;
    const connection = await keyferry.connections.get('prod-aws');
    const status = await context.newPage();
    await status.goto(`${url}/connections/${connection.id}`);
    expect(await status.locator('h1 + .chip').innerText()).toBe('invalid');
    installation.trust('acme');
    await page.goto(`${url}/board/queue/validate?status=failed`);
    await page.getByText('CONNECTION_ACCESS_DENIED').first().waitFor();
    await picture('board-failed');
    const retried = page.waitForResponse(
      (answer) => answer.url().endsWith('/retry') && answer.request().method() === 'PUT',
    );
    // The buttons of a job have icons and no names: the first, beside the job's number, retries.
    await page.getByText('#1', { exact: true }).locator('xpath=ancestor::*[.//button][1]//button').first().click();
    await page.getByRole('button', { name: 'Confirm' }).click();
    expect((await retried).status()).toBe(204);
    await status.locator('h1 + .chip', { hasText: /^valid$/ }).waitFor({ timeout: 30_000 });
    await status.close();
    await page.goto(`${url}/connect/role?org=acme&object=%2Fshop%2Fprod%2F&region=eu-west-1&account=111122223333`);
    await page.getByText('sts:ExternalId').waitFor();
    await picture('connect');
    // By the operator's wish, not because its time had come.
    const runs = async () => (await keyferry.runs.list(connection.id)).map((run) => `${run.reason} ${run.status}`);
    await expect.poll(runs, { timeout: 20_000 }).toContain('requested succeeded');
  }, 90_000);

  it('follows a sync from the list to its entries, by search and by keyboard', async () => {
    const { url, keyferry } = installation;
    await keyferry.secrets.set(place, {
      values: { DB_HOST: 'db.internal.example', DB_NAME: 'shop', API_KEY: 'planted-value' },
    });
    await keyferry.syncs.create({
      name: 'api-parameters',
      connection: 'prod-aws',
      source: place,
      destination: 'aws-parameter-store',
      destinationConfig: { region: 'eu-west-1', path: '/shop/prod/' },
    });
    await keyferry.syncs.run('api-parameters');
    await page.goto(`${url}/syncs`);
    await page.keyboard.press('/');
    await page.keyboard.type('api-par');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=api-par/);
    await page.getByRole('link', { name: 'api-parameters' }).click();
    await page.getByText('/shop/prod/DB_HOST').waitFor();
    const text = await page.locator('body').innerText();
    expect(text).toContain('succeeded');
    expect(text).not.toContain('planted-value');
    await picture('sync');
    await page.goto(url);
    await picture('status-well');
  }, 60_000);

  it('reads everything without JavaScript, in the dark, and on a small screen', async () => {
    const plain = await browser.newContext({
      httpCredentials: LOGIN,
      javaScriptEnabled: false,
      colorScheme: 'dark',
      viewport: { width: 390, height: 844 },
    });
    const reader = await plain.newPage();
    await reader.goto(`${installation.url}/connections?q=prod`);
    await reader.getByRole('link', { name: 'prod-aws' }).click();
    await reader.getByRole('heading', { name: 'Checks' }).waitFor();
    const [background, overflow] = await reader.evaluate<[string, number]>(
      '[getComputedStyle(document.documentElement).backgroundColor, document.documentElement.scrollWidth - innerWidth]',
    );
    expect(overflow).toBeLessThanOrEqual(0);
    expect(background).toBe('rgb(15, 19, 24)');
    const { id } = await installation.keyferry.syncs.get('api-parameters');
    for (const path of ['/', '/connections', '/syncs', '/rotations', '/runs', `/syncs/${id}`]) {
      await reader.goto(`${installation.url}${path}`);
      const [wide, clipped] = await reader.evaluate<[number, string[]]>(
        `[document.documentElement.scrollWidth - innerWidth,
          [...document.querySelectorAll('.why, .fix')]
            .filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.textContent)]`,
      );
      expect([path, wide, clipped]).toEqual([path, 0, []]);
    }
    await plain.close();
  });

  it('cannot reach another org’s rows with a token of its own', async () => {
    const { url, keyferry, tokenOf } = installation;
    const { id } = await keyferry.connections.get('prod-aws');
    const statusFor = async (org: 'acme' | 'globex') => {
      const answer = await fetch(`${url}/api/v1/app-connections/aws/${id}`, {
        headers: { authorization: `Bearer ${tokenOf(org)}` },
      });
      return answer.status;
    };
    expect([await statusFor('acme'), await statusFor('globex')]).toEqual([200, 404]);
  });

  it('caused no error in the browser and no request to a foreign site', () => {
    expect(problems).toEqual([]);
  });
});
