/** Questions on a terminal: what is asked, and that nothing happens until the person says yes. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { hostileEnvironmentOfUp } from '../support/environment.ts';
import { runKeyferry, startUnboundKeyferry, type TestProcess } from '../support/processes.ts';
import { onTerminal } from '../support/pseudo-terminal.ts';
import { createTemporaryDirectory } from '../support/temporary-directory.ts';

const LIMIT_MS = 180_000;
let directory: string;
let up: TestProcess;

beforeAll(async () => {
  directory = await createTemporaryDirectory('terminal');
  up = startUnboundKeyferry(['up', '--sandbox', '--port', '0'], { environment: hostileEnvironmentOfUp(), directory });
  await up.waitForLine(/npx keyferry status/, 90_000);
}, 100_000);
afterAll(async () => {
  up.signal('SIGTERM');
  await up.waitForExit(30_000).finally(() => up.kill());
}, 40_000);

async function keyferry(line: string, input = ''): Promise<string> {
  const exit = await runKeyferry(line.split(' '), { directory, input }, 60_000);
  expect([line, exit.code, exit.code === 0 ? '' : exit.stderr]).toEqual([line, 0, '']);
  return exit.stdout;
}

const json = async (line: string): Promise<unknown> => JSON.parse(await keyferry(`${line} --json`));

const answering = (line: string, question: RegExp, answer: string) =>
  onTerminal(line.split(' '), { directory, question, answer });

test('`webhook delete` names what goes with it, and deletes after a yes only', { timeout: LIMIT_MS }, async () => {
  await keyferry('webhook create hooks --url https://hooks.example.com/keyferry');
  const question = /The webhook hooks is deleted, and 0 undelivered events with it\. Continue\? \[y\/N\]/;
  const declined = await answering('webhook delete hooks', question, 'n');
  expect(declined.screen).toMatch(question);
  expect(declined.code).toBe(1);
  expect(await json('webhook list')).toMatchObject([{ name: 'hooks' }]);
  const confirmed = await answering('webhook delete hooks', question, 'y');
  expect([confirmed.code, confirmed.screen]).toEqual([0, expect.stringContaining('Deleted hooks.')]);
  expect(await json('webhook list')).toEqual([]);
});

test('`sync create --preview` shows the plan, and starts after a yes only', { timeout: LIMIT_MS }, async () => {
  const [, roleArn = ''] = /role +(arn:\S+)/.exec(up.stdout()) ?? [];
  await keyferry(`connection create --name first --method assume-role --role-arn ${roleArn}`);
  await keyferry('secrets set --project shop --env prod --path /api', 'SEEN=1\n');
  const folder = '--connection first --project shop --env prod --path /api';
  const create = (name: string) =>
    `sync create --name ${name} ${folder} --to parameter-store --region eu-west-1 --prefix /${name}/ --preview`;
  const question = /create +SEEN[^]*Nothing is written yet\. Start this sync\? \[y\/N\]/;

  const declined = await answering(create('no'), question, '');
  expect(declined.screen).toMatch(question);
  expect([declined.code, declined.screen]).toEqual([0, expect.stringContaining('keyferry sync resume no')]);
  expect(await json('sync show no')).toMatchObject({ pausedAt: expect.any(String) as unknown, entries: [] });

  const confirmed = await answering(create('yes'), question, 'y');
  expect(confirmed.screen).toMatch(question);
  expect(confirmed.code).toBe(0);
  await keyferry('sync run yes');
  expect(await json('sync show yes')).toMatchObject({ pausedAt: null, entries: [{ key: 'SEEN', status: 'synced' }] });
});

test('`secrets set --replace` names what goes, and removes it after a yes only', { timeout: LIMIT_MS }, async () => {
  const folder = '--project shop --env prod --path /replaced';
  await keyferry(`secrets set ${folder}`, 'A=1\nB=2\n');
  await writeFile(join(directory, 'empty.env'), '');
  const emptied = `secrets set ${folder} --file empty.env --replace --allow-empty`;
  const question = /A, B are removed from the folder, and its syncs delete them at AWS\. Continue\? \[y\/N\]/;
  const declined = await answering(emptied, question, 'n');
  expect([declined.code, declined.screen]).toEqual([1, expect.stringMatching(question)]);
  expect(await json(`secrets list ${folder}`)).toHaveLength(2);
  const confirmed = await answering(emptied, question, 'y');
  expect([confirmed.code, confirmed.screen]).toEqual([0, expect.stringContaining('0 set, 2 removed')]);
  // Nothing goes: nothing is asked, in a folder that does not exist, too.
  await writeFile(join(directory, 'one.env'), 'C=3\n');
  for (const path of ['/replaced', '/new']) {
    const line = `secrets set --project shop --env prod --path ${path} --file one.env --replace`;
    const { screen } = await answering(line, /\[y\/N\]/, 'n');
    expect(screen).toContain('1 set, 0 removed');
  }
});

test('input that was typed at the terminal can be followed by a question', { timeout: LIMIT_MS }, async () => {
  const folder = '--project shop --env prod --path /typed';
  await keyferry(`secrets set ${folder}`, 'A=1\n');
  const { code, screen } = await onTerminal(`secrets set ${folder} --replace`.split(' '), {
    directory,
    question: /then Ctrl-D\.\r?\n/,
    answer: 'B=2\r\u0004',
    next: { question: /\[y\/N\]/, answer: 'y' },
  });
  expect([code, screen]).toEqual([0, expect.stringMatching(/A is removed[^]*\[y\/N\][^]*1 set, 1 removed/)]);
});

test('what overwrites the values of a folder asks', { timeout: LIMIT_MS }, async () => {
  for (const [line, question] of [
    ['sync import none --prioritize destination', /the folder of none takes the values that AWS holds/],
    ['sync run none --accept-destination', /the folder of none takes the values that AWS holds/],
    ['sync run none --accept-source', /none overwrites what AWS holds/],
    ['identity rotate-secret none', /The client secret of none stops working, and all its access tokens/],
  ] as const) {
    const declined = await answering(line, /\[y\/N\]/, 'n');
    expect([line, declined.code, declined.screen]).toEqual([line, 1, expect.stringMatching(question)]);
  }
});
