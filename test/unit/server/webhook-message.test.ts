import { expect, test } from 'vitest';

import { sign, toMessage } from '../../../src/server/webhook/message.ts';

/** What receivers check with libraries of Standard Webhooks, and what Slack shows. */

test('the signature is the one that the scheme’s own example gives', () => {
  const content = 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}';

  expect(sign(content, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toBe('g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

const row = {
  id: '11111111-1111-4111-8111-111111111111',
  event: 'sync.failed',
  createdAt: new Date('2026-11-26T10:00:00Z'),
  payload: { orgId: 'acme', name: 'api', code: 'AWS_THROTTLED', message: 'AWS said <no> & more.' },
};
const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
const now = new Date('2026-11-26T10:00:05.900Z');

test('id, time and body are signed together', () => {
  const { headers, body } = toMessage(row, { secret, format: 'standard' }, now);

  expect(headers).toMatchObject({
    'webhook-id': row.id,
    'webhook-timestamp': '1795687205',
    'webhook-signature': `v1,${sign(`${row.id}.1795687205.${body}`, secret)}`,
  });
  expect(JSON.parse(body)).toMatchObject({
    type: 'sync.failed',
    timestamp: '2026-11-26T10:00:00.000Z',
    data: row.payload,
  });
});

test('a message for Slack is text in which nothing is markup by accident', () => {
  const { text } = JSON.parse(toMessage(row, { secret, format: 'slack' }, now).body) as { text: string };

  expect(text).toContain('*sync.failed* api (org acme)\nAWS said &lt;no&gt; &amp; more.\nFix: ');
});

test('the fix names the object, ready to paste', () => {
  const partial = { ...row, event: 'sync.partial', payload: { ...row.payload, code: 'SYNC_PARTIAL' } };
  const { data } = JSON.parse(toMessage(partial, { secret, format: 'standard' }, now).body) as { data: object };

  expect(data).toMatchObject({ fix: 'List the entries with `keyferry sync show api`.' });
});

test('a message for Slack names the first of many changes', () => {
  const changes = Array.from({ length: 12 }, (_, n) => ({ change: 'written', name: `/app/K${String(n)}`, key: null }));
  const changed = { ...row, event: 'sync.changed', payload: { orgId: 'acme', name: 'api', changes } };
  const { text } = JSON.parse(toMessage(changed, { secret, format: 'slack' }, now).body) as { text: string };

  expect(text.split('\n').slice(-2)).toEqual(['written /app/K9', 'and 2 more']);
});
