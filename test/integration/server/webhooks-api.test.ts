import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createIdentities } from '../../../src/db/identities.ts';
import { createApiUnderTest, type ApiUnderTest } from './api-support.ts';
import { uniqueName, useServer } from './support.ts';

const BASE = '/api/v1/webhooks';
const URL_WITH_TOKEN = 'https://hooks.example.com/services/canary-token';

/**
 * Webhooks over the API: admins of the whole org make them, and nobody reads their secret or URL
 * again.
 */
describe('a webhook over the API', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
  });
  afterAll(() => api.close());

  const body = () => ({ name: uniqueName('w'), url: URL_WITH_TOKEN, events: ['rotation.*', 'sync.changed'] });
  const create = async () => {
    const { body: created } = await api.call('POST', BASE, { body: body() });
    return created as { readonly webhook: { readonly id: string; readonly name: string }; readonly secret: string };
  };

  it('shows its secret once and its URL never', async () => {
    const { webhook, secret } = await create();
    const list = await api.call('GET', BASE);
    const deliveries = await api.call('GET', `${BASE}/${webhook.id}/deliveries`);
    const rows = await fixture().handle.client`select * from keyferry.webhooks`;
    const shown = JSON.stringify([webhook, list.body, deliveries.body, rows]);

    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(shown).not.toContain('canary-token');
    expect(shown).not.toContain(secret);
    expect(list.body.webhooks).toContainEqual(
      expect.objectContaining({ id: webhook.id, origin: 'https://hooks.example.com', waiting: 0, parked: 0 }),
    );
  });

  it('leaves no secret with the answers that are kept for repeated requests', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const sent = body();
    const first = await api.call('POST', BASE, { body: sent, headers });
    const again = await api.call('POST', BASE, { body: sent, headers });

    expect([first.status, again.status, again.body.error]).toEqual([200, 409, 'WEBHOOK_NAME_TAKEN']);
    const kept = await fixture().handle.client`select response from keyferry.idempotency_keys`;
    expect(JSON.stringify(kept)).not.toContain('whsec_');
  });

  it('is out of reach for other orgs, other scopes and identities of single projects', async () => {
    const { webhook } = await create();
    const { identity, clientSecret } = await createIdentities(fixture().handle.db).create('acme', {
      ...{ name: uniqueName('limited'), scope: 'admin', projects: ['shop'], onExisting: 'fail', expiresAt: null },
    });
    const token = await createIdentities(fixture().handle.db).login({ clientId: identity.id, clientSecret });
    const headers = { authorization: `Bearer ${token?.accessToken ?? ''}` };
    const statuses = async (call: object, query = '') =>
      Promise.all([
        api
          .call('GET', `${BASE}${query}`, call)
          .then(({ status, body: answer }) => (answer.webhooks as unknown[] | undefined)?.length ?? status),
        api.call('POST', `${BASE}${query}`, { ...call, body: { ...body(), url: 'x' } }).then(({ status }) => status),
        api.call('GET', `${BASE}/${webhook.id}/deliveries${query}`, call).then(({ status }) => status),
        api.call('POST', `${BASE}/${webhook.id}/test${query}`, call).then(({ status }) => status),
        api.call('POST', `${BASE}/${webhook.id}/replay${query}`, call).then(({ status }) => status),
        api.call('DELETE', `${BASE}/${webhook.id}${query}`, call).then(({ status }) => status),
      ]);

    expect(await statuses({ headers }, '?projectId=shop')).toEqual([403, 403, 403, 403, 403, 403]);
    expect(await statuses({ scope: 'write' })).toEqual([403, 403, 403, 403, 403, 403]);
    expect(await statuses({ org: 'globex' })).toEqual([0, 422, 404, 404, 404, 404]);
    expect((await api.call('GET', `${BASE}/${webhook.id}/deliveries`)).status).toBe(200);
  });

  it('is tested, replayed and deleted with what waits for it', async () => {
    const { webhook } = await create();
    const test = await api.call('POST', `${BASE}/${webhook.id}/test`);
    await fixture().handle.client`update keyferry.notifications
      set parked_at = now(), next_attempt_at = null
        where webhook_id = ${webhook.id}`;
    const parked = await api.call('GET', `${BASE}/${webhook.id}/deliveries`);
    const replay = await api.call('POST', `${BASE}/${webhook.id}/replay`);
    const waiting = await api.call('GET', `${BASE}/${webhook.id}/deliveries`);
    const gone = await api.call('DELETE', `${BASE}/${webhook.id}`);

    expect(test.body.delivery).toMatchObject({ event: 'webhook.test', state: 'waiting', attempts: 0 });
    expect(parked.body).toMatchObject({ webhook: { parked: 1 }, deliveries: [{ state: 'parked' }] });
    expect(replay.body).toEqual({ replayed: 1 });
    expect(waiting.body).toMatchObject({ webhook: { waiting: 1 }, deliveries: [{ state: 'waiting' }] });
    expect(gone.status).toBe(200);
    expect(
      await fixture().handle.client`select 1 from keyferry.notifications
        where webhook_id = ${webhook.id}`,
    ).toHaveLength(0);
  });

  it.each([
    [{ url: 'http://hooks.example.com/' }, 409, 'WEBHOOK_URL_REFUSED'],
    [{ url: 'https://localhost/' }, 409, 'WEBHOOK_URL_REFUSED'],
    [{ url: 'https://u:p@hooks.example.com/' }, 422, 'PAYLOAD_INVALID'],
    [{ events: ['sync.chnaged'] }, 422, 'PAYLOAD_INVALID'],
    [{ namePattern: 'a%' }, 422, 'PAYLOAD_INVALID'],
    [{ hosts: [] }, 422, 'PAYLOAD_INVALID'],
  ])('is refused: %j', async (wrong, status, code) => {
    const answer = await api.call('POST', BASE, { body: { ...body(), ...wrong } });
    expect([answer.status, answer.body.error]).toEqual([status, code]);
  });

  it('with parked events is on the overview, with the command that sends them again', async () => {
    const { webhook } = await create();
    await api.call('POST', `${BASE}/${webhook.id}/test`);
    await fixture().handle.client`update keyferry.notifications
      set parked_at = now(), next_attempt_at = null
        where webhook_id = ${webhook.id}`;
    const url = await fixture().start();
    const page = await (await fetch(`${url}/`)).text();
    const metrics = await (await fetch(`${url}/metrics`)).text();

    expect(page).toContain(`<code>keyferry webhook replay ${webhook.name} --org acme</code>`);
    expect(metrics).toContain('keyferry_webhook_events{state="parked"} 1');
  });
});
