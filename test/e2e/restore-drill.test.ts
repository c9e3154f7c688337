/**
 * The drill of docs/backup-and-restore.md, command by command, beside an installation that goes on.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { migrate } from '../../src/db/migrate.ts';
import { createQueueBackend } from '../../src/queues/backend.ts';
import { type Exit, runKeyferry, startUnboundKeyferry, type TestProcess } from '../support/processes.ts';
import { type CopiedDatabase, copyDatabase } from './support/copy-database.ts';
import { createFirstSync, place } from './support/first-sync.ts';
import { ACCOUNT, startInstallation, type Installation } from './support/installation.ts';

const PARAMETER = { accountId: ACCOUNT, region: 'eu-west-1', name: '/shop/prod/DB_HOST' };
const LIMIT_MS = 60_000;

describe('the drill', () => {
  let installation: Installation;
  const copies: CopiedDatabase[] = [];
  const workers: TestProcess[] = [];

  beforeAll(async () => {
    installation = await startInstallation({ queue: 'postgres' });
    installation.trust('acme');
    await createFirstSync(installation.keyferry, ACCOUNT);
    expect(valueAtAws()).toBe('first');
  }, 120_000);

  afterAll(async () => {
    for (const worker of workers) await worker.kill();
    await installation.stop();
    for (const copy of copies) await copy.drop();
  }, 60_000);

  const valueAtAws = () => installation.sandbox.inspect.parameter(PARAMETER)?.value;

  /** The backup, restored beside the original: the environment of its commands. */
  async function restoreBackup(name: string): Promise<Readonly<Record<string, string>>> {
    const { environment } = installation;
    const copy = await copyDatabase(environment['DATABASE_URL'] ?? '');
    copies.push(copy);
    console.log(`the backup was restored by ${copy.by}`);
    await migrate(copy.url);
    const backend = await createQueueBackend({ databaseUrl: copy.url, redisUrl: undefined });
    await backend.prepare();
    await backend.close();
    return { ...environment, DATABASE_URL: copy.url, KEYFERRY_INSTALLATION: name, KEYFERRY_ORG: 'acme' };
  }

  const command = (environment: Readonly<Record<string, string>>, line: string): Promise<Exit> =>
    runKeyferry(line.split(' '), { environment }, LIMIT_MS);

  async function succeed(environment: Readonly<Record<string, string>>, line: string): Promise<string> {
    const { code, stdout, stderr } = await command(environment, line);
    expect([line, code, code === 0 ? '' : stdout + stderr]).toEqual([line, 0, '']);
    return stdout;
  }

  async function startWorker(
    environment: Readonly<Record<string, string>>,
    ...options: readonly string[]
  ): Promise<TestProcess> {
    const worker = startUnboundKeyferry(['worker', ...options], { environment });
    workers.push(worker);
    await worker.waitForLine(/worker started/, LIMIT_MS);
    return worker;
  }

  async function stopWorker(worker: TestProcess): Promise<void> {
    worker.signal('SIGTERM');
    expect((await worker.waitForExit(LIMIT_MS)).code).toBe(0);
  }

  async function confirmationOf(environment: Readonly<Record<string, string>>): Promise<string> {
    const shown = await succeed(environment, 'restore status');
    expect(shown).toMatch(/GUARDED: This is another database than before/);
    return /--confirm ([0-9a-f]{8})/.exec(shown)?.[1] ?? '';
  }

  it('tries a backup as a clone: it changes nothing, and the original goes on', { timeout: 240_000 }, async () => {
    const drill = await restoreBackup('drill');
    await succeed(drill, 'doctor --backup');
    const confirmation = await confirmationOf(drill);
    const worker = await startWorker(drill, '--guarded');
    await worker.waitForLine(/guarded: /, LIMIT_MS);
    await stopWorker(worker);
    expect(await succeed(drill, 'status')).toMatch(/GUARDED since .*[^]*restore accept --as moved\|restored\|clone/);

    const unconfirmed = await command(drill, 'restore accept --as clone --name drill --confirm 00000000');
    expect(unconfirmed.code).not.toBe(0);
    expect(unconfirmed.stderr).toContain(`--confirm ${confirmation}`);
    await succeed(drill, `restore accept --as clone --name drill --confirm ${confirmation}`);
    const again = await command(drill, `restore accept --as clone --name drill --confirm ${confirmation}`);
    expect([again.code === 0, again.stderr.includes('not guarded')]).toEqual([false, true]);
    expect(await succeed(drill, 'sync show api')).toMatch(/^paused /m);
    expect(valueAtAws()).toBe('first');

    await installation.keyferry.secrets.set(place, { values: { DB_HOST: 'second' } });
    await expect.poll(valueAtAws, { timeout: LIMIT_MS }).toBe('second');
    // The next backup is made at rest.
    const status = async () => (await installation.keyferry.syncs.get('api')).syncStatus;
    await expect.poll(status, { timeout: LIMIT_MS }).toBe('succeeded');
  });

  it('restores a backup: what was written since stays until a person decides', { timeout: 240_000 }, async () => {
    const restored = await restoreBackup('production');
    await installation.keyferry.secrets.set(place, { values: { DB_HOST: 'third' } });
    await expect.poll(valueAtAws, { timeout: LIMIT_MS }).toBe('third');
    await installation.stopProcesses();

    const confirmation = await confirmationOf(restored);
    const early = await startWorker(restored);
    const refused = await command(restored, `restore accept --as restored --confirm ${confirmation}`);
    expect([refused.code === 0, /Stop every worker/.test(refused.stderr)]).toEqual([false, true]);
    await stopWorker(early);
    await succeed(restored, `restore accept --as restored --confirm ${confirmation}`);

    await startWorker(restored);
    const asked = await command(restored, 'sync run api');
    expect([asked.code === 0, valueAtAws()]).toEqual([false, 'third']);
    expect(await succeed(restored, 'sync show api')).toContain('was written after this database was backed up');
    await succeed(restored, 'sync run api --accept-source');
    expect(valueAtAws()).toBe('second');
  });
});
