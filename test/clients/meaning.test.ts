/**
 * What applying, destroying and applying again does at AWS, with the bodies of Infisical's
 * Terraform provider, against worker and server as processes.
 */
import { InfisicalSDK } from '@infisical/sdk';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { openDatabase } from '../../src/db/client.ts';
import { trustPolicy } from '../../src/domain/policy/policies.ts';
import { ACCOUNT, startInstallation, type Installation } from '../e2e/support/installation.ts';
import { runKeyferry } from '../support/processes.ts';
import type { Answer } from '../integration/server/api-support.ts';
import { iamUserRotation, parameterStoreSync, place, roleConnection, secretsManagerSync } from './bodies.ts';

const CONNECTIONS = '/api/v1/app-connections/aws';
const ROTATIONS = '/api/v2/secret-rotations/aws-iam-user-secret';
const syncsOf = (app: string) => `/api/v1/secret-syncs/${app}`;
/** Of the base identity. */
const TRUST = trustPolicy({ partition: 'aws', baseAccountId: '111122223333', externalId: 'acme' });
const ALLOW_ALL = [{ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }] as const;

describe('the meaning of what Terraform applies', () => {
  let installation: Installation;
  let token: string;
  let login: { clientId: string; clientSecret: string };
  beforeAll(async () => {
    installation = await startInstallation({ queue: 'postgres' });
    const made = await keyferry('create', 'terraform', '--scope', 'write', '--json');
    login = { clientId: String(made.clientId), clientSecret: String(made.clientSecret) };
    createRole('terraform');
    const { body } = await call('POST', '/api/v1/auth/universal-auth/login', login);
    token = String(body.accessToken);
    await call('PUT', '/api/v1/folders/secrets', { ...place, secrets: { DB_URL: 'one', DB_USER: 'two' } });
  }, 120_000);
  afterAll(async () => {
    await installation.stop();
  }, 60_000);

  /** `keyferry identity …` */
  async function keyferry(...args: readonly string[]): Promise<Answer['body']> {
    const environment = { ...installation.environment, KEYFERRY_ORG: 'acme' };
    const { code, stdout, stderr } = await runKeyferry(['identity', ...args], { environment });
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
    return args.includes('--json') ? JSON.parse(stdout) : stdout;
  }

  const roleArn = (roleName: string) => `arn:aws:iam::${ACCOUNT}:role/${roleName}`;

  function createRole(roleName: string): void {
    installation.sandbox.createRole({ accountId: ACCOUNT, roleName, trustPolicy: TRUST, policy: [...ALLOW_ALL] });
  }

  async function call(
    method: string,
    path: string,
    body?: object,
    bearer = token,
  ): Promise<Pick<Answer, 'status' | 'body'>> {
    const answer = await fetch(`${installation.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  }

  /**
   * What the audit log says of the latest connection that somebody made: null until it is settled.
   */
  async function latestStatus(): Promise<unknown> {
    const { client, close } = openDatabase(installation.environment['DATABASE_URL'] ?? '');
    const [row] = await client`
      select status_code from keyferry.audit_log where action = 'connection.create' order by id desc
      limit 1`;
    await close();
    return row?.['status_code'];
  }

  const connection = (name: string, role = 'terraform') => ({
    ...roleConnection(name),
    credentials: { roleArn: roleArn(role) },
  });

  async function created(path: string, body: object, bearer = token): Promise<Answer['body']> {
    const answer = await call('POST', path, body, bearer);
    expect([path, answer.status, answer.body.message]).toEqual([path, 200, undefined]);
    return Object.values(answer.body as object)[0];
  }

  async function settled(path: string, isSettled: (object: Answer['body']) => boolean): Promise<Answer['body']> {
    let last: Answer['body'];
    await expect
      .poll(
        async () => {
          last = Object.values((await call('GET', path)).body as object)[0];
          return isSettled(last);
        },
        { timeout: 30_000, interval: 100 },
      )
      .toBe(true);
    return last;
  }

  it('keeps no connection that AWS refuses, and says so in words on which the provider retries', async () => {
    const body = connection('late-role', 'late');
    const refused = await call('POST', CONNECTIONS, body);
    expect(refused).toMatchObject({
      status: 409,
      body: { error: 'CONNECTION_INVALID', message: expect.stringContaining('cannot be assumed') },
    });
    expect((await call('GET', `${CONNECTIONS}/connection-name/late-role`)).status).toBe(404);
    createRole('late');
    expect((await created(CONNECTIONS, body)).status).toBe('valid');
  });

  it.each([
    ['nowhere', 404, 409],
    ['terraform', 200, 200],
  ])('gives its verdict on the role %s, too, when the client hangs up', async (role, found, status) => {
    const name = `hung-up-${role}`;
    const release = installation.sandbox.faults.add({ operation: 'AssumeRole', action: { delayMs: 4_000 } });
    onTestFinished(release);
    const hangUp = new AbortController();
    const asked = fetch(`${installation.url}${CONNECTIONS}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(connection(name, role)),
      signal: hangUp.signal,
    });
    const byName = `${CONNECTIONS}/connection-name/${name}`;
    await expect.poll(async () => (await call('GET', byName)).status, { interval: 20, timeout: 20_000 }).toBe(200);
    const { id } = (await call('GET', byName)).body.appConnection;
    hangUp.abort();
    release();
    await expect(asked).rejects.toThrow(/abort/);
    await expect.poll(latestStatus, { timeout: 20_000 }).toBe(status);
    const answer = await call('GET', `${CONNECTIONS}/${String(id)}`);
    expect([answer.status, answer.body.appConnection?.status]).toEqual([found, found === 200 ? 'valid' : undefined]);
  });

  it('keeps a refused connection when something began to use it', async () => {
    const body = connection('used', 'nowhere');
    const answers = call('POST', CONNECTIONS, body);
    let id: string | undefined;
    await expect
      .poll(
        async () => {
          const { appConnection } = (await call('GET', `${CONNECTIONS}/connection-name/used`)).body;
          id = appConnection === undefined ? undefined : String(appConnection.id);
          return id;
        },
        {
          interval: 5,
          timeout: 20_000,
        },
      )
      .toBeDefined();
    const sync = await call('POST', syncsOf('aws-parameter-store'), parameterStoreSync('used', id ?? ''));
    const answer = await answers;
    const exists = (await call('GET', `${CONNECTIONS}/${id ?? ''}`)).status === 200;
    expect([answer.status, exists]).toEqual(sync.status === 200 ? [200, true] : [409, false]);
  });

  it('keeps the working credentials when a change brings refused ones', async () => {
    const { id } = await created(CONNECTIONS, connection('stays'));
    const refused = await call('PATCH', `${CONNECTIONS}/${String(id)}`, { ID: id, ...connection('stays', 'nowhere') });
    expect([refused.status, refused.body.message]).toEqual([409, expect.stringContaining('cannot be assumed')]);
    const { appConnection } = (await call('GET', `${CONNECTIONS}/${String(id)}`)).body;
    expect(appConnection).toMatchObject({ roleArn: roleArn('terraform'), status: 'valid' });
  });

  it('destroys and applies again: every sync succeeds, the rotation too, and consumers keep a working key', async () => {
    const userName = 'shop-deployer';
    installation.sandbox.createUser({ accountId: ACCOUNT, userName });
    for (const round of ['first', 'second', 'third']) {
      const { id: connectionId } = await created(CONNECTIONS, connection('again'));
      const parameters = await created(
        syncsOf('aws-parameter-store'),
        parameterStoreSync('to-ssm', String(connectionId)),
      );
      const { keyId: _none, ...syncOptions } = secretsManagerSync('to-sm', '').syncOptions;
      const body = { ...secretsManagerSync('to-sm', String(connectionId)), syncOptions };
      const secrets = await created(syncsOf('aws-secrets-manager'), body);
      const rotation = await created(ROTATIONS, iamUserRotation(userName, String(connectionId)));
      const paths = [
        `${syncsOf('aws-parameter-store')}/${String(parameters.id)}`,
        `${syncsOf('aws-secrets-manager')}/${String(secrets.id)}`,
      ];
      for (const path of paths) {
        const sync = await settled(path, ({ syncStatus }) => ['succeeded', 'failed'].includes(String(syncStatus)));
        expect([round, path, sync.syncStatus, sync.lastSyncMessage]).toEqual([round, path, 'succeeded', null]);
      }
      const rotationPath = `${ROTATIONS}/${String(rotation.id)}`;
      const made = await settled(rotationPath, ({ rotationStatus }) => rotationStatus !== null);
      expect([round, made.rotationStatus]).toEqual([round, 'success']);
      const keys = installation.sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName });
      expect(keys.find(({ accessKeyId }) => accessKeyId === made.activeAccessKeyId)?.status).toBe('Active');
      // A key that consumers may still hold is never taken from them by a new apply.
      expect(keys.filter(({ status }) => status === 'Active').length).toBe(keys.length);
      const body2 = { Provider: 'aws-iam-user-secret', ID: rotation.id };
      expect((await call('DELETE', rotationPath, body2)).status).toBe(200);
      for (const path of [...paths, `${CONNECTIONS}/${String(connectionId)}`])
        expect((await call('DELETE', path)).status).toBe(200);
    }
    const { value } = installation.sandbox.inspect.parameter({
      accountId: ACCOUNT,
      region: 'eu-west-1',
      name: '/to-ssm/prod/DB_URL',
    }) ?? { value: undefined };
    expect(value).toBe('one');
  });

  it('destroys a rotation in its grace period and applies again: the rotation succeeds, and both keys keep working', async () => {
    const userName = 'in-grace';
    installation.sandbox.createUser({ accountId: ACCOUNT, userName });
    const { id: connectionId } = await created(CONNECTIONS, connection('grace'));
    const apply = async () => {
      const { id } = await created(ROTATIONS, iamUserRotation(userName, String(connectionId)));
      const path = `${ROTATIONS}/${String(id)}`;
      const { rotationStatus } = await settled(path, (rotation) => rotation.rotationStatus !== null);
      expect(rotationStatus).toBe('success');
      return path;
    };
    const active = () =>
      installation.sandbox.inspect
        .accessKeys({ accountId: ACCOUNT, userName })
        .map(({ accessKeyId, status }) => `${accessKeyId} ${status}`);
    const path = await apply();
    expect((await call('POST', `${path}/rotate-secrets?wait=20`, {})).body).toMatchObject({
      run: { status: 'continued' },
    });
    const before = active();
    expect(before).toEqual([expect.stringMatching(/ Active$/), expect.stringMatching(/ Active$/)]);
    for (let round = 0, current = path; round < 3; round += 1) {
      expect((await call('DELETE', current)).status).toBe(200);
      current = await apply();
      expect(active()).toEqual(before);
    }
  });

  it('moves a sync to another project: its objects stay a conflict, unless the identity was made to adopt', async () => {
    const { clientId, clientSecret } = await keyferry('create', 'mover', '--on-existing', 'adopt', '--json');
    const { body: login } = await call('POST', '/api/v1/auth/universal-auth/login', { clientId, clientSecret });
    const { id: connectionId } = await created(CONNECTIONS, connection('moving'));
    await call('PUT', '/api/v1/folders/secrets', {
      ...place,
      projectId: 'moved',
      secrets: { DB_URL: 'one', DB_USER: 'two' },
    });
    const apply = async (projectId: string, bearer?: string) => {
      const body = { ...parameterStoreSync('moving', String(connectionId)), projectId };
      const { id } = await created(syncsOf('aws-parameter-store'), body, bearer);
      const path = `${syncsOf('aws-parameter-store')}/${String(id)}`;
      const isSettled = ({ syncStatus }: Answer['body']) => ['succeeded', 'failed'].includes(String(syncStatus));
      const { syncStatus } = await settled(path, isSettled);
      expect((await call('DELETE', path)).status).toBe(200);
      return String(syncStatus);
    };
    expect(await apply('shop')).toBe('succeeded');
    expect(await apply('moved')).toBe('failed');
    expect(await apply('moved', String(login.accessToken))).toBe('succeeded');
  });

  it('moves a rotation to another project: its key stays foreign, unless an identity of the whole org was made to adopt', async () => {
    const bearerOf = async (name: string, ...options: readonly string[]) => {
      const made = await keyferry('create', name, '--on-existing', 'adopt', ...options, '--json');
      const { clientId, clientSecret } = made;
      const { body } = await call('POST', '/api/v1/auth/universal-auth/login', { clientId, clientSecret });
      return String(body.accessToken);
    };
    const [mover, limited] = [await bearerOf('key-mover'), await bearerOf('limited-mover', '--project', 'moved')];
    const userName = 'moving-user';
    installation.sandbox.createUser({ accountId: ACCOUNT, userName });
    const { id: connectionId } = await created(CONNECTIONS, connection('moving-keys'));
    const keys = () => installation.sandbox.inspect.accessKeys({ accountId: ACCOUNT, userName });
    const apply = async (projectId: string, bearer?: string) => {
      const body = { ...iamUserRotation(userName, String(connectionId)), projectId };
      const { id } = await created(ROTATIONS, body, bearer);
      const path = `${ROTATIONS}/${String(id)}`;
      const { rotationStatus } = await settled(path, (rotation) => rotation.rotationStatus !== null);
      expect((await call('DELETE', path)).status).toBe(200);
      return String(rotationStatus);
    };
    expect(await apply('shop')).toBe('success');
    const before = keys();
    expect(before).toHaveLength(1);
    expect(await apply('moved')).toBe('failed');
    expect(await apply('moved', limited)).toBe('failed');
    expect(await apply('moved', mover)).toBe('success');
    expect(keys()).toEqual(before);
    const named = { ...iamUserRotation(userName, String(connectionId)), projectId: 'moved', onExisting: 'adopt' };
    expect(await call('POST', ROTATIONS, named, limited)).toMatchObject({ status: 422 });
  });

  it('serves Infisical’s Node SDK: login, renewal, and a refusal of values', async () => {
    const sdk = new InfisicalSDK({ siteUrl: installation.url });
    await sdk.auth().universalAuth.login(login);
    const renewed = await sdk.auth().universalAuth.renew();
    expect(renewed.auth().getAccessToken()).toMatch(/^kfa_/);
    const reading = sdk.secrets().listSecrets({ environment: 'prod', projectId: 'shop' });
    await expect(reading).rejects.toThrow(/gives out no/);
    await expect(
      new InfisicalSDK({ siteUrl: installation.url }).auth().universalAuth.login({ ...login, clientSecret: 'x' }),
    ).rejects.toThrow(/401|429/);
  });

  it('makes, lists, renews and revokes identities on the command line', async () => {
    const made = await keyferry('create', 'ci', '--project', 'shop', '--expires', '2099-01-31', '--json');
    expect(made).toMatchObject({ name: 'ci', scope: 'write', projects: ['shop'], onExisting: 'fail' });
    expect(String(made.expiresAt)).toContain('2099-01-31');
    expect(await keyferry('list')).toMatch(/ci +[0-9a-f-]{36} +write +shop/);
    const renewed = await keyferry('rotate-secret', 'ci', '--json');
    const logIn = (clientSecret: string) =>
      call('POST', '/api/v1/auth/universal-auth/login', { clientId: made.clientId, clientSecret });
    expect((await logIn(String(made.clientSecret))).status).toBe(401);
    expect((await logIn(String(renewed.clientSecret))).status).toBe(200);
    expect(JSON.stringify(await keyferry('list', '--json'))).not.toContain('secretSha256');
    await keyferry('revoke', 'ci');
    expect((await logIn(String(renewed.clientSecret))).status).toBe(401);
  });
});
