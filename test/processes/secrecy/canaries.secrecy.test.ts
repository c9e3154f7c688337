/**
 * Values that go in by every way are found nowhere again but encrypted: in no table, dump, file of
 * the database, temporary file, answer, command line, output at log level trace, crash, or message
 * to a webhook.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { loadConfig } from '../../../src/config/config.ts';
import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { connect, type Keyferry } from '../../../src/index.ts';
import { toMessage, type Event } from '../../../src/server/webhook/message.ts';
import { openStores, type OpenStores } from '../../../src/stores.ts';
import { encodings, expectNoCanary, findCanaries, type Place } from '../../support/canaries.ts';
import { startCommandHost, type CommandHost } from '../../support/command-host.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { openStage, type Stage } from '../../support/stage.ts';
import { findPgTools } from '../../support/pg-tools.ts';
import { runKeyferry, runProcess } from '../../support/processes.ts';
import * as rotating from '../../integration/rotation/world.ts';
import * as syncing from '../../integration/sync/world.ts';

const database = useTestDatabase();
const canary = (way: string) => `canary~${way}~9f3b/27+c1?é`;
const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
const at = '--project shop --env prod --path /api';
const secretAccessKey = `canary/access+key${'k'.repeat(23)}`;

let directory: string;
let environment: Readonly<Record<string, string>>;
let host: CommandHost;
let keyferry: Keyferry;
let stores: OpenStores;
let stage: Stage;
let firstWal: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyferry-secrecy-'));
  environment = cleanEnvironment({
    DATABASE_URL: database().url,
    KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
    KEYFERRY_LOG_LEVEL: 'trace',
    TMPDIR: directory,
  });
  host = startCommandHost(environment);
  stage = openStage(database().url);
  stores = openStores(loadConfig(environment));
  const [wal] = await stores.database.client<{ name: string }[]>`select
    pg_walfile_name(pg_current_wal_lsn()) as name`;
  firstWal = wal?.name ?? '';
  keyferry = await connect({
    databaseUrl: database().url,
    encryptionKeys: environment['KEYFERRY_ENCRYPTION_KEYS'] ?? '',
    actor: 'ann',
  });
}, 60_000);
afterAll(async () => {
  await Promise.all([host.stop(), keyferry.close(), stores.close(), stage.close()]);
  await rm(directory, { recursive: true });
});

/** Every row of every table of the schemas that keyferry uses. */
async function tables(): Promise<readonly Place[]> {
  const { db } = stores.database;
  const names = await db.execute<{ schema: string; name: string }>(sql`
    select table_schema as schema, table_name as name from information_schema.tables
    where table_schema in ('keyferry', 'bullmq') and table_type = 'BASE TABLE' order by 1, 2`);
  const places: Place[] = [];
  for (const { schema, name } of names) {
    const table = sql`${sql.identifier(schema)}.${sql.identifier(name)}`;
    const [row] = await db.execute<{ text: string | null }>(
      sql`select string_agg(t::text, E'\n') as text from ${table} t`,
    );
    places.push({ name: `table ${name}`, text: row?.text ?? '' });
  }
  return places;
}

/**
 * What `pg_dump` writes, where there is one for this server; else what COPY gives of each table is
 * what `tables` reads.
 */
async function dump(): Promise<readonly Place[]> {
  const { url } = database();
  const tools = await findPgTools(url);
  if (tools === undefined) return [];
  const { stdout, code } = await runProcess(join(tools, 'pg_dump'), { arguments: ['--dbname', url] }, 60_000);
  expect(code).toBe(0);
  return [{ name: 'pg_dump', text: stdout }];
}

/** The files of the database and of the log that is written ahead, as they are on disk. */
async function dataFiles(): Promise<readonly Place[]> {
  const { client } = stores.database;
  await client`checkpoint`;
  // A checkpoint for another database of the server may remove a file that was just listed.
  const rows = await client<{ name: string; bytes: Uint8Array | null }[]>`
    select path as name, pg_read_binary_file(path, true) as bytes from (
      select pg_relation_filepath(oid) as path from pg_class
      where relkind in ('r', 'i', 't') and pg_relation_size(oid) > 0
        and relnamespace in (select oid from pg_namespace
          where nspname in ('keyferry', 'bullmq', 'pg_toast'))
      union all
      select 'pg_wal/' || name from pg_ls_waldir()
      where name between ${firstWal} and pg_walfile_name(pg_current_wal_lsn())
    ) files`;
  return rows.flatMap(({ name, bytes }) =>
    bytes === null ? [] : [{ name: `data file ${name}`, text: Buffer.from(bytes).toString('utf8') }],
  );
}

/** What is left in the temporary folder, besides what this test puts there. */
async function files(): Promise<readonly Place[]> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('given-'));
  return Promise.all(
    names.map(async (name) => ({
      name: `file ${name}`,
      text: await readFile(join(directory, name), 'latin1').catch(() => ''),
    })),
  );
}

async function given(name: string, text: string): Promise<string> {
  const file = join(directory, `given-${name}`);
  await writeFile(file, text);
  return file;
}

test('what goes in by library and command line comes out nowhere', async ({ task }) => {
  const ways = [
    ...['library', 'dotenv', 'json', 'webhook', 'source', 'source-file', 'notify', 'notify-file', 'client-key'],
    ...['refused', 'database', 'redis', 'as a key'],
  ];
  const canaries = [...ways.map(canary), secretAccessKey];
  const answers: Place[] = [];
  const run = async (line: string, input?: string, more: Record<string, string> = {}) => {
    const all = { ...environment, ...more };
    const { code, stdout, stderr } =
      input === undefined
        ? await host.run({ args: line.split(' '), environment: all })
        : await runKeyferry(line.split(' '), { environment: all, input }, 60_000);
    answers.push({ name: `argv of ${line}`, text: line }, { name: `output of ${line}`, text: stdout + stderr });
    return code;
  };
  const said = async (name: string, answer: Promise<unknown>) => {
    const text = await answer.then(
      (value) => JSON.stringify(value),
      (error: unknown) => `${String(error)}\n${JSON.stringify(error)}\n${String((error as Error).stack)}`,
    );
    answers.push({ name: `answer of ${name}`, text });
  };

  await said('secrets.set', keyferry.secrets.set(place, { values: { A: canary('library') } }));
  await said(
    'secrets.set refused',
    keyferry.secrets.set(place, { values: { LONG: canary('refused') + 'x'.repeat(99_999) } }),
  );
  await said('secrets.set by a value', keyferry.secrets.set(place, { values: { [canary('as a key')]: 'x' } }));
  await said(
    'webhooks.create',
    keyferry.webhooks
      .create({ name: 'w', url: `https://hooks.example.com/${encodeURIComponent(canary('webhook'))}` })
      .then(({ webhook }) => webhook),
  );
  await said(
    'sources.set',
    keyferry.sources.set(
      { ...place, secretPath: '/sourced' },
      {
        kind: 'http',
        url: 'https://secrets.example.com/',
        token: 'x'.repeat(20) + encodeURIComponent(canary('source')),
        notifySecret: 'x'.repeat(20) + encodeURIComponent(canary('notify')),
      },
    ),
  );
  await said('secrets.list', keyferry.secrets.list(place));
  await said(
    'connections.create',
    keyferry.connections.create({
      name: 'key',
      credentials: { method: 'access-key', accessKeyId: 'AKIAEXAMPLE000000001', secretAccessKey },
    }),
  );
  await said(
    'connections.update',
    keyferry.connections.update('key', {
      credentials: { method: 'access-key', accessKeyId: 'AKIAEXAMPLE000000002', secretAccessKey },
    }),
  );
  expect(await run(`secrets set ${at} --file ${await given('dotenv', `B=${canary('dotenv')}\n`)} --json`)).toBe(0);
  expect(await run(`secrets set ${at} --file ${await given('json', JSON.stringify({ C: canary('json') }))}`)).toBe(0);
  const token = await given('token', encodeURIComponent(canary('source-file')));
  expect(
    await run(
      `source set --project shop --env prod --path /other --kind http --url https://s.example.com/ --secret-file ${token} --notify-secret-file ${await given('notify', `${'x'.repeat(20)}${encodeURIComponent(canary('notify-file'))}`)}`,
    ),
  ).toBe(0);
  const pem = await given('client-key', `-----BEGIN PRIVATE KEY-----\n${canary('client-key')}\n`);
  const mutual = `--no-auth --cert-file ${pem} --key-file ${pem}`;
  expect(
    await run(`source set --project shop --env prod --path /other --kind http --url https://s.example.com/ ${mutual}`),
  ).toBe(2);
  expect(
    await run(
      'connection create --name by-cli --method access-key --access-key-id AKIAEXAMPLE000000003 --no-wait',
      secretAccessKey,
    ),
  ).toBe(0);
  for (const line of [
    `secrets list ${at}`,
    'connection show key',
    'webhook show w',
    'status',
    'doctor',
    'audit list',
    'keys check',
  ])
    await run(`${line} --json`);
  // What fails says where, and not with which password.
  const password = encodeURIComponent(canary('database'));
  expect(await run('status', undefined, { DATABASE_URL: `postgres://ann:${password}@127.0.0.1:1/none` })).toBe(1);
  expect(
    await run('worker', undefined, { REDIS_URL: `redis://:${encodeURIComponent(canary('redis'))}@127.0.0.1:1` }),
  ).toBe(1);

  const stored = [...(await tables()), ...(await dump()), ...(await dataFiles())];
  expect(stored.length).toBeGreaterThan(60);
  expectNoCanary(task, canaries, [...answers, ...stored, ...(await files())]);
}, 240_000);

const crash = `
  import { connect } from ${JSON.stringify(new URL('../../../src/index.ts', import.meta.url).href)};
  import { text } from 'node:stream/consumers';
  const { settings, change, input } = JSON.parse(await text(process.stdin));
  const [noun, verb] = change.split('.');
  const keyferry = await connect(settings);
  const error = await keyferry[noun][verb](...input).then(() => new Error('nothing failed'), (one) => one);
  setImmediate(() => { throw error; });
`;

test('a program that dies with an error of ours says no value, nor does its diagnostic report', async ({ task }) => {
  const encryptionKeys = environment['KEYFERRY_ENCRYPTION_KEYS'] ?? '';
  const settings = { databaseUrl: database().url, encryptionKeys };
  const [refused, unsaved, password] = ['crash', 'unsaved', 'database'].map(canary) as [string, string, string];
  const url = `postgres://ann:${encodeURIComponent(password)}@127.0.0.1:1/none`;
  const credentials = { method: 'access-key', accessKeyId: 'AKIAEXAMPLE000000004', secretAccessKey };
  const crashes = [
    { settings, change: 'secrets.set', input: [place, { values: { LONG: refused + 'x'.repeat(99_999) } }] },
    { settings, change: 'secrets.set', input: [place, { values: { A: unsaved } }] },
    { settings, change: 'connections.create', input: [{ name: 'crash', credentials }] },
    { settings: { ...settings, databaseUrl: url }, change: 'connections.list', input: [] },
  ];
  const { client } = stores.database;
  // What PostgreSQL refuses comes with the statement and its parameters.
  await client`alter table keyferry.secrets rename to secrets_away`;
  await client`alter table keyferry.connections rename to connections_away`;
  const places: Place[] = [];
  for (const [index, one] of crashes.entries()) {
    const reports = await mkdtemp(join(directory, 'given-reports-'));
    const report = ['--report-uncaught-exception', `--report-directory=${reports}`];
    const exit = await runProcess(
      process.execPath,
      {
        arguments: [...report, '--import', 'tsx', '--input-type=module', '-e', crash],
        input: JSON.stringify(one),
        environment: cleanEnvironment({}),
      },
      60_000,
    );
    const name = `crash ${String(index)}`;
    const [file = ''] = await readdir(reports);
    const text = await readFile(join(reports, file), 'utf8');
    expect([name, exit.code !== 0, exit.stderr]).toEqual([name, true, expect.stringContaining('JobError')]);
    places.push({ name: `output of ${name}`, text: exit.stdout + exit.stderr }, { name: `report of ${name}`, text });
  }
  await client`alter table keyferry.secrets_away rename to secrets`;
  await client`alter table keyferry.connections_away rename to connections`;
  const canaries = [refused, unsaved, password, secretAccessKey, encryptionKeys.split(':')[1] ?? ''];
  expectNoCanary(task, canaries, [...places, ...(await files())]);
}, 240_000);

test('what syncs and rotations carry comes out nowhere but at AWS', async ({ task }) => {
  const world = await syncing.createWorld(stage);
  await keyferry.as({ org: world.orgId }).webhooks.create({ name: 'all', url: 'https://hooks.example.com/' });
  await world.set({ A: canary('synced'), B: canary('removed') });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ B: null });
  await world.runUntilDone(id);
  const rotation = await rotating.createWorld(stage);
  const { id: rotationId } = await rotation.createRotation({ graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 });
  await rotation.runUntilDone(rotationId);
  const old = (await rotation.published()).secretAccessKey ?? '';
  await rotation.rotations.request(await rotation.row(rotationId), {}, 'ann');
  await rotation.runUntilDone(rotationId);
  const fresh = (await rotation.published()).secretAccessKey ?? '';
  const rows = await stage.handle.db.execute(
    sql`select id, event, created_at as "createdAt", payload from keyferry.notifications
      where payload ->> 'orgId' = ${world.orgId}`,
  );
  const bodies = rows.flatMap((row) =>
    (['standard', 'slack'] as const).map((format) => {
      const event = { ...row, createdAt: new Date(String(row['createdAt'])) } as unknown as Event;
      const secret = `whsec_${Buffer.alloc(32, 4).toString('base64')}`;
      return { name: `${format} body`, text: toMessage(event, { secret, format }, new Date()).body };
    }),
  );

  expect(bodies.length).toBeGreaterThan(0);
  expectNoCanary(task, [canary('synced'), canary('removed'), old, fresh], [...bodies, ...(await tables())]);
}, 120_000);

test('the search finds a value in each encoding', () => {
  const value = canary('found');
  const hidden = [
    value,
    Buffer.from(value).toString('latin1'),
    encodeURIComponent(value),
    JSON.stringify({ value }),
    Buffer.from(value).toString('hex'),
  ];
  for (const before of ['', 'a', 'ab', 'abc'])
    hidden.push(Buffer.from(`${before}${value}, and more`).toString('base64'));
  const places = hidden.map((text, index) => ({ name: String(index), text: `before ${text} after` }));
  expect(findCanaries([value], places)).toHaveLength(places.length);
  expect(findCanaries([value], [{ name: 'none', text: canary('other') }])).toEqual([]);
  expect(encodings(value).every((form) => form.length >= 16)).toBe(true);
});
