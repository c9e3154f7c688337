import { describe, expect, it, onTestFinished } from 'vitest';

import { generateEncryptionKey } from '../../../src/index.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createTestDatabase } from '../../support/postgres.ts';
import { runKeyferry, startKeyferry } from '../../support/processes.ts';
import { eventually } from '../engine/support.ts';

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
    worker.signal('SIGTERM');
    expect(await worker.waitForExit()).toMatchObject({ code: 0 });
  }, 60_000);
});
