import { describe, expect, it, onTestFinished } from 'vitest';

import { openDatabase } from '../../../src/db/client.ts';
import { requireCurrentSchema } from '../../../src/db/migrate.ts';
import { errorTable, JobError } from '../../../src/errors.ts';
import { createQueueBackend } from '../../../src/queues/backend.ts';
import { queueBackends } from '../../support/backends.ts';
import { useServer } from './support.ts';

const login = { user: 'operator', password: 'a long enough password' };
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

describe.each(queueBackends)('health and metrics on $name', ({ redisUrl }) => {
  const fixture = useServer(redisUrl);

  it('is ready when database, queue and schema answer', async () => {
    const url = await fixture().start();
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' });
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(200);
    const { status, parts } = (await ready.json()) as { status: string; parts: Record<string, { status: string }> };
    expect([status, parts.database?.status, parts.queue?.status, parts.migrations?.status]).toEqual([
      'ready',
      'ok',
      'ok',
      'ok',
    ]);
  });

  it('names the part that is not ready and the remedy', async () => {
    const { start, dependencies } = fixture();
    const health = { ...dependencies().health, migrations: () => Promise.reject(new JobError('DB_NOT_MIGRATED')) };
    const answer = await fetch(`${await start({ health })}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      status: 'not ready',
      parts: {
        migrations: { status: 'failing', code: 'DB_NOT_MIGRATED', remedy: 'Run `keyferry migrate`.' },
        database: { status: 'ok' },
      },
    });
  });

  it('says the remedy once', async () => {
    const { start, dependencies } = fixture();
    const { nextStep } = errorTable.DB_UNAVAILABLE;
    const down = new JobError('DB_UNAVAILABLE', { message: `PostgreSQL is away. ${nextStep}` });
    const health = { ...dependencies().health, database: () => Promise.reject(down) };
    const { parts } = (await (await fetch(`${await start({ health })}/readyz`)).json()) as { parts: object };
    expect(parts).toMatchObject({ database: { message: 'PostgreSQL is away.', remedy: nextStep } });
  });

  it('prints the contract’s metrics, and names every one with help and type', async () => {
    const { start, metrics } = fixture();
    metrics.runFinished({ kind: 'sync', status: 'succeeded', durationSeconds: 1.5, waitSeconds: 0.2 });
    metrics.awsCall({ service: 'ssm', operation: 'PutParameter', outcome: 'throttled' });
    const text = await (await fetch(`${await start()}/metrics`)).text();
    const names = [
      'runs_total',
      'run_duration_seconds',
      'run_wait_seconds',
      'aws_calls_total',
      'aws_throttled_total',
      'connections',
      'syncs',
      'rotations',
      'due',
      'oldest_due_seconds',
      'queue_jobs',
    ];
    for (const name of names) expect(text).toContain(`# TYPE keyferry_${name} `);
    expect(text).toContain('keyferry_runs_total{kind="sync",status="succeeded"} 1');
    expect(text).toContain('keyferry_aws_throttled_total{service="ssm",operation="PutParameter"} 1');
    expect(text).toMatch(/keyferry_queue_jobs\{queue="validate",state="waiting"\} \d+/);
    expect(text).toMatch(/keyferry_due\{kind="rotate"\} 0/);
  });
});

describe('readiness, which answers without a login', () => {
  const fixture = useServer(undefined);

  it('names no host and nothing of a URL', async () => {
    const { start, dependencies } = fixture();
    const lost = await createQueueBackend({ databaseUrl: UNREACHABLE, redisUrl: 'redis://:planted@pass@127.0.0.1:1' });
    const database = openDatabase(UNREACHABLE);
    onTestFinished(async () => {
      await Promise.all([lost.close(), database.close()]);
    });
    const health = {
      ...dependencies().health,
      database: () => database.ping(),
      queue: () => lost.check(),
      migrations: () => requireCurrentSchema(UNREACHABLE),
    };
    const answer = await fetch(`${await start({ health })}/readyz`);
    const body = await answer.text();
    expect([answer.status, JSON.parse(body)]).toMatchObject([
      503,
      { parts: { database: { code: 'DB_UNAVAILABLE' }, queue: { code: 'QUEUE_UNAVAILABLE' } } },
    ]);
    expect(body).not.toMatch(/127\.0\.0\.1|planted|pass|someone/);
  });
});

const UNREACHABLE = 'postgres://someone:planted@127.0.0.1:1/none';

describe('who may come in', () => {
  const fixture = useServer(undefined);

  it('serves loopback without a login, but not under a foreign Host or to a foreign page', async () => {
    const { app } = await created();
    const statuses = await Promise.all([
      app.request('/board', { headers: { host: 'localhost:3010' } }),
      app.request('/board', { headers: { host: 'rebound.example.com' } }),
      app.request('/board', { headers: { host: '127.0.0.1', origin: 'https://evil.example' } }),
      app.request('/board', { headers: { host: '127.0.0.1', 'x-forwarded-for': '203.0.113.9' } }),
    ]);
    expect(statuses.map((answer) => answer.status)).toEqual([200, 421, 403, 403]);
  });

  it('refuses board and metrics off loopback while no credentials are configured', async () => {
    const { app } = await created({ host: '0.0.0.0' });
    const [board, metrics, health] = await Promise.all(
      ['/board', '/metrics', '/healthz'].map(async (path) => app.request(path, { headers: { host: '192.0.2.7' } })),
    );
    expect([board?.status, metrics?.status, health?.status]).toEqual([403, 403, 200]);
    expect(await board?.text()).toContain('KEYFERRY_BOARD_USER');
  });

  it('asks for the login off loopback, for pages, assets and data alike', async () => {
    const { app } = await created({ host: '0.0.0.0', login });
    const headers = { host: '192.0.2.7' };
    const paths = ['/board', '/board/', '/board/api/queues', '/board/static/favicon.ico'];
    const without = await Promise.all(paths.map(async (path) => app.request(path, { headers })));
    const wrong = await app.request('/board', { headers: { ...headers, ...basic('operator', 'wrong') } });
    const right = await app.request('/board', { headers: { ...headers, ...basic(login.user, login.password) } });
    expect([...without.map((answer) => answer.status), wrong.status, right.status]).toEqual([
      401, 401, 401, 401, 401, 200,
    ]);
    expect(wrong.headers.get('www-authenticate')).toContain('Basic');
  });

  it('stops answering wrong passwords after ten, and never locks out the right one', async () => {
    let now = new Date('2026-01-01T00:00:00Z');
    const { app } = await created({ host: '0.0.0.0', login, now: () => now });
    const attempt = async (password: string) =>
      (await app.request('/board', { headers: { host: '192.0.2.7', ...basic('operator', password) } })).status;
    const statuses: number[] = [];
    for (let n = 0; n < 11; n += 1) statuses.push(await attempt(`wrong ${String(n)}`));
    expect(statuses).toEqual([...Array<number>(10).fill(401), 429]);
    expect(await attempt(login.password)).toBe(200);
    expect(await attempt('wrong again')).toBe(429);
    now = new Date('2026-01-01T00:01:01Z');
    expect(await attempt('wrong again')).toBe(401);
  });

  it('gives metrics off loopback to the bearer only', async () => {
    const { app } = await created({ host: '0.0.0.0', metricsToken: 'scrape-me' });
    const status = async (authorization?: string) =>
      (
        await app.request('/metrics', {
          headers: { host: '192.0.2.7', ...(authorization === undefined ? {} : { authorization }) },
        })
      ).status;
    expect([await status(), await status('Bearer other'), await status('Bearer scrape-me')]).toEqual([401, 401, 200]);
  });

  it('sends headers that forbid framing, caching and foreign scripts, also with errors', async () => {
    const { app } = await created();
    for (const path of ['/board', '/healthz', '/nothing']) {
      const { headers } = await app.request(path, { headers: { host: 'localhost' } });
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  async function created(overrides: Parameters<ReturnType<typeof fixture>['dependencies']>[0] = {}) {
    const { createServer } = await import('../../../src/server/server.ts');
    return createServer(fixture().dependencies(overrides));
  }
});
