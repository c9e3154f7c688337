/**
 * A start that fails half-way ends the process, with a code and a message that names the setting.
 */
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { runKeyferry } from '../../support/processes.ts';
import { createTemporaryDirectory } from '../../support/temporary-directory.ts';

describe('a process whose start fails half-way', () => {
  const database = useTestDatabase();
  const keys = generateEncryptionKey();
  let taken: Server;
  let port: string;

  beforeAll(async () => {
    taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    port = String((taken.address() as { port: number }).port);
    const environment = cleanEnvironment({ DATABASE_URL: database().url });
    expect((await runKeyferry(['migrate'], { environment })).code).toBe(0);
  });
  afterAll(() => {
    taken.close();
  });

  const keyferry = (command: string, settings: Record<string, string>) => {
    const environment = cleanEnvironment({
      DATABASE_URL: database().url,
      KEYFERRY_ENCRYPTION_KEYS: keys,
      ...settings,
    });
    return runKeyferry([command], { environment }, 25_000);
  };

  it.each([
    ['worker', 'KEYFERRY_WORKER_HTTP_PORT', {}],
    ['server', 'KEYFERRY_HTTP_PORT', {}],
    ['worker', 'KEYFERRY_WORKER_HTTP_PORT', { KEYFERRY_HTTP_PORT: '0' }],
  ] as const)('ends as a %s whose %s is taken', async (command, setting, others) => {
    const exit = await keyferry(command, { ...others, [setting]: port });
    expect([exit.code, exit.stderr]).toEqual([
      2,
      expect.stringMatching(new RegExp(`Another program listens on 127.0.0.1, port ${port}: .* set ${setting}`)),
    ]);
  });

  it('ends as a sandbox whose port is taken, or whose folder for the key is missing', async () => {
    const busy = await runKeyferry(['sandbox', '--port', port], { environment: cleanEnvironment() }, 25_000);
    expect([busy.code, busy.stderr]).toEqual([2, expect.stringMatching(/Another program listens on .* set --port/)]);
    const unwritten = ['sandbox', '--key-folder', '/nonexistent/keys'];
    const missing = await runKeyferry(unwritten, { environment: cleanEnvironment() }, 25_000);
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringContaining('--key-folder /nonexistent/keys is no'),
    ]);
    expect(missing.stderr).toContain('mkdir -p');
  });

  it('ends as `up` whose port is taken, before a worker starts', async () => {
    const directory = await createTemporaryDirectory('busy');
    const up = ['up', '--sandbox', '--port', port];
    const exit = await runKeyferry(up, { environment: cleanEnvironment(), directory }, 25_000);
    expect([exit.code, exit.stderr]).toEqual([2, expect.stringMatching(/Another program listens on .* set --port/)]);
    expect(exit.stderr).not.toContain('worker');
  });

  it('ends as a server whose webhook address is refused', async () => {
    const exit = await keyferry('server', {
      KEYFERRY_HTTP_PORT: '0',
      KEYFERRY_WEBHOOK_URL: 'http://hooks.example.com/planted',
      KEYFERRY_WEBHOOK_SECRET: 'a long enough secret',
    });
    expect([exit.code, exit.stderr]).toEqual([2, expect.stringContaining('KEYFERRY_WEBHOOK_URL must be an https URL')]);
    expect(exit.stderr).not.toContain('planted');
  });

  it('ends as a worker whose health host is not one of this machine', async () => {
    const exit = await keyferry('worker', { KEYFERRY_WORKER_HTTP_PORT: '0', KEYFERRY_HTTP_HOST: '192.0.2.7' });
    expect([exit.code, exit.stderr]).toEqual([2, expect.stringContaining('set KEYFERRY_HTTP_HOST')]);
  });
});
