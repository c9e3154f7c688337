/**
 * What operators order on the status page: recorded like the command line's orders, under the
 * person's name, and only by our own forms.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createSignatures, formPurpose } from '../../../src/server/guard/forms.ts';
import type { OpenStores } from '../../../src/stores.ts';
import {
  formKey,
  openPageActions,
  post,
  send,
  submit,
  tokenOn,
  type Headers,
  type PageActions,
} from './page-support.ts';
import { seedStates, type Seeded } from './seed.ts';
import { useServer } from './support.ts';

const LOGIN = { user: 'maria', password: 'a long test password' };
const basic = { authorization: `Basic ${Buffer.from(`${LOGIN.user}:${LOGIN.password}`).toString('base64')}` };

describe('orders of the status page', () => {
  const fixture = useServer(undefined);
  let stores: OpenStores;
  let pageActions: PageActions;
  let url: string;
  let seeded: Seeded;
  let paths: { readonly connection: string; readonly sync: string; readonly rotation: string };
  beforeAll(async () => {
    const { handle, start } = fixture();
    seeded = await seedStates(handle.client);
    ({ stores, pageActions } = openPageActions(fixture()));
    url = await start({ pageActions, login: LOGIN });
    paths = {
      connection: `${url}/connections/${seeded.validConnection}`,
      sync: `${url}/syncs/${seeded.partialSync}`,
      rotation: `${url}/rotations/${seeded.blockedRotation}`,
    };
  });
  afterAll(async () => {
    await stores.close();
  });

  async function requestsOf(subjectId: string) {
    const { client } = fixture().handle;
    return client<{ kind: string; actor: string; parameters: unknown }[]>`
      select kind, actor, parameters from keyferry.requests where subject_id = ${subjectId}
      order by created_at`;
  }

  async function lastChange() {
    const { client } = fixture().handle;
    const [change] = await client`
      select org_id, actor, via, action, subject, status_code from keyferry.audit_log
      order by id desc limit 1`;
    return change;
  }

  it('record a validation under the operator’s name, and say so after a redirect', async () => {
    const sent = await submit(paths.connection, { action: 'validate' }, basic);
    expect([sent.status, sent.location]).toEqual([
      303,
      expect.stringMatching(/^\/connections\/[\da-f-]{36}\?done=validate&proof=[\w.%-]+$/),
    ]);
    expect(await requestsOf(seeded.validConnection)).toEqual([{ kind: 'validate', actor: 'maria', parameters: {} }]);
    expect(await lastChange()).toEqual({
      org_id: 'acme',
      actor: 'maria',
      via: 'page',
      action: 'connection.validate',
      subject: seeded.validConnection,
      status_code: 200,
    });
    const shown = await send(`${url}${sent.location}`, { headers: basic });
    expect(shown.text).toContain('The validation is requested.');
    expect(shown.text).toContain('<meta http-equiv="refresh" content="5" />');
    const other = sent.location.replace('done=validate', 'done=connect');
    expect((await send(`${url}${other}`, { headers: basic })).text).not.toContain('id="told"');
  });

  it('run, plan, check, pause and resume a sync', async () => {
    for (const action of ['run', 'plan', 'check'])
      expect((await submit(paths.sync, { action }, basic)).status).toBe(303);
    const kinds = (await requestsOf(seeded.partialSync)).map(({ kind }) => kind);
    expect(kinds).toEqual(['sync', 'plan', 'check']);
    expect((await send(paths.sync, { headers: basic })).text).toMatch(/> ?Pause ?</);
    await submit(paths.sync, { action: 'pause' }, basic);
    expect((await stores.syncs.get('acme', { id: seeded.partialSync })).pausedAt).not.toBeNull();
    expect((await send(paths.sync, { headers: basic })).text).toMatch(/> ?Resume ?</);
    await submit(paths.sync, { action: 'resume' }, basic);
    expect((await stores.syncs.get('acme', { id: seeded.partialSync })).pausedAt).toBeNull();
  });

  it('cancel what waits, and say in words when there is nothing to cancel', async () => {
    const { client } = fixture().handle;
    await client`update keyferry.requests set done_at = now()
      where subject_id = ${seeded.partialSync}`;
    await submit(paths.sync, { action: 'check' }, basic);
    expect((await submit(paths.sync, { action: 'cancel' }, basic)).status).toBe(303);
    const nothing = await submit(paths.sync, { action: 'cancel' }, basic);
    expect(nothing.status).toBe(409);
    expect(nothing.text).toContain('<b>Cancel the sync:</b> nothing was changed.');
    expect(nothing.text).toContain('prod-parameters has no run and no request to cancel.');
    expect(nothing.text).toContain('<h1>prod-parameters</h1>');
    expect(await lastChange()).toMatchObject({ action: 'sync.cancel', status_code: 409 });
  });

  it('confirm deletions by the number that a person types', async () => {
    const { client } = fixture().handle;
    expect((await send(paths.sync, { headers: basic })).text).not.toContain('Confirm the deletions');
    await client`update keyferry.syncs
      set sync_status = 'failed', status_code = 'SYNC_DELETIONS_UNCONFIRMED',
      status_message = 'The source is empty: the plan deletes 25 objects.'
        where id = ${seeded.partialSync}`;
    const page = await send(paths.sync, { headers: basic });
    expect(page.text).toMatch(/<input [^>]*name="confirmDeletions" required/);
    expect(page.text).not.toMatch(/name="confirmDeletions"[^>]*value="25"/);
    // Without JavaScript a reload would clear what is half typed.
    expect(page.text).not.toContain('http-equiv="refresh"');
    expect(page.text).toContain('<a href="">Reload it</a>');
    for (const confirmDeletions of ['', 'all', '-1', '25 or so', '1e3']) {
      const refused = await submit(paths.sync, { action: 'confirm', confirmDeletions }, basic);
      expect([confirmDeletions, refused.status]).toEqual([confirmDeletions, 422]);
      expect(refused.text).toContain('Type the number of deletions that the plan shows');
    }
    expect((await submit(paths.sync, { action: 'confirm', confirmDeletions: '25' }, basic)).status).toBe(303);
    expect((await requestsOf(seeded.partialSync)).at(-1)).toEqual({
      kind: 'sync',
      actor: 'maria',
      parameters: { confirmDeletions: 25 },
    });
  });

  it('pause and resume a rotation, run it while it is idle, and keep the rules of the command line', async () => {
    const { client } = fixture().handle;
    for (const action of ['pause', 'resume'])
      expect([action, (await submit(paths.rotation, { action }, basic)).status]).toEqual([action, 303]);
    const tooLate = await submit(paths.rotation, { action: 'cancel' }, basic);
    expect([tooLate.status, tooLate.text.includes('id="told"')]).toEqual([409, true]);
    expect((await send(paths.rotation, { headers: basic })).text).not.toContain('id="do-run"');
    await client`update keyferry.rotations
      set phase = 'idle', rotation_status = 'succeeded', status_code = null`;
    expect((await send(paths.rotation, { headers: basic })).text).toContain('id="do-run"');
    expect((await submit(paths.rotation, { action: 'run' }, basic)).status).toBe(303);
    expect((await requestsOf(seeded.blockedRotation)).at(-1)).toMatchObject({ kind: 'rotate', actor: 'maria' });
  });

  it('refuse an action that the page does not have, and a subject that is gone', async () => {
    for (const action of ['remove', 'constructor', '']) {
      const refused = await submit(paths.sync, { action }, basic);
      expect([action, refused.status]).toEqual([action, 422]);
    }
    const token = await tokenOn(paths.sync, basic);
    const gone = await post(`${url}/syncs/00000000-0000-4000-8000-000000000000`, { token, action: 'run' }, basic);
    expect([gone.status, gone.text.includes('There is nothing at this address')]).toEqual([404, true]);
  });

  describe('from elsewhere', () => {
    const HOUR_MS = 3_600_000;

    async function expectUntouched(refused: Promise<{ status: number }>, status: number): Promise<void> {
      const { client } = fixture().handle;
      const count = async () => {
        const [row] = await client`select (select count(*) from keyferry.requests)::int as requests,
          (select count(*) from keyferry.audit_log)::int as changes`;
        return row;
      };
      const before = await count();
      expect((await refused).status).toBe(status);
      expect(await count()).toEqual(before);
    }

    it('are refused without our token, with another person’s, with an old one, and with one of another key', async () => {
      const now = Date.now();
      const sign = (key: Uint8Array, operator: string, at = now) =>
        createSignatures(key, () => at).sign(formPurpose(operator));
      const foreignKey = new Uint8Array(32);
      for (const token of [
        '',
        'x',
        sign(formKey, 'somebody else'),
        sign(foreignKey, 'maria'),
        sign(formKey, 'maria', now - 13 * HOUR_MS),
        sign(formKey, 'maria', now + HOUR_MS),
        `${sign(formKey, 'maria')}x`,
      ])
        await expectUntouched(post(paths.sync, { action: 'run', token }, basic), 403);
      expect((await post(paths.sync, { action: 'run', token: sign(formKey, 'maria') }, basic)).status).toBe(303);
    });

    it('are refused from another site’s page, even with our token', async () => {
      const token = await tokenOn(paths.sync, basic);
      const foreign: readonly Headers[] = [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
        { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate' },
      ];
      for (const headers of foreign)
        await expectUntouched(post(paths.sync, { action: 'run', token }, { ...basic, ...headers }), 403);
    });

    it('are refused without a login, in another form than a form’s, and at any length', async () => {
      const token = await tokenOn(paths.sync, basic);
      await expectUntouched(post(paths.sync, { action: 'run', token }), 401);
      for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x'])
        await expectUntouched(post(paths.sync, { action: 'run', token }, { ...basic, 'content-type': type }), 415);
      await expectUntouched(post(paths.sync, { action: 'run', token, more: 'x'.repeat(20_000) }, basic), 413);
    });

    it('get no answer that another page could read or frame, and forms keep their origin', async () => {
      const answer = await fetch(paths.sync, { headers: basic });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
      expect(answer.headers.get('x-frame-options')).toBe('DENY');
      expect(answer.headers.get('referrer-policy')).toBe('same-origin');
      expect(answer.headers.get('content-security-policy')).toContain("form-action 'self'");
    });
  });

  it('are neither offered nor taken where operators may only look', async () => {
    const { start } = fixture();
    const looking = await start();
    const path = `${looking}/syncs/${seeded.partialSync}`;
    expect((await send(path)).text).not.toMatch(/<form method="post"|id="do-/);
    const token = createSignatures(formKey, Date.now).sign(formPurpose('local operator'));
    const refused = await post(path, { action: 'run', token });
    expect([refused.status, refused.text.includes('KEYFERRY_BOARD_WRITABLE=true')]).toEqual([403, true]);
  });
});
