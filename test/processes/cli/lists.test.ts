/**
 * `keyferry runs|folders|audit list`: filters, bad input and empty lists; and how far a sync has
 * come in `sync show`.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { startCommandHost, type CommandHost } from '../../support/command-host.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();
let directory: string;
let host: CommandHost;
let handle: DatabaseHandle;

const keyferry = (line: string) =>
  host.run({
    args: line.split(' '),
    environment: cleanEnvironment({
      DATABASE_URL: database().url,
      KEYFERRY_ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 3).toString('base64')}`,
    }),
  });

async function done(line: string): Promise<string> {
  const { code, stdout, stderr } = await keyferry(line);
  expect(code, `${line}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

const json = async (line: string) => JSON.parse(await done(`${line} --json`)) as Record<string, unknown>[];

/** What a person reads of a refused command; its exit code must say that the input was wrong. */
async function refusal(line: string): Promise<string> {
  const { code, stderr } = await keyferry(line);
  expect([line, code]).toEqual([line, 2]);
  return stderr;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyferry-lists-'));
  host = startCommandHost(cleanEnvironment({ HOME: directory }));
  handle = openDatabase(database().url, { poolSize: 2 });
}, 60_000);
afterAll(async () => {
  await host.stop();
  await handle.close();
  await rm(directory, { recursive: true, force: true });
});

describe('an org in which nothing happened', () => {
  it.each(['runs list', 'folders list', 'audit list'])(
    'has an empty `%s`',
    async (line) => {
      expect(await json(`${line} --org empty`)).toEqual([]);
      const [headings, rule, ...rows] = (await done(`${line} --org empty`)).trimEnd().split('\n');
      expect([headings, rule]).toEqual([expect.stringMatching(/^[A-Z ]+$/), expect.stringMatching(/^[─ ]+$/)]);
      expect(rows).toEqual([]);
    },
    60_000,
  );
});

describe('an org with a history', () => {
  beforeAll(async () => {
    const file = join(directory, 'secrets');
    await writeFile(file, 'A=a\nB=b\n');
    const place = (project: string) => `--project ${project} --env prod --path /api`;
    await done(`secrets set ${place('shop')} --file ${file}`);
    await done(`secrets set ${place('web')} --file ${file}`);
    await done(
      'connection create --name prod --method assume-role --role-arn arn:aws:iam::444455556666:role/keyferry --no-wait',
    );
    const to = '--to parameter-store --region eu-west-1 --prefix';
    await done(`sync create --name api --connection prod ${place('shop')} ${to} /shop/ --no-auto`);
    await done(`sync create --name prod --connection prod ${place('web')} ${to} /web/ --no-auto`);
    const { client } = handle;
    await client`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, requested_by,
      status, started_at, progress)
      select v.kind, s.id, 'default', 1, 'requested', 'ann', v.status, now() - v.age::interval,
        v.progress::jsonb
      from keyferry.syncs s, (values
        ('sync', 'failed', '9 min', null),
        ('sync', 'continued', '5 min',
          '{"done": 50, "total": 200, "perSecond": null, "secondsLeft": null}'),
        ('plan', 'succeeded', '4 min', null),
        ('sync', 'running', '1 min',
          '{"done": 120, "total": 200, "perSecond": 2, "secondsLeft": 40}')
      ) v(kind, status, age, progress) where s.name = 'api'`;
    await client`update keyferry.syncs set sync_status = 'running' where name = 'api'`;
    await client`insert into keyferry.audit_log (org_id, actor, via, action, subject, request_id,
      status_code)
      select 'default', 'ann', 'api', 'sync.pause', 'api', gen_random_uuid(), 200
      from generate_series(1, 3)`;
  }, 120_000);

  it('lists its runs by subject, kind and status, and no more than asked for', async () => {
    const brief = async (line: string) =>
      (await json(line)).map(({ kind, status }) => `${String(kind)} ${String(status)}`);
    expect(await brief('runs list api')).toEqual(['sync running', 'plan succeeded', 'sync failed']);
    expect(await brief('runs list --kind plan')).toEqual(['plan succeeded']);
    expect(await brief('runs list --status failed')).toEqual(['sync failed']);
    expect(await brief('runs list --kind plan --status failed')).toEqual([]);
    expect(await brief('runs list --limit 1')).toEqual(['sync running']);
    expect(await json('runs list --org empty')).toEqual([]);
  }, 60_000);

  it('shows a run in slices as one, and how far it has come', async () => {
    const [run] = await json('runs list api --limit 1');
    expect(run).toMatchObject({ slices: [{}, {}], progress: { done: 120, total: 200 } });
    const rows = await done('runs list api');
    expect(rows).toContain('120 of 200 written, 2 a second, about 40 s left (2 slices)');
    const shown = await done('sync show api');
    expect(shown).toMatch(/run under way\n[^]*progress +120 of 200 written, 2 a second, about 40 s left/);
    const { lastRun } = JSON.parse(await done('sync show api --json')) as { lastRun: unknown };
    expect(lastRun).toMatchObject({
      status: 'running',
      progress: { done: 120, total: 200, perSecond: 2, secondsLeft: 40 },
    });
  }, 60_000);

  it('shows no next run while one is under way, and of many entries the status first', async () => {
    await handle.client`
      insert into keyferry.sync_entries (sync_id, remote_name, key, connection_id, partition,
        account_id, region, service, status)
      select id, '/shop/K' || n, 'K' || n, connection_id, 'aws', '444455556666', 'eu-west-1', 'ssm',
        'synced'
      from keyferry.syncs, generate_series(1, 25) n where name = 'api'`;
    const shown = await done('sync show api');
    expect(shown).not.toMatch(/^next +now/m);
    expect(shown.match(/^K\d+ /gm)).toHaveLength(20);
    expect(shown).toMatch(/\n5 more: see them with --limit or --json\.\n$/);
    expect((await done('sync show api --limit 30')).match(/^K\d+ /gm)).toHaveLength(25);
    expect((JSON.parse(await done('sync show api --json')) as { entries: unknown[] }).entries).toHaveLength(25);
  }, 60_000);

  it('lists folders by project, with what they hold', async () => {
    expect(await json('folders list')).toMatchObject([
      { projectId: 'shop', secretPath: '/api', secrets: 2, syncs: 1 },
      { projectId: 'web', secretPath: '/api', secrets: 2, syncs: 1 },
    ]);
    expect(await json('folders list --project web')).toMatchObject([{ projectId: 'web' }]);
    expect(await json('folders list --project nothing')).toEqual([]);
  }, 60_000);

  it('counts recursive syncs for the folders below theirs', async () => {
    const file = join(directory, 'below');
    await writeFile(file, 'C=c\n');
    const at = (path: string) => `--org tree --project shop --env prod --path ${path}`;
    for (const path of ['/team', '/team/a', '/team/a/b', '/teams', '/other'])
      await done(`secrets set ${at(path)} --file ${file}`);
    const role = '--method assume-role --role-arn arn:aws:iam::444455556666:role/keyferry';
    await done(`connection create --org tree --name prod ${role} --no-wait`);
    const create = 'sync create --connection prod --to parameter-store --region eu-west-1 --no-auto';
    await done(`${create} --name all ${at('/team')} --prefix /all/ --recursive`);
    await done(`${create} --name one ${at('/team/a')} --prefix /one/`);
    const folders = await json('folders list --org tree');
    expect(folders.map(({ secretPath, syncs }) => [secretPath, syncs])).toEqual([
      ['/other', 0],
      ['/team', 1],
      ['/team/a', 2],
      ['/team/a/b', 1],
      ['/teams', 0],
    ]);
  }, 60_000);

  it('lists changes, newest first, of this org only', async () => {
    expect(await json('audit list --limit 2')).toMatchObject([{ action: 'sync.pause' }, { action: 'sync.pause' }]);
    expect((await json('audit list')).length).toBeGreaterThanOrEqual(3);
  }, 60_000);

  it('refuses bad input, and says what would do', async () => {
    expect(await refusal('runs list --limit 0')).toContain('--limit must be a number from 1 to 1000.');
    expect(await refusal('audit list --limit many')).toContain('--limit must be a number from 1 to 1000.');
    expect(await refusal('runs list --status broken')).toMatch(/--status must be one of running, .*abandoned/);
    expect(await refusal('runs list --kind rotation')).toMatch(/--kind must be one of validate, .*rotate/);
    expect(await refusal('runs list nothing')).toContain('There is no nothing in this org.');
    expect(await refusal('runs list prod')).toContain('Several objects are named prod: give the id.');
    expect(await refusal('folders list --projekt shop')).toContain('--project');
  }, 60_000);
});
