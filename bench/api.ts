/**
 * How many requests the HTTP API takes: server, PostgreSQL (which flushes to disk) and the load on
 * one machine. A bare hono server with one insert is measured in turn with it, since the machine
 * may be busy with other things; the ratio says what keyferry's own work costs. And how long the
 * status page takes to answer an operator who looks at 10,000 syncs.
 */
import { createHash } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import postgres from 'postgres';

import { generateEncryptionKey } from '../src/config/encryption-key.ts';
import { openDatabase } from '../src/db/client.ts';
import { createIdentities } from '../src/db/identities.ts';
import { sandboxEnvironment } from '../src/sandbox/environment.ts';
import { startEmbeddedPostgres } from '../src/sandbox/postgres.ts';
import { runKeyferry, startUnboundKeyferry, startUnboundProcess, type TestProcess } from '../test/support/processes.ts';
import { build } from './build.ts';
import { measureLoad, requestText, type LoadResult } from './http-load.ts';
import type { Figure } from './figure.ts';

/** Many callers: the server bounds the requests of each. */
const CALLERS = 60;
const TOKENS = Array.from({ length: CALLERS }, (_, index) => `bench-token-of-the-api-benchmark-${String(index)}`);
let turn = 0;
const inTurn = (texts: readonly string[]): string => texts[(turn += 1) % texts.length] ?? '';
const BASE = '/api/v1/app-connections/aws';
const ROLE_ARN = 'arn:aws:iam::111122223333:role/keyferry';
const CONNECTIONS = 64;
const ROUNDS = 3;
const SECONDS = 5;
const SYNCS = 10_000;

export async function measureApi(): Promise<readonly Figure[]> {
  await build();
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-bench-'));
  const database = await startEmbeddedPostgres({ directory, persistent: true });
  const environment = {
    ...sandboxEnvironment(process.env),
    DATABASE_URL: database.url,
    KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
    KEYFERRY_HTTP_PORT: '0',
    KEYFERRY_API_TOKENS: TOKENS.map(
      (token, index) => `bench:bench-${String(index)}:${createHash('sha256').update(token).digest('hex')}:admin`,
    ).join(','),
    AWS_REGION: 'eu-west-1',
  };
  const processes: TestProcess[] = [];
  try {
    const { code, stderr } = await runKeyferry(['migrate'], { environment }, 60_000);
    if (code !== 0) throw new Error(stderr);
    const server = startUnboundKeyferry(['server'], { environment });
    const bare = startUnboundProcess(process.execPath, {
      arguments: ['--import', 'tsx', new URL('bare-api.ts', import.meta.url).pathname],
      environment,
    });
    processes.push(server, bare);
    const url = urlIn(await server.waitForLine(/server started/, 60_000));
    const rates = await measureRates(url, urlIn(await bare.waitForLine(/listening/, 60_000)));
    return [...rates, ...(await measureIdentities(database.url, url)), await measureStatusPage(database.url, url)];
  } finally {
    await Promise.all(processes.map((one) => one.kill()));
    await database.stop();
  }
}

function urlIn(line: string): string {
  return /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? '';
}

const requests = {
  api: {
    create: (name: string) =>
      requestText('POST', `${BASE}?wait=0`, {
        token: inTurn(TOKENS),
        body: { name, method: 'assume-role', credentials: { roleArn: ROLE_ARN } },
      }),
    read: (name: string) => requestText('GET', `${BASE}/connection-name/${name}`, { token: inTurn(TOKENS) }),
  },
  bare: {
    create: (name: string) => requestText('POST', '/', { body: { name, roleArn: ROLE_ARN } }),
    read: (name: string) => requestText('GET', `/${name}`),
  },
} as const;

/** In turn, so that what else the machine does hits both alike; the first round only warms up. */
async function measureRates(api: string, bare: string): Promise<readonly Figure[]> {
  let made = 0;
  const run = (url: string, make: (name: string) => string, names: () => string): Promise<LoadResult> =>
    measureLoad({ url, connections: CONNECTIONS, seconds: SECONDS, next: () => make(names()) });
  const fresh = () => `c-${(made += 1)}`;
  const rounds: Record<'create' | 'read' | 'bareCreate' | 'bareRead', LoadResult>[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const first = made + 1;
    const create = await run(api, requests.api.create, fresh);
    const bareFirst = made + 1;
    const known = (from: number, to: number) => () => `c-${from + Math.floor(Math.random() * (to - from))}`;
    const read = await run(api, requests.api.read, known(first, bareFirst - CONNECTIONS));
    const bareCreate = await run(bare, requests.bare.create, fresh);
    const bareRead = await run(bare, requests.bare.read, known(bareFirst, made - CONNECTIONS));
    if (round > 0) rounds.push({ create, read, bareCreate, bareRead });
  }
  const best = (kind: keyof (typeof rounds)[number]) => Math.max(...rounds.map((round) => round[kind].perSecond));
  const middle = (ratio: (round: (typeof rounds)[number]) => number) =>
    rounds.map(ratio).sort((one, other) => one - other)[Math.floor(rounds.length / 2)] ?? Number.NaN;
  return [
    figure('api.create.per-second', best('create'), 'per second', '>= 1000 on two free cores'),
    figure(
      'api.create.p95-ms',
      middle((round) => round.create.p95Ms),
      'ms, 64 at once',
      'no goal',
    ),
    figure(
      'api.create.ratio',
      middle(({ create, bareCreate }) => create.perSecond / bareCreate.perSecond),
      '',
      'of a bare insert',
    ),
    figure('api.read.per-second', best('read'), 'per second', '>= 1000 on two free cores'),
    figure(
      'api.read.ratio',
      middle(({ read, bareRead }) => read.perSecond / bareRead.perSecond),
      '',
      'of a bare select',
    ),
    figure('bare.create.per-second', best('bareCreate'), 'per second', 'for comparison'),
  ];
}

/** Logins by one identity, and reads with an access token. */
async function measureIdentities(databaseUrl: string, url: string): Promise<readonly Figure[]> {
  const handle = openDatabase(databaseUrl);
  const identities = createIdentities(handle.db);
  const settings = { scope: 'read', projects: null, onExisting: 'fail', expiresAt: null } as const;
  const made = [];
  for (let index = 0; index < CALLERS; index += 1)
    made.push(await identities.create('bench', { ...settings, name: `bench-${String(index)}` }));
  const logins = made.map(({ identity, clientSecret }) => ({ clientId: identity.id, clientSecret }));
  const tokens = await Promise.all(logins.map(async (login) => (await identities.login(login))?.accessToken ?? ''));
  await handle.close();
  const rate = async (next: () => string) =>
    (await measureLoad({ url, connections: CONNECTIONS, seconds: SECONDS, next })).perSecond;
  const login = logins[0];
  const loginRate = await rate(() => requestText('POST', '/api/v1/auth/universal-auth/login', { body: login }));
  const readRate = await rate(() => requestText('GET', `${BASE}/connection-name/c-1`, { token: inTurn(tokens) }));
  return [
    figure('api.logins-per-second', loginRate, 'per second', '>= 500'),
    figure('api.authenticated-reads-per-second', readRate, 'per second', '>= 1000'),
  ];
}

/** One operator, who opens every list and search in turn. */
async function measureStatusPage(databaseUrl: string, url: string): Promise<Figure> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  await sql`
    insert into keyferry.folders (org_id, project_id, environment, secret_path)
    select 'bench', 'p', 'e', '/' || n from generate_series(1, ${SYNCS}) n`;
  await sql`
    insert into keyferry.syncs (org_id, name, connection_id, folder_id, destination,
      destination_config, sync_options, sync_status, status_code,
      drift, next_due_at, last_synced_at)
    select 'bench', 'sync-' || n, (select id from keyferry.connections limit 1), f.id,
      'aws-parameter-store',
      jsonb_build_object('region', 'eu-west-1', 'path', '/s' || n || '/'), '{}',
      (array['succeeded', 'succeeded', 'partial', 'failed', 'blocked'])[1 + n % 5],
      case when n % 5 >= 2 then 'AWS_ACCESS_DENIED' end,
      (array['none', 'drifted'])[1 + (n % 50 = 0)::int], now() + n * interval '1 second', now()
    from generate_series(1, ${SYNCS}) n join keyferry.folders f on f.secret_path = '/' || n`;
  await sql`analyze`;
  await sql.end();
  const pages = ['/', '/syncs', '/syncs?q=sync-77', '/syncs?page=40', '/connections'];
  let turn = 0;
  const next = () => requestText('GET', pages[(turn += 1) % pages.length] ?? '/');
  const { p95Ms } = await measureLoad({ url, connections: 1, seconds: 2 * SECONDS, next });
  return figure('status-page.p95-ms', p95Ms, `ms, ${SYNCS} syncs`, '<= 100');
}

const figure = (name: string, value: number, unit: string, goal: string): Figure => ({ name, value, unit, goal });
