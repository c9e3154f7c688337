import { createHmac } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openDatabase, type DatabaseHandle } from '../../../src/db/client.ts';
import { createEncryption } from '../../../src/db/encryption.ts';
import { EVENTS_CHANNEL } from '../../../src/db/events.ts';
import { createNotifications } from '../../../src/db/notifications.ts';
import { createOutbox } from '../../../src/db/outbox.ts';
import { createWebhooks, type WebhookRow } from '../../../src/db/webhooks.ts';
import { newWebhookShape } from '../../../src/domain/webhooks.ts';
import { createLog } from '../../../src/observe/log.ts';
import { startWebhook, type RunningWebhook } from '../../../src/server/webhook/webhook.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { openReceiver, type Receiver } from './receiver.ts';

const HOUR_MS = 3_600_000;
const encryption = createEncryption([{ id: 'test', key: Buffer.alloc(32, 1) }]);
const subject = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** At least once, in order for each subject and endpoint, and no endpoint waits for another. */
describe('an endpoint', () => {
  let database: TestDatabase;
  let handle: DatabaseHandle;
  let receivers: Receiver[];
  let servers: RunningWebhook[];

  beforeEach(async () => {
    database = await createTestDatabase();
    handle = openDatabase(database.url, { poolSize: 4 });
    [receivers, servers] = [[], []];
  });

  afterEach(async () => {
    for (const server of servers) await server.close();
    for (const receiver of receivers) await receiver.close();
    await handle.close();
    await database.drop();
  });

  const webhooks = () => createWebhooks(handle.db, encryption, { hosts: ['127.0.0.1'] });

  async function endpoint(
    name: string,
    input: object = {},
  ): Promise<Receiver & { readonly webhook: WebhookRow; readonly secret: string }> {
    const receiver = await openReceiver();
    receivers.push(receiver);
    const shape = newWebhookShape.parse({ name, url: receiver.url, ...input });
    const { webhook, secret } = await webhooks().create('acme', shape);
    return Object.assign(receiver, { webhook, secret });
  }

  function start(options: { readonly limitMs?: number; readonly onListening?: () => void } = {}): RunningWebhook {
    const server = startWebhook({
      operator: undefined,
      hosts: ['127.0.0.1'],
      notifications: createNotifications(handle.db, { hasOperator: false }),
      outbox: createOutbox(handle.db, encryption),
      log: createLog({ level: 'silent' }),
      everyMs: HOUR_MS,
      requestLimitMs: options.limitMs ?? 1_000,
      now: () => new Date(),
      random: () => 0,
      ...(options.onListening && {
        listen: async (onEvent: () => void) => {
          const subscription = await handle.client.listen(EVENTS_CHANNEL, onEvent);
          options.onListening?.();
          return () => subscription.unlisten();
        },
      }),
    });
    servers.push(server);
    return server;
  }

  /** Events of these subjects, in this order. */
  async function queue({ webhook }: { webhook: WebhookRow }, subjects: readonly number[]): Promise<void> {
    for (const [n, one] of subjects.entries()) {
      await handle.client`insert into keyferry.notifications (event, subject_id, webhook_id,
        payload)
        values ('sync.changed', ${subject(one)}, ${webhook.id},
          ${JSON.stringify({ orgId: 'acme', id: subject(one), n })}::text::jsonb)`;
    }
  }

  const makeDue = async () => {
    await handle.client`update keyferry.notifications set next_attempt_at = now()
      where next_attempt_at is not null`;
    await handle.client`update keyferry.webhooks set retry_at = null`;
  };
  const ofSubject = (receiver: Receiver, one: number) =>
    receiver.received.filter(({ data }) => data.id === subject(one)).map(({ data }) => Number(data.n));

  it('gets what can be checked with the secret that was shown once', async () => {
    const one = await endpoint('one');
    await queue(one, [1]);
    await start().round();

    const { headers = {}, text = '' } = one.received[0] ?? {};
    const key = Buffer.from(one.secret.replace(/^whsec_/, ''), 'base64');
    const content = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${text}`;
    expect(key).toHaveLength(32);
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(content).digest('base64')}`);
    const [row] = await handle.client`select target, origin from keyferry.webhooks`;
    expect(JSON.stringify(row)).not.toContain('hook"');
    expect(row?.origin).toBe(new URL(one.url).origin);
  });

  it('gets the events of each subject in their order, whatever fails', async () => {
    const one = await endpoint('one');
    await queue(one, [1, 2, 1, 1, 2, 1]);
    one.answers.push(500, 204, 500, 500);
    const server = start();
    for (let round = 0; round < 5; round += 1) {
      await server.round();
      await makeDue();
    }

    const [first, second] = [ofSubject(one, 1), ofSubject(one, 2)];
    expect([[...new Set(first)], [...new Set(second)]]).toEqual([
      [0, 2, 3, 5],
      [1, 4],
    ]);
    expect([first, second]).toEqual([first.toSorted((a, b) => a - b), second.toSorted((a, b) => a - b)]);
  });

  it('gets each event once from two servers that look at the same time', async () => {
    const one = await endpoint('one');
    await queue(
      one,
      Array.from({ length: 60 }, (_, n) => n % 20),
    );
    const [a, b] = [start(), start()];
    await Promise.all([a.round(), b.round(), a.round(), b.round()]);

    expect(new Set(one.received.map(({ headers }) => headers['webhook-id'])).size).toBe(60);
    expect(one.received).toHaveLength(60);
    for (let n = 0; n < 20; n += 1) expect(ofSubject(one, n)).toEqual([n, n + 20, n + 40]);
  });

  it('that does not answer delays no other, and is asked for one event at a time', async () => {
    const [dead, live] = [await endpoint('dead'), await endpoint('live')];
    dead.answer = () => 0;
    await queue(
      dead,
      Array.from({ length: 40 }, (_, n) => n),
    );
    await queue(
      live,
      Array.from({ length: 40 }, (_, n) => n),
    );
    const server = start({ limitMs: 3_000 });
    const round = server.round();
    while (live.received.length < 40) await new Promise((resolve) => setTimeout(resolve, 5));
    const meanwhile = await webhooks().get('acme', { name: 'dead' });
    await round;
    const first = dead.received.length;
    await handle.client`update keyferry.webhooks set retry_at = null`;
    await server.round();

    // Its first requests still wait for their answers when the other endpoint has got everything.
    expect(meanwhile).toMatchObject({ failures: 0, lastError: null });
    expect([first, dead.received.length]).toEqual([10, 11]);
    expect(await webhooks().get('acme', { name: 'dead' })).toMatchObject({
      ...{ failures: 2, waiting: 40, lastError: 'no answer in time' },
    });
  });

  it('that refuses one event gets the others of other subjects at once', async () => {
    const one = await endpoint('one');
    await queue(one, [1, 1, 2, 3]);
    one.answer = ({ data }) => (data.id === subject(1) ? 400 : 204);
    await start().round();

    expect([ofSubject(one, 1), ofSubject(one, 2), ofSubject(one, 3)]).toEqual([[0], [2], [3]]);
  });

  it('gets no event any more that it did not take for three days, until it is replayed', async () => {
    const one = await endpoint('one');
    await queue(one, [1, 1, 2]);
    one.answer = () => 500;
    const server = start();
    await handle.client`update keyferry.notifications set queued_at = now() - interval '71 hours'`;
    await server.round();
    const early = await webhooks().get('acme', { name: 'one' });
    await handle.client`update keyferry.notifications set queued_at = now() - interval '73 hours'`;
    await makeDue();
    await server.round();
    const parked = await webhooks().get('acme', { name: 'one' });
    delete one.answer;
    one.received.length = 0;
    await server.round();
    const silence = one.received.length;
    const replayed = await webhooks().replay(parked);
    await server.round();

    expect([early.waiting, early.parked, parked.waiting, parked.parked]).toEqual([3, 0, 0, 3]);
    expect([silence, replayed]).toEqual([0, 3]);
    expect([ofSubject(one, 1), ofSubject(one, 2)]).toEqual([[0, 1], [2]]);
    expect(await webhooks().get('acme', { name: 'one' })).toMatchObject({ waiting: 0, parked: 0, lastError: null });
  });

  it('that is down has its waiting events parked with the one that is tried', async () => {
    const one = await endpoint('one');
    await queue(
      one,
      Array.from({ length: 30 }, (_, n) => n),
    );
    one.answer = () => 503;
    await handle.client`update keyferry.webhooks set failures = 9`;
    await handle.client`update keyferry.notifications set queued_at = now() - interval '73 hours'`;
    await start().round();

    expect(one.received).toHaveLength(1);
    expect(await webhooks().get('acme', { name: 'one' })).toMatchObject({ waiting: 0, parked: 30 });
  });

  it('gets a delivered event again when somebody asks for it', async () => {
    const one = await endpoint('one');
    await queue(one, [1]);
    const server = start();
    await server.round();
    const [delivery] = await webhooks().deliveries(one.webhook, 10);
    await webhooks().replay(one.webhook, delivery?.id);
    await server.round();

    expect(delivery).toMatchObject({ state: 'delivered', attempts: 1, lastError: null });
    expect(new Set(one.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(one.received).toHaveLength(2);
  });

  it('may be deleted while a message is under way', async () => {
    const one = await endpoint('one');
    await queue(one, [1, 1, 2]);
    let deletion: Promise<unknown> | undefined;
    one.answer = () => {
      deletion ??= webhooks().delete('acme', { name: 'one' });
      return undefined;
    };
    const server = start();
    await server.round();
    await deletion;
    await server.round();

    expect(one.received.length).toBeLessThanOrEqual(3);
    expect(await handle.client`select 1 from keyferry.notifications`).toHaveLength(0);
  });

  it('leaves nothing when a settlement wrote for it in the moment of its deletion', async () => {
    const one = await endpoint('one');
    await webhooks().delete('acme', { name: 'one' });
    await queue(one, [1]);
    await start().round();

    expect(one.received).toHaveLength(0);
    expect(await handle.client`select 1 from keyferry.notifications`).toHaveLength(0);
  });

  it('that cannot be decrypted keeps nobody waiting', async () => {
    const [lost, live] = [await endpoint('lost'), await endpoint('live')];
    await handle.client`update keyferry.webhooks set target = 'v1.other.AAAA'
      where id = ${lost.webhook.id}`;
    await queue(lost, [1]);
    await queue(live, [1]);
    await start().round();

    expect([lost.received.length, live.received.length]).toEqual([0, 1]);
    expect((await webhooks().get('acme', { name: 'lost' })).lastError).toBe('its URL cannot be decrypted');
  });

  it('keeps nothing of an answer but its status', async () => {
    const one = await endpoint('one');
    await queue(one, [1]);
    one.answers.push(302);
    await start().round();

    const [row] = await handle.client`select last_error from keyferry.notifications`;
    expect(row?.last_error).toBe('HTTP 302');
    expect(one.received.map(({ path }) => path)).toEqual(['/hook']);
  });

  it('gets a test at once, while a server listens', async () => {
    const one = await endpoint('one', { format: 'slack' });
    await new Promise<void>((resolve) => {
      start({ onListening: resolve });
    });
    await webhooks().test(one.webhook);
    const startedAt = performance.now();
    while (one.received.length === 0 && performance.now() - startedAt < 5_000)
      await new Promise((resolve) => setTimeout(resolve, 5));

    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(JSON.parse(one.received[0]?.text ?? '')).toEqual({ text: '*webhook.test* one (org acme)' });
  });
});
