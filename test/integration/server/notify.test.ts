/** Notifications of sources, signed as Infisical signs those of its project webhooks. */
import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { createApiUnderTest, type ApiUnderTest } from './api-support.ts';
import { useServer } from './support.ts';

const SECRET = 'canary-secret-of-notifications';
const place = { projectId: 'shop', environment: 'prod', secretPath: '/notified' };
/** As Infisical's project webhook sends it. */
const modified = { event: 'secrets.modified', project: { workspaceId: 'p', environment: 'prod', secretPath: '/' } };

describe('a notification', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let folderId: string;
  let nowMs = Date.now();
  beforeAll(async () => {
    api = await createApiUnderTest(fixture(), { now: () => new Date(nowMs) });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    // Past the window of the refusals before.
    nowMs += 3_600_000;
    const source = { kind: 'http', url: 'https://example.com/x', notifySecret: SECRET };
    const made = await api.call('PUT', '/api/v1/folders/source', { body: { ...place, source } });
    folderId = String(made.body.source.folderId);
    expect(made.body.source.notifyPath).toBe(`/api/v1/sources/${folderId}/notify`);
    await fixture().handle.client`update keyferry.sources
        set next_due_at = now() + interval '1 hour', notified_at_ms = null`;
  });

  const signatureOf = (body: string, atMs: number, secret = SECRET) =>
    `t=${String(atMs)};${createHmac('sha256', secret).update(body).digest('hex')}`;
  async function send(body: string, signature: string | undefined, id = folderId) {
    const headers = { authorization: '', ...(signature === undefined ? {} : { 'x-infisical-signature': signature }) };
    return api.call('POST', `/api/v1/sources/${id}/notify`, { body, headers });
  }
  const notify = (atMs = nowMs, more: object = {}) => {
    const body = JSON.stringify({ ...modified, ...more, timestamp: atMs });
    return send(body, signatureOf(body, atMs));
  };
  async function source() {
    const [row] = await fixture().handle.client`select asked::int, next_due_at <= now() as is_due,
        next_due_at < now() + interval '6 seconds' as is_soon from keyferry.sources
        where folder_id = ${folderId}`;
    return row as { asked: number; is_due: boolean; is_soon: boolean };
  }

  it('makes the pull due', async () => {
    const { asked } = await source();
    expect((await notify()).status).toBe(200);
    expect(await source()).toMatchObject({ asked: asked + 1, is_due: true });
  });

  it('is refused when it is repeated, or older than one that came', async () => {
    const { asked } = await source();
    expect((await notify(nowMs)).status).toBe(200);
    expect((await notify(nowMs)).status).toBe(401);
    expect((await notify(nowMs - 1_000)).status).toBe(401);
    expect((await source()).asked).toBe(asked + 1);
    expect((await notify(nowMs + 1)).status).toBe(200);
  });

  it('is refused when it is stale, or of the future', async () => {
    expect((await notify(nowMs - 301_000)).status).toBe(401);
    expect((await notify(nowMs + 301_000)).status).toBe(401);
    expect((await source()).is_due).toBe(false);
    expect((await notify(nowMs - 299_000)).status).toBe(200);
  });

  it('is refused with every wrong signature, as for an id that nobody has', async () => {
    const body = JSON.stringify({ ...modified, timestamp: nowMs });
    const right = signatureOf(body, nowMs);
    const wrong = [
      await send(body, undefined),
      await send(body, ''),
      await send(body, signatureOf(body, nowMs, 'another-secret-of-somebody')),
      await send(body.replace('prod', 'test'), right),
      await send(body, right.toUpperCase()),
    ];
    const absent = await send(body, right, randomUUID());
    for (const one of [...wrong, await send(body, right, 'x')]) {
      expect(one.status).toBe(401);
      expect({ ...one.body, requestId: '', reqId: '' }).toEqual({ ...absent.body, requestId: '', reqId: '' });
    }
    expect((await source()).is_due).toBe(false);
  });

  it('is refused when only the time in its header is new', async () => {
    const body = JSON.stringify({ ...modified, timestamp: nowMs - 3_000_000 });
    const old = signatureOf(body, nowMs - 3_000_000);
    expect((await send(body, old.replace(/^t=\d+/, `t=${String(nowMs)}`))).status).toBe(401);
    const none = JSON.stringify(modified);
    expect((await send(none, signatureOf(none, nowMs))).status).toBe(401);
    expect((await source()).is_due).toBe(false);
  });

  it('is bounded in size, and slowed down when it is refused often', async () => {
    expect((await notify(nowMs, { more: 'x'.repeat(70_000) })).status).toBe(413);
    for (let count = 0; count < 12; count += 1) await send('{}', 't=1;00');
    const limited = await send('{}', 't=1;00');
    expect([limited.status, Number(limited.headers.get('retry-after')) > 0]).toEqual([429, true]);
    expect((await notify()).status).toBe(200);
  });

  it('comes with others as one pull within 5 seconds', async () => {
    expect((await notify(nowMs)).status).toBe(200);
    await fixture().handle.client`update keyferry.sources
      set next_due_at = now() + interval '1 hour'`;
    expect((await notify(nowMs + 10)).status).toBe(200);
    expect(await source()).toMatchObject({ is_due: false, is_soon: true });
  });

  it('of a source without a secret is refused', async () => {
    const source = { kind: 'http', url: 'https://example.com/x' };
    const made = await api.call('PUT', '/api/v1/folders/source', { body: { ...place, source } });
    expect([made.body.source.notifyPath, (await notify()).status]).toEqual([null, 401]);
  });
});
