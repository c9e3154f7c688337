/** Questions on a terminal: what is asked, and that nothing happens until the person says yes. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { hostileEnvironment } from '../support/environment.ts';
import { runKeyferry, startUnboundKeyferry, type TestProcess } from '../support/processes.ts';
import { onTerminal } from '../support/pseudo-terminal.ts';
import { createTemporaryDirectory } from '../support/temporary-directory.ts';

const LIMIT_MS = 180_000;
let directory: string;
let up: TestProcess;

beforeAll(async () => {
  directory = await createTemporaryDirectory('terminal');
  up = startUnboundKeyferry(['up', '--sandbox', '--port', '0'], { environment: hostileEnvironment(), directory });
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
