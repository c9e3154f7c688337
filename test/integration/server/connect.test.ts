/**
 * The connect page: what AWS must allow, the form, and where a secret may be typed and where it
 * never shows up.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';
import { formatPermissions, formatRole } from '../../../src/domain/policy/formats.ts';
import { JobError } from '../../../src/errors.ts';
import type { Log } from '../../../src/observe/log.ts';
import type { ServerDependencies } from '../../../src/server/server.ts';
import type { OpenStores } from '../../../src/stores.ts';
import {
  openPageActions,
  post,
  send,
  submit,
  tokenOn,
  type Headers,
  type PageActions,
  type Sent,
} from './page-support.ts';
import { useServer } from './support.ts';

const LOGIN = { user: 'maria', password: 'a long test password' };
const basic = { authorization: `Basic ${Buffer.from(`${LOGIN.user}:${LOGIN.password}`).toString('base64')}` };
const ROLE = 'arn:aws:iam::444455556666:role/keyferry';
const KEY_ID = 'AKIAEXAMPLECONNECT01';
const CANARY = 'canaryCanaryCanary0123456789SecretKeyXYZ';

describe('the connect page', () => {
  const fixture = useServer(undefined);
  const logged: unknown[] = [];
  const answers: Sent[] = [];
  let stores: OpenStores;
  let pageActions: PageActions;
  let url: string;
  beforeAll(async () => {
    const { dependencies, handle, start } = fixture();
    ({ stores, pageActions } = openPageActions(fixture()));
    const { log: silent } = dependencies();
    const keep = (...line: unknown[]) => void logged.push(line);
    const log = Object.assign(Object.create(silent) as Log, { error: keep, warn: keep, info: keep, debug: keep });
    const allowedHosts = ['keyferry.example'];
    url = await start({ pageActions, log, login: LOGIN, allowedHosts });
    const identity = {
      kind: 'key-pair',
      accountId: '999988887777',
      arn: 'arn:aws:iam::999988887777:user/keyferry',
      firstSeenAt: new Date().toISOString(),
      lastSeenAt: new Date().toISOString(),
    };
    await handle.client`update keyferry.installation
      set base_identities = ${JSON.stringify({ one: identity })}::text::jsonb`;
  });
  beforeEach(() => {
    answers.length = 0;
  });
  afterAll(async () => {
    await stores.close();
  });

  const read = async (path: string, headers = {}) =>
    (await send(`${url}${path}`, { headers: { ...basic, ...headers } })).text;
  const unescaped = (text: string) =>
    text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&').replace(/\s+/g, ' ');

  async function fill(path: string, fields: Record<string, string>, headers = {}): Promise<Sent> {
    const answer = await submit(`${url}${path}`, fields, { ...basic, ...headers });
    answers.push(answer);
    return answer;
  }

  const start = (ownIdentity: ServerDependencies['ownIdentity']) =>
    fixture().start({ login: LOGIN, ...(ownIdentity && { ownIdentity }) });
  const readOn = async (other: string) => (await send(`${other}/connect/role`, { headers: basic })).text;

  async function connections() {
    return fixture().handle.client<{ org_id: string; name: string; method: string; created_via: string }[]>`
      select org_id, name, method, created_via from keyferry.connections order by created_at`;
  }

  it('shows the trust and the permissions that the command prints, in each format', async () => {
    const trust = trustPolicy({ partition: 'aws', baseAccountId: '999988887777', externalId: 'acme' });
    const target = { use: 'parameter-store', path: '/app/prod/', region: 'eu-west-1' } as const;
    const permissions = policyFor(target, { partition: 'aws', accountId: '*' });
    const query = '?org=acme&use=parameter-store&object=%2Fapp%2Fprod%2F&region=eu-west-1';
    const json = unescaped(await read(`/connect/role${query}`));
    expect(json).toContain(JSON.stringify(trust, null, 2).replace(/\s+/g, ' '));
    expect(json).toContain(
      formatPermissions('json', { of: 'role', name: 'keyferry', permissions }).replace(/\s+/g, ' '),
    );
    for (const format of ['cloudformation', 'terraform'] as const) {
      const expected = formatRole(format, { roleName: 'keyferry', trust, permissions }).replace(/\s+/g, ' ');
      expect(unescaped(await read(`/connect/role${query}&format=${format}`))).toContain(expected);
    }
    const rotation = unescaped(await read('/connect/access-key?use=access-key-rotation&object=deployer'));
    expect(rotation).toContain('user/deployer');
  });

  it('says what is missing while no worker was seen, and takes nothing from its address into its markup', async () => {
    const { client } = fixture().handle;
    const [kept] = await client`select base_identities from keyferry.installation`;
    await client`update keyferry.installation set base_identities = '{}'`;
    const unknown = await read('/connect/role');
    const [failing, own] = await Promise.all([
      readOn(
        await start(() => Promise.reject(new JobError('CONNECTION_NO_BASE_IDENTITY', { message: 'No role here.' }))),
      ),
      readOn(
        await start(() => Promise.resolve({ accountId: '777788889999', arn: 'arn:aws-cn:iam::777788889999:user/k' })),
      ),
    ]);
    const typed = unescaped(await read('/connect/role?account=123456789012'));
    await client`update keyferry.installation
      set base_identities = ${JSON.stringify(kept?.['base_identities'])}::text::jsonb`;
    expect(unknown).toContain('is not known yet: no worker has used one, and this server has none.');
    expect(unknown).toMatch(/<main [^>]*data-refresh="3"/);
    expect(unknown).not.toContain('http-equiv="refresh"');
    expect(unknown).toContain('it does not reload itself. <a href="">Reload it</a>');
    expect(failing).toContain('this server has none. No role here.');
    expect(own).toContain('arn:aws-cn:iam::777788889999:root');
    expect(own).toContain('is the account of this server’s own AWS identity');
    expect(own).toMatch(/<main [^>]*data-refresh="none"/);
    expect(typed).toContain('arn:aws:iam::123456789012:root');
    const odd = '?org=%22%3E%3Cscript%3E&object=%3Cimg%3E&region=%22&format=x&use=constructor&kmsKey=%3C';
    const page = await read(`/connect/role${odd}`);
    expect([page.split('<script>').length, page.includes('<img')]).toEqual([2, false]);
  });

  it('makes the connection of a role, asks for its validation, and shows the checks when they come', async () => {
    const made = await fill('/connect/role', {
      org: 'acme',
      name: 'prod-aws',
      roleArn: ` ${ROLE} `,
      region: 'eu-west-1',
    });
    expect([made.status, made.location]).toEqual([
      303,
      expect.stringMatching(/^\/connections\/[\da-f-]{36}\?done=connect&proof=/),
    ]);
    const waiting = await read(made.location);
    expect(waiting).toContain('A worker checks it now');
    expect(waiting).toContain('<meta http-equiv="refresh" content="5" />');
    const id = made.location.slice('/connections/'.length).split('?')[0] ?? '';
    const { client } = fixture().handle;
    const made1 = { name: 'identity', verdict: 'pass', detail: 'AWS knows it.' };
    const made2 = { name: 'permission', verdict: 'fail', detail: 'Denied.', fix: { advice: 'Add the statement.' } };
    await client`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, status,
      result)
      values ('validate', ${id}, 'acme', 1, 'created', 'running',
        ${JSON.stringify({ checks: [made1, made2] })}::text::jsonb)`;
    const under = await read(`/connections/${id}`);
    await client`delete from keyferry.runs where subject_id = ${id}`;
    expect(under).toContain('2 checks made, more follow');
    expect(under).toMatch(
      /<svg.{0,300}fail<\/span.{0,200}permission.{0,200}<b>Fix:<\/b> Add the statement\..*AWS knows it\./,
    );
    expect(under).toContain('<meta http-equiv="refresh" content="5" />');
    expect(under).toContain('Validate now </button>');
    const checks = [{ name: 'identity', verdict: 'fail', code: 'CONNECTION_ACCESS_DENIED', detail: 'AWS refused.' }];
    await client`update keyferry.connections
      set status = 'invalid', status_code = 'CONNECTION_ACCESS_DENIED',
      checks = ${JSON.stringify(checks)}::text::jsonb, next_due_at = now() + interval '1 hour'
        where id = ${id}`;
    const refused = await read(`/connections/${id}`);
    expect(refused).toMatch(/<code>identity<\/code>|identity/);
    expect(refused).toContain('<b>Fix:</b>');
    expect(refused).toContain(`href="/connections/${id}/role"`);
    const [change] = await client`select org_id, actor, via, action, subject, status_code
      from keyferry.audit_log order by id desc limit 1`;
    expect(change).toEqual({
      org_id: 'acme',
      actor: 'maria',
      via: 'page',
      action: 'connection.create',
      subject: id,
      status_code: 200,
    });
  });

  it('names each wrong field where it is, keeps what was typed, and makes nothing', async () => {
    const before = await connections();
    const typed = { org: 'acme', name: 'not a name', roleArn: 'arn:aws:iam::1:user/x', region: 'eu-wst-1' };
    const wrong = await fill('/connect/role?org=acme&region=eu-west-1', typed);
    expect(wrong.status).toBe(422);
    expect(wrong.text).toContain('3 fields are not right; see below.');
    expect(wrong.text).toMatch(/id="field-name-error"> ?Must be 1 to 256 letters/);
    expect(wrong.text).toMatch(/id="field-roleArn-error"> ?Must be the ARN of a role/);
    expect(wrong.text).toMatch(/id="field-region-error"> ?Is not an AWS region; did you mean eu-west-1\?/);
    expect(wrong.text).toContain('value="arn:aws:iam::1:user/x"');
    const odd = await fill('/connect/role', { org: '"><script>1', name: 'x', roleArn: ROLE });
    expect([odd.status, odd.text.includes('<script>1')]).toEqual([422, false]);
    expect(await connections()).toEqual(before);
  });

  it('refuses a name that the org has, and knows nothing of another org’s', async () => {
    const again = await fill('/connect/role', { org: 'acme', name: 'prod-aws', roleArn: ROLE });
    expect([again.status, again.text.includes('nothing was changed')]).toEqual([409, true]);
    expect((await fill('/connect/role', { org: 'globex', name: 'prod-aws', roleArn: ROLE })).status).toBe(303);
    expect((await connections()).filter(({ name }) => name === 'prod-aws').map(({ org_id: org }) => org)).toEqual([
      'acme',
      'globex',
    ]);
  });

  describe('and an access key', () => {
    const key = { org: 'acme', accessKeyId: KEY_ID, secretAccessKey: CANARY };

    it('is taken on loopback, stored encrypted, and its secret is in no page, address, log or audit row', async () => {
      const made = await fill('/connect/access-key', { ...key, name: 'by-key' });
      expect(made.status).toBe(303);
      for (const name of ['by-key', 'not a name', ''])
        expect((await fill('/connect/access-key', { ...key, name })).status).toBeGreaterThan(400);
      await fill('/connect/access-key', { ...key, name: 'x', accessKeyId: 'ASIAEXAMPLECONNECT01' });
      await fill('/connect/access-key', { ...key, name: 'x', action: 'x', secretAccessKey: `${CANARY} ${CANARY}` });
      const pages = await Promise.all(
        ['/', '/connections', '/runs', made.location, '/connect/access-key'].map((path) => read(path)),
      );
      const { client } = fixture().handle;
      const rows = await client`select to_jsonb(a) as row from keyferry.audit_log a
        union all select to_jsonb(c) from keyferry.connections c
        union all select to_jsonb(r) from keyferry.requests r`;
      expect(answers.length).toBe(6);
      expect(JSON.stringify([answers, pages, logged, rows])).not.toContain(CANARY.slice(0, 20));
      expect((await connections()).at(-1)).toEqual({
        org_id: 'acme',
        name: 'by-key',
        method: 'access-key',
        created_via: 'operator',
      });
    });

    it('is refused before the body is read where it travels in the clear', async () => {
      const token = await tokenOn(`${url}/connect/role`, basic);
      const before = await connections();
      const plain: readonly Headers[] = [
        { host: 'keyferry.example', origin: 'http://keyferry.example' },
        { host: 'keyferry.example', origin: 'http://keyferry.example', 'x-forwarded-for': '203.0.113.7' },
        { host: 'keyferry.example', origin: 'http://keyferry.example', 'x-forwarded-proto': 'https' },
        { host: 'keyferry.example', origin: 'https://keyferry.example', 'x-forwarded-proto': 'https, http' },
        { host: 'keyferry.example', origin: 'https://keyferry.example', forwarded: 'for=203.0.113.7;proto=http' },
        { 'x-forwarded-for': '203.0.113.7' },
      ];
      for (const headers of plain) {
        const sent = await post(
          `${url}/connect/access-key`,
          { ...key, name: 'clear', token },
          { ...basic, ...headers },
        );
        expect([headers, sent.status]).toEqual([headers, 403]);
        expect(sent.text).toContain('would travel in the clear');
        const page = await read('/connect/access-key', headers);
        expect(page).not.toMatch(/type="password"/);
      }
      expect(await connections()).toEqual(before);
    });

    it('is taken behind a proxy that ends TLS', async () => {
      for (const [name, told] of [
        ['tls-proto', { 'x-forwarded-proto': 'https' }],
        ['tls-forwarded', { forwarded: 'for=203.0.113.7;proto=https' }],
      ] as const) {
        const headers = { host: 'keyferry.example', origin: 'https://keyferry.example', ...told };
        expect([name, (await fill('/connect/access-key', { ...key, name }, headers)).status]).toEqual([name, 303]);
      }
    });
  });

  describe('and new credentials of a connection', () => {
    it('are offered to the next validation, under the same rules, and say why they are refused', async () => {
      const { client } = fixture().handle;
      const [row] = await client<{ id: string }[]>`select id from keyferry.connections
        where name = 'by-key'`;
      const path = `/connections/${row?.id ?? ''}`;
      const wrong = await fill(`${path}/role`, { roleArn: 'nonsense' });
      expect([wrong.status, wrong.text.includes('id="field-roleArn-error"')]).toEqual([422, true]);
      const replaced = await fill(`${path}/access-key`, {
        accessKeyId: 'AKIAEXAMPLECONNECT02',
        secretAccessKey: CANARY,
      });
      expect([replaced.status, replaced.location]).toEqual([303, expect.stringMatching(/\?done=replace&proof=/)]);
      const headers = { host: 'keyferry.example', origin: 'http://keyferry.example', 'x-forwarded-for': '203.0.113.7' };
      const token = await tokenOn(`${url}${path}`, basic);
      const clear = await post(
        `${url}${path}/access-key`,
        { token, secretAccessKey: CANARY },
        { ...basic, ...headers },
      );
      expect(clear.status).toBe(403);
      expect(JSON.stringify([answers, logged])).not.toContain(CANARY);
    });
  });

  it('shows the policies and the command where operators may only look', async () => {
    const looking = await fixture().start();
    const { text } = await send(`${looking}/connect/role`);
    expect(text).toContain('keyferry connection create --name NAME --method assume-role');
    expect(text).not.toContain('method="post"');
    const refused = await post(`${looking}/connect/role`, { org: 'acme', name: 'x', roleArn: ROLE });
    expect([refused.status, refused.text.includes('KEYFERRY_BOARD_WRITABLE')]).toEqual([403, true]);
  });
});
