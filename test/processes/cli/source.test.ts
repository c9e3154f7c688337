import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { createEncryption } from '../../../src/db/encryption.ts';
import { createFolders } from '../../../src/db/folders.ts';
import { createSources } from '../../../src/db/sources.ts';
import { startCommandHost, type CommandHost } from '../../support/command-host.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { createTemporaryDirectory } from '../../support/temporary-directory.ts';
import { openHttpSource, type FakeSource } from '../../integration/sources/fake-sources.ts';
import { startPullWorker, type PullWorker } from '../../integration/sources/pull-worker.ts';

const TOKEN = 'canary-token-of-the-command-line';

/** `keyferry source`: from its settings to the pulls that it shows. */
describe('keyferry source', () => {
  const database = useTestDatabase();
  const key = Buffer.alloc(32, 3);
  const hosts = ['127.0.0.1'];
  let host: CommandHost;
  let handle: DatabaseHandle;
  let source: FakeSource;
  let worker: PullWorker;
  let secretFile: string;

  beforeAll(async () => {
    const directory = await createTemporaryDirectory('source');
    secretFile = join(directory, 'token');
    await writeFile(secretFile, `${TOKEN}\n`);
    host = startCommandHost(cleanEnvironment({ HOME: directory }));
    handle = openDatabase(database().url, { poolSize: 3 });
    source = await openHttpSource(TOKEN);
    const encryption = createEncryption([{ id: 'k', key }]);
    const sources = createSources(handle.db, encryption, { hosts });
    const folders = createFolders(handle.db, encryption);
    worker = await startPullWorker({ databaseUrl: database().url, folders, sources, hosts, everyMs: 200 });
  });
  afterAll(async () => {
    await worker.stop();
    await source.server.close();
    await handle.close();
    await host.stop();
  });

  const keyferry = (...args: string[]) =>
    host.run({
      args,
      environment: cleanEnvironment({
        DATABASE_URL: database().url,
        KEYFERRY_ENCRYPTION_KEYS: `k:${key.toString('base64')}`,
        KEYFERRY_SOURCE_HOSTS: '127.0.0.1',
      }),
    });
  const place = ['--project', 'web', '--env', 'prod', '--path', '/api'];
  const set = (...more: string[]) =>
    keyferry('source', 'set', ...place, '--kind', 'http', '--url', `${source.server.url}/canary-path`, ...more);

  it('sets, reads, shows and unsets one, and never shows a credential', async () => {
    source.values = { A: 'canary-a', B: 'canary-b' };
    const made = await set('--secret-file', secretFile, '--every', '15m');
    const read = await keyferry('source', 'run', ...place);
    const shown = await keyferry('source', 'show', ...place);
    const json = await keyferry('source', 'show', ...place, '--json');
    const names = await keyferry('secrets', 'list', ...place, '--json');
    const runs = await keyferry('runs', 'list', '--kind', 'pull');
    const refused = await keyferry('secrets', 'unset', 'A', ...place);
    const gone = await keyferry('source', 'unset', ...place);
    const none = await keyferry('source', 'show', ...place);

    expect([made.code, read.code, shown.code, gone.code, none.code]).toEqual([0, 0, 0, 0, 2]);
    expect(read.stdout).toMatch(/status +succeeded/);
    expect(shown.stdout).toMatch(/every +900 s/);
    expect(shown.stdout).toMatch(/succeeded +requested +2 updated/);
    expect(JSON.parse(json.stdout)).toMatchObject({
      kind: 'http',
      pulls: expect.arrayContaining([expect.objectContaining({ kind: 'pull', status: 'succeeded' })]) as unknown,
    });
    expect(names.stdout).toContain('"A"');
    expect(runs.stdout).toMatch(/pull +web\/prod\/api +succeeded/);
    expect(refused.stderr).toContain('SECRET_SOURCED');
    const all = [made, read, shown, json, names, runs, refused, gone, none];
    expect(JSON.stringify(all)).not.toContain('canary');
  }, 90_000);

  it('ends with 1 and the reason when the source is not read', async () => {
    await set('--no-auth');
    const denied = await keyferry('source', 'run', ...place);
    expect([denied.code, denied.stdout]).toEqual([1, expect.stringContaining('SOURCE_DENIED')]);
  });

  it.each([
    [['--url', 'http://example.com/x', '--no-auth'], 'SOURCE_URL_REFUSED'],
    [['--url', 'https://example.com/x', '--no-auth', '--every', 'soon'], '--every must be a duration'],
  ])('refuses %j', async (options, message) => {
    const refused = await keyferry('source', 'set', ...place, '--kind', 'http', ...options);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});
