/**
 * Every page of the status page by axe in a real browser: light and dark, wide and narrow. Each
 * page is loaded once and then changed.
 */
import axe from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { OpenStores } from '../../src/stores.ts';
import { openPageActions } from '../integration/server/page-support.ts';
import { seedStates, type Seeded } from '../integration/server/seed.ts';
import { useServer } from '../integration/server/support.ts';
import { findChromium } from './support/chromium.ts';

/** A folder for pictures of each page, to look at. */
const SHOTS = process.env['KEYFERRY_TEST_SHOTS'];

interface Found {
  /** Rule, and the first elements that break it. */
  readonly violations: readonly string[];
  /** Pixels by which the page is wider than the window. */
  readonly overflow: number;
  /** Texts of causes, fixes and buttons that are out of sight. */
  readonly clipped: readonly string[];
}

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** What a change of the colours can break. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];

const widths = [1366, 390] as const;
const schemes = ['light', 'dark'] as const;

function look(only: 'everything' | 'colours'): string {
  const runOnly = only === 'everything' ? { type: 'tag', values: rules } : { type: 'rule', values: COLOUR_RULES };
  return `axe.run({ runOnly: ${JSON.stringify(runOnly)}, resultTypes: ['violations'] }).then(({ violations }) => ({
    violations: violations.map(({ id, nodes }) =>
      id + ': ' + nodes.slice(0, 3).map(({ html, any }) => html.slice(0, 160) + ' ' + (any[0]?.message ?? '')).join(' | ')),
    overflow: document.documentElement.scrollWidth - innerWidth,
    clipped: [...document.querySelectorAll('.why, .fix, .error, .hint, h1, h2, button, .button')]
      .filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.textContent),
  }))`;
}

function problemsOf({ violations, overflow, clipped }: Found): readonly string[] {
  return [
    ...violations,
    ...(overflow > 0 ? [`${String(overflow)} px too wide`] : []),
    ...clipped.map((text) => `out of sight: ${text.trim()}`),
  ];
}

describe('the pages under axe', () => {
  const fixture = useServer(undefined);
  const problems: string[] = [];
  let browser: Browser;
  let stores: OpenStores;
  let acting: string;
  let looking: string;
  let broken: string;
  let seeded: Seeded;
  beforeAll(async () => {
    const { dependencies, start } = fixture();
    const opened = openPageActions(fixture());
    stores = opened.stores;
    acting = await start({ pageActions: opened.pageActions });
    looking = await start();
    const status = { ...dependencies().status, overview: () => Promise.reject(new Error('away')) };
    broken = await start({ status: status as ReturnType<typeof dependencies>['status'] });
    const { program, environment } = await findChromium();
    browser = await chromium.launch({
      executablePath: program,
      args: ['--no-sandbox'],
      env: { ...process.env, ...environment },
    });
  });
  beforeEach(() => {
    problems.length = 0;
  });
  afterAll(async () => {
    await browser.close();
    await stores.close();
  });

  async function seed(): Promise<void> {
    const { client } = fixture().handle;
    seeded = await seedStates(client);
    const at = new Date().toISOString();
    const identity = { kind: 'key-pair', accountId: '999988887777', arn: 'arn:aws:iam::999988887777:user/keyferry' };
    const seen = { one: { ...identity, firstSeenAt: at, lastSeenAt: at } };
    await client`update keyferry.installation
      set base_identities = ${JSON.stringify(seen)}::text::jsonb`;
    await client`update keyferry.syncs
      set status_code = 'SYNC_DELETIONS_UNCONFIRMED', sync_status = 'failed',
      next_due_at = now() where id = ${seeded.partialSync}`;
  }

  async function check(page: Page, name: string): Promise<void> {
    await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
    await page.evaluate(axe.source);
    for (const width of widths) {
      await page.setViewportSize({ width, height: 860 });
      for (const colorScheme of schemes) {
        await page.emulateMedia({ colorScheme });
        const found = await page.evaluate<Found>(look(colorScheme === 'light' ? 'everything' : 'colours'));
        if (SHOTS !== undefined)
          await page.screenshot({ path: `${SHOTS}/${name}-${String(width)}-${colorScheme}.png`, fullPage: true });
        const at = `${name}, ${String(width)} px, ${colorScheme}`;
        problems.push(...problemsOf(found).map((problem) => `${at}: ${problem}`));
      }
    }
  }

  async function checkAll(pages: readonly (readonly [name: string, address: string])[]): Promise<void> {
    const page = await browser.newPage();
    for (const [name, address] of pages) {
      await page.goto(address);
      await check(page, name);
    }
    await page.close();
  }

  it('hold to WCAG AA while nothing is there', async () => {
    await checkAll([
      ['empty-overview', `${acting}/`],
      ['empty-connections', `${acting}/connections`],
      ['empty-role', `${acting}/connect/role`],
    ]);
    expect(problems).toEqual([]);
  });

  it('hold to WCAG AA with objects in every state', async () => {
    await seed();
    const { validConnection, invalidConnection, partialSync, blockedRotation } = seeded;
    await checkAll([
      ['overview', `${acting}/`],
      ['connections', `${acting}/connections`],
      ['syncs', `${acting}/syncs`],
      ['rotations', `${acting}/rotations`],
      ['runs', `${acting}/runs`],
      ['no-match', `${acting}/syncs?q=nothing`],
      ['not-found', `${acting}/connections/nobody`],
      ['connection-valid', `${acting}/connections/${validConnection}`],
      ['connection-invalid', `${acting}/connections/${invalidConnection}`],
      ['sync', `${acting}/syncs/${partialSync}`],
      ['rotation', `${acting}/rotations/${blockedRotation}`],
      ['connect-role', `${acting}/connect/role?region=eu-west-1&object=%2Fapp%2F`],
      ['connect-access-key', `${acting}/connect/access-key?format=terraform`],
      ['credentials', `${acting}/connections/${validConnection}/access-key`],
      ['looking-role', `${looking}/connect/role`],
    ]);
    expect(problems).toEqual([]);
  }, 180_000);

  it('hold to WCAG AA where they refuse or answer', async () => {
    const { partialSync } = seeded;
    const page = await browser.newPage();
    await page.goto(`${acting}/connect/role`);
    await page.getByRole('textbox', { name: 'Name' }).fill('not a name');
    await page.getByRole('textbox', { name: 'Role ARN' }).fill('arn:aws:iam::1:user/x');
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.getByRole('alert').getByText('fields are not right').waitFor();
    await check(page, 'connect-refused');
    await page.goto(`${acting}/syncs/${partialSync}`);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('The sync is paused.').waitFor();
    await check(page, 'sync-paused');
    // In one step: the page exchanges its forms by itself.
    await page.evaluate(
      `const form = document.querySelector('form:has([value=resume])');
       form.elements.token.value = 'forged';
       form.querySelector('[value=resume]').click();`,
    );
    await page.getByRole('heading', { name: 'Nothing was changed' }).waitFor();
    await check(page, 'form-refused');
    await page.goto(broken);
    await page.getByRole('heading', { name: 'The status cannot be read' }).waitFor();
    await check(page, 'unavailable');
    await page.close();
    expect(problems).toEqual([]);
  });
});
