import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { createEncryption } from '../../../src/db/encryption.ts';
import { createNotifications } from '../../../src/db/notifications.ts';
import { createOutbox } from '../../../src/db/outbox.ts';
import { createLog } from '../../../src/observe/log.ts';
import { sign } from '../../../src/server/webhook/message.ts';
import { startWebhook, type RunningWebhook } from '../../../src/server/webhook/webhook.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { seedStates, type Seeded } from './seed.ts';

interface Received {
  readonly type: string;
  readonly data: { id: string; state: string; code: string | null; message: string | null; fix: string | null };
}

const SECRET = 'whsec_dGhpcyBpcyBub3QgYSByZWFsIHNlY3JldA==';
const HOUR_MS = 3_600_000;

describe('the webhook', () => {
  let database: TestDatabase;
  let handle: DatabaseHandle;
  let seeded: Seeded;
  let receiver: Server;
  let webhook: RunningWebhook | undefined;
  let now: Date;
  let received: Received[];
  let answers: number[];
  let ids: string[];

  beforeEach(async () => {
    database = await createTestDatabase();
    handle = openDatabase(database.url, { poolSize: 2 });
    seeded = await seedStates(handle.client);
    [now, received, answers, ids] = [new Date(), [], [], []];
    receiver = createServer((request, response) => {
      void take(request).then(() => response.writeHead(answers.shift() ?? 204).end());
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    await webhook?.close();
    webhook = undefined;
    receiver.closeAllConnections();
    receiver.close();
    await handle.close();
    await database.drop();
  });

  const options = () => ({
    operator: { url: `http://127.0.0.1:${String((receiver.address() as AddressInfo).port)}/hook`, secret: SECRET },
    hosts: [],
    notifications: createNotifications(handle.db, { hasOperator: true }),
    outbox: createOutbox(handle.db, createEncryption([{ id: 'test', key: Buffer.alloc(32, 1) }])),
    log: createLog({ level: 'silent' }),
    everyMs: HOUR_MS,
    now: () => now,
    random: () => 0,
  });

  async function take(request: IncomingMessage): Promise<void> {
    const body = (await request.setEncoding('utf8').toArray()).join('');
    const header = (name: string): string => String(request.headers[name]);
    const expected = sign(`${header('webhook-id')}.${header('webhook-timestamp')}.${body}`, SECRET);
    if (header('webhook-signature') !== `v1,${expected}`) throw new Error('The signature does not fit.');
    ids.push(header('webhook-id'));
    received.push(JSON.parse(body) as Received);
  }

  /** The first round starts with the webhook itself. */
  async function round(): Promise<void> {
    webhook ??= startWebhook(options());
    await webhook.round();
  } //keep

  const types = () => received.map((one) => one.type).sort();

  it('tells each trouble once, signed, with its fix', async () => {
    await round();
    await round();
    expect(types()).toEqual(['connection.invalid', 'rotation.blocked', 'sync.drifted', 'sync.partial']);
    const invalid = received.find((one) => one.type === 'connection.invalid');
    expect(invalid?.data).toMatchObject({
      id: seeded.invalidConnection,
      state: 'invalid',
      code: 'CONNECTION_ACCESS_DENIED',
      fix: expect.stringContaining('keyferry policy trust'),
    });
  });

  it('tells the recovery once, and a retry in between is none', async () => {
    await round();
    received = [];
    await handle.client`update keyferry.connections set status = 'pending'
      where id = ${seeded.invalidConnection}`;
    await handle.client`update keyferry.syncs set sync_status = 'running'
      where id = ${seeded.partialSync}`;
    await round();
    expect(types()).toEqual([]);
    await handle.client`update keyferry.connections set status = 'valid', status_code = null
      where id = ${seeded.invalidConnection}`;
    await handle.client`update keyferry.syncs set sync_status = 'failed'
      where id = ${seeded.partialSync}`;
    await round();
    await round();
    expect(types()).toEqual(['connection.recovered', 'sync.failed']);
  });

  it('delivers again with the same id until it is taken', async () => {
    answers = [500, 500, 500];
    await round();
    const first = [...ids].sort();
    ids = [];
    await handle.client`update keyferry.notifications set next_attempt_at = now()
      where delivered_at is null`;
    await round();
    // The sync both failed and drifted: of one subject, the second event waits for the first.
    expect([first.length, ids.length]).toEqual([3, 4]);
    expect(ids).toEqual(expect.arrayContaining(first));
    const rows = await handle.client`select attempts, last_error,
      delivered_at is not null as delivered,
        next_attempt_at from keyferry.notifications order by attempts desc`;
    expect(rows.map((row) => Number(row.attempts))).toEqual([2, 2, 2, 1]);
    for (const row of rows) expect(row).toMatchObject({ last_error: null, delivered: true, next_attempt_at: null });
  });

  it('gives up when the receiver says that it is gone', async () => {
    answers = [410, 410, 410, 410];
    await round();
    const rows = await handle.client`select next_attempt_at, last_error from keyferry.notifications`;
    for (const row of rows) expect(row).toEqual({ next_attempt_at: null, last_error: 'HTTP 410' });
  });

  it('tells once when two servers look at the same time', async () => {
    const second = startWebhook(options());
    await Promise.all([round(), second.round(), round(), second.round()]);
    await second.close();
    expect(received).toHaveLength(4);
  });

  it('says nothing of syncs that only wait for an invalid connection', async () => {
    await handle.client`update keyferry.syncs
      set sync_status = 'blocked', status_code = 'CONNECTION_INVALID', drift = 'none'`;
    await round();
    expect(types()).toEqual(['connection.invalid', 'rotation.blocked']);
  });

  it('refuses an address that is plain http in a network', () => {
    expect(() =>
      startWebhook({ ...options(), operator: { url: 'http://hooks.example.com/', secret: SECRET } }),
    ).toThrow('https');
  });
});
