import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createEncryption } from '../../../src/db/encryption.ts';
import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { createNotifications } from '../../../src/db/notifications.ts';
import { createOutbox } from '../../../src/db/outbox.ts';
import { EVENTS_CHANNEL } from '../../../src/db/events.ts';
import { createLog } from '../../../src/observe/log.ts';
import { startWebhook, type RunningWebhook } from '../../../src/server/webhook/webhook.ts';
import { startCommandHost, type CommandHost } from '../../support/command-host.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { openReceiver, type Receiver } from '../../integration/events/receiver.ts';
import { createTemporaryDirectory } from '../../support/temporary-directory.ts';

/** `keyferry webhook`: from the secret that is shown once to the events that are sent again. */
describe('keyferry webhook', () => {
  const database = useTestDatabase();
  const key = Buffer.alloc(32, 3);
  let directory: string;
  let host: CommandHost;
  let handle: DatabaseHandle;
  let server: RunningWebhook | undefined;
  let receiver: Receiver;

  beforeAll(async () => {
    directory = await createTemporaryDirectory('webhook');
    host = startCommandHost(cleanEnvironment({ HOME: directory }));
    handle = openDatabase(database().url, { poolSize: 3 });
    receiver = await openReceiver();
  });
  afterAll(async () => {
    await server?.close();
    await receiver.close();
    await handle.close();
    await host.stop();
  });

  const keyferry = (...args: string[]) =>
    host.run({
      args: ['webhook', ...args],
      environment: cleanEnvironment({
        DATABASE_URL: database().url,
        KEYFERRY_ENCRYPTION_KEYS: `k:${key.toString('base64')}`,
        KEYFERRY_WEBHOOK_HOSTS: '127.0.0.1',
      }),
    });

  function startServer(onListening: () => void): void {
    server = startWebhook({
      operator: undefined,
      hosts: ['127.0.0.1'],
      notifications: createNotifications(handle.db, { hasOperator: false }),
      outbox: createOutbox(handle.db, createEncryption([{ id: 'k', key }])),
      log: createLog({ level: 'silent' }),
      everyMs: 3_600_000,
      now: () => new Date(),
      random: () => 0,
      async listen(onEvent) {
        const subscription = await handle.client.listen(EVENTS_CHANNEL, onEvent);
        onListening();
        return () => subscription.unlisten();
      },
    });
  }

  it('creates, tests, shows, replays and deletes one', async () => {
    const made = await keyferry(
      'create',
      'shop',
      '--url',
      receiver.url,
      '--event',
      'rotation.*',
      '--name-pattern',
      'a*',
    );
    const untaken = await keyferry('test', 'shop', '--timeout', '1s');
    await new Promise<void>(startServer);
    const taken = await keyferry('test', 'shop', '--json');
    receiver.answers.push(410);
    const refused = await keyferry('test', 'shop');
    const shown = await keyferry('show', 'shop');
    const replayed = await keyferry('replay', 'shop');
    const list = await keyferry('list');
    const gone = await keyferry('delete', 'shop');
    const none = await keyferry('show', 'shop');

    expect(made.stdout).toMatch(/^secret {2}whsec_[A-Za-z0-9+/]{43}=$/m);
    expect(made.stderr).toContain('not shown again');
    expect([untaken.code, untaken.stdout]).toEqual([1, expect.stringContaining('start one with `keyferry server`')]);
    expect([taken.code, (JSON.parse(taken.stdout) as { state: string }).state]).toEqual([0, 'delivered']);
    expect([refused.code, refused.stdout]).toEqual([1, 'Not delivered: HTTP 410.\n']);
    expect(shown.stdout).toMatch(/^parked +1$/m);
    expect(shown.stdout).toMatch(/webhook\.test .* parked +1 .*HTTP 410/);
    expect(`${shown.stdout}${list.stdout}`).not.toMatch(/whsec_|\/hook/);
    expect(replayed.stdout).toBe('1 event is sent again.\n');
    expect(list.stdout).toMatch(/^shop +http:\/\/127\.0\.0\.1:\d+ +standard +rotation\.\* +a\*/m);
    expect([gone.stdout, none.code]).toEqual(['Deleted shop.\n', 2]);
  });

  it.each([
    [['create', 'x', '--url', 'http://example.com/'], /it must begin with https.*KEYFERRY_WEBHOOK_HOSTS/s],
    [['create', 'x', '--url', 'https://example.com/', '--event', 'sync'], /--event must be one of sync\.changed/],
    [['test', 'x', '--timeout', 'soon'], /--timeout must be a duration/],
    [['replay', 'x'], /There is no webhook x/],
  ] as const)('refuses by name: %j', async (args, message) => {
    const { code, stderr } = await keyferry(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});
