import { describe, expect, it, onTestFinished } from 'vitest';

import { generateEncryptionKey } from '../../../src/index.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createTestDatabase } from '../../support/postgres.ts';
import { runKeyferry, startKeyferry } from '../../support/processes.ts';
import { eventually } from '../../integration/engine/support.ts';

describe('a worker with KEYFERRY_WORKER_HTTP_PORT', () => {
  it('serves its health and its own metrics, and nothing else', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const environment = cleanEnvironment({
      DATABASE_URL: database.url,
      KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
      KEYFERRY_WORKER_HTTP_PORT: '0',
    });
    await runKeyferry(['migrate'], { environment });
    const worker = startKeyferry(['worker'], { environment });
    const line = await worker.waitForLine(/health and metrics/);
    const url = (JSON.parse(line) as { url: string }).url;
    await eventually(
      async () => (await fetch(`${url}/metrics`)).text(),
      (text) => /keyferry_tick_last_success_timestamp_seconds\{kind="rotate"\} \d/.test(text),
    );
    const statuses = await Promise.all(
      ['/healthz', '/readyz', '/board', '/', '/api/v1/app-connections/aws'].map(
        async (path) => (await fetch(`${url}${path}`)).status,
      ),
    );
    expect(statuses).toEqual([200, 200, 404, 404, 404]);
    const ask = (port: string) =>
      runKeyferry(['doctor', '--role', 'worker', '--json'], {
        environment: { ...environment, KEYFERRY_HTTP_HOST: '0.0.0.0', KEYFERRY_WORKER_HTTP_PORT: port },
      });
    const ready = await ask(new URL(url).port);
    expect([ready.code, JSON.parse(ready.stdout)]).toEqual([
      0,
      ['database', 'queue', 'migrations', 'worker'].map((part) => ({ part, isFine: true, detail: 'ok' })),
    ]);
    const silent = await ask('1');
    expect([silent.code, JSON.parse(silent.stdout)]).toEqual([
      1,
      [{ part: 'worker', isFine: false, detail: 'no answer at http://127.0.0.1:1/readyz' }],
    ]);
    const deaf = await runKeyferry(['doctor', '--role', 'worker'], {
      environment: { ...environment, KEYFERRY_WORKER_HTTP_PORT: '' },
    });
    expect(deaf).toMatchObject({ code: 2, stderr: expect.stringContaining('set KEYFERRY_WORKER_HTTP_PORT') as string });
    worker.signal('SIGTERM');
    expect(await worker.waitForExit()).toMatchObject({ code: 0 });
  }, 60_000);
});
