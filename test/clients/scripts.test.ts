/**
 * What scripts against Infisical's API rely on besides the provider's calls: lists, names, words,
 * metadata, and a plain refusal of the rest.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createApiUnderTest, type Answer, type ApiUnderTest } from '../integration/server/api-support.ts';
import { uniqueName, useServer } from '../integration/server/support.ts';
import { iamUserRotation, parameterStoreSync, place, roleConnection } from './bodies.ts';

const CONNECTIONS = '/api/v1/app-connections/aws';
const PARAMETERS = '/api/v1/secret-syncs/aws-parameter-store';
const ROTATIONS = '/api/v2/secret-rotations/aws-iam-user-secret';

const namesOf = (rows: readonly { name: string }[]) => rows.map(({ name }) => name);

describe('scripts against Infisical’s API', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let connectionId: string;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
    for (const projectId of ['shop', 'other'])
      await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, projectId, secrets: { DB_URL: 'x' } } });
    const created = await api.call('POST', `${CONNECTIONS}?wait=0`, { body: roleConnection('main') });
    connectionId = String(created.body.appConnection.id);
  });
  afterAll(async () => {
    await api.close();
  });

  const createSync = (name: string, projectId = 'shop') => {
    const body = { ...parameterStoreSync(name, connectionId), projectId };
    return api.call('POST', PARAMETERS, {
      body: { ...body, destinationConfig: { ...body.destinationConfig, path: `/${uniqueName('p')}/` } },
    });
  };

  it('lists everything without a limit, and pages with one', async () => {
    await fixture().handle.client`
      insert into keyferry.connections (org_id, name, method, project_id)
      select 'acme', 'listed-' || lpad(n::text, 3, '0'), 'assume-role', 'lists'
      from generate_series(0, 110) as n`;
    for (const path of [CONNECTIONS, '/api/v1/app-connections']) {
      const all = (await api.call('GET', `${path}?projectId=lists`)).body;
      expect([all.appConnections.length, all.totalCount]).toEqual([111, 111]);
      const page = (await api.call('GET', `${path}?projectId=lists&limit=2&offset=110`)).body;
      expect(namesOf(page.appConnections)).toEqual(['listed-110']);
    }
  });

  it('gives two projects the same names, and finds each by its project', async () => {
    const name = uniqueName('same');
    const ids = [];
    for (const projectId of ['shop', 'other']) ids.push((await createSync(name, projectId)).body.secretSync.id);
    expect((await createSync(name)).body.error).toBe('SYNC_NAME_TAKEN');
    const found = async (query: string): Promise<Answer['body']> =>
      (await api.call('GET', `${PARAMETERS}/sync-name/${name}${query}`)).body;
    expect((await found('?projectId=shop')).secretSync.id).toBe(ids[0]);
    expect((await found('?projectId=other')).secretSync.id).toBe(ids[1]);
    expect((await found('?projectId=nowhere')).error).toBe('SYNC_NOT_FOUND');
    expect((await found('')).message).toContain(`shop/${name}`);
  });

  it('keeps a sync’s project when its folder moves to another project', async () => {
    const name = uniqueName('moving');
    const { secretSync } = (await createSync(name)).body;
    await api.call('PATCH', `${PARAMETERS}/${String(secretSync.id)}`, { body: { projectId: 'other' } });
    const listed = (await api.call('GET', '/api/v1/secret-syncs?projectId=other')).body.secretSyncs;
    expect(namesOf(listed)).toContain(name);
  });

  it('finds a rotation by name within its project, environment and path', async () => {
    const body = iamUserRotation(uniqueName('named'), connectionId);
    await api.call('POST', `${ROTATIONS}?wait=0`, { body });
    const find = async (secretPath: string) => {
      const query = new URLSearchParams({ projectId: 'shop', environment: 'prod', secretPath }).toString();
      return (await api.call('GET', `${ROTATIONS}/rotation-name/${body.name}?${query}`)).status;
    };
    expect([await find(body.secretPath), await find('/elsewhere')]).toEqual([200, 404]);
  });

  it('lists across destinations and types, and says what can be made', async () => {
    await createSync(uniqueName('across'));
    await api.call('POST', `${ROTATIONS}?wait=0`, { body: iamUserRotation(uniqueName('across'), connectionId) });
    const get = async (path: string): Promise<Answer['body']> => (await api.call('GET', path)).body;
    expect((await get('/api/v1/secret-syncs?projectId=shop')).secretSyncs.length).toBeGreaterThan(0);
    expect((await get('/api/v2/secret-rotations?projectId=shop')).secretRotations.length).toBeGreaterThan(0);
    const available = await get('/api/v1/app-connections/aws/available?projectId=shop');
    expect(available.appConnections).toContainEqual({ app: 'aws', name: 'main', id: connectionId, projectId: null });
    expect(namesOf(available.appConnections)).not.toContain('listed-000');
    expect((await get('/api/v1/app-connections/options')).appConnectionOptions[0].app).toBe('aws');
    expect((await get('/api/v1/secret-syncs/options')).secretSyncOptions).toHaveLength(2);
    expect((await get('/api/v2/secret-rotations/options')).secretRotationOptions[0].type).toBe('aws-iam-user-secret');
  });

  it.each([
    ['partial', 'failed'],
    ['blocked', 'failed'],
    ['succeeded', 'succeeded'],
  ])('shows a sync that is %s as %s, with keyferry’s word beside it', async (status, word) => {
    const { secretSync } = (await createSync(uniqueName('word'))).body;
    const { client } = fixture().handle;
    await client`update keyferry.syncs set sync_status = ${status} where id = ${secretSync.id}`;
    await client`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, status,
      finished_at, error_message)
      values ('import', ${secretSync.id}, 'acme', 1, 'requested', ${status}, now(), 'why')`;
    const shown = (await api.call('GET', `${PARAMETERS}/${String(secretSync.id)}`)).body.secretSync;
    expect(shown).toMatchObject({
      syncStatus: word,
      status,
      importStatus: word,
      lastImportMessage: 'why',
      lastImportedAt: expect.any(String),
      removeStatus: null,
    });
  });

  it.each([
    ['succeeded', 'success'],
    ['blocked', 'failed'],
    ['running', null],
  ])('shows a rotation that is %s as %s', async (status, word) => {
    const body = iamUserRotation(uniqueName('word'), connectionId);
    const { secretRotation } = (await api.call('POST', `${ROTATIONS}?wait=0`, { body })).body;
    const { client } = fixture().handle;
    await client`update keyferry.rotations set rotation_status = ${status}
      where id = ${secretRotation.id}`;
    const [run] = await client`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason,
      status)
      values ('rotate', ${secretRotation.id}, 'acme', 1, 'requested', 'succeeded') returning id`;
    const shown = (await api.call('GET', `${ROTATIONS}/${String(secretRotation.id)}`)).body.secretRotation;
    expect(shown).toMatchObject({
      rotationStatus: word,
      status,
      lastRotationJobId: run?.id,
      isLastRotationManual: true,
      lastRotationAttemptedAt: expect.any(String),
    });
  });

  it('gives metadata back, and changes it without the value', async () => {
    const at = { ...place, secretPath: `/${uniqueName('meta')}` };
    const put = (body: object) => api.call('PUT', '/api/v1/folders/secrets', { body: { ...at, ...body } });
    await put({ secrets: { A: 'a', B: 'b' }, metadata: { A: { owner: 'x' } } });
    const changed = await put({ secrets: { B: 'b2' }, metadata: { A: { owner: 'y' } } });
    expect(changed.body.folder).toMatchObject({ set: 2 });
    const listed = await api.call('GET', `/api/v1/folders/secrets?${new URLSearchParams(at).toString()}`);
    expect(listed.body.secrets).toMatchObject([
      { key: 'A', metadata: { owner: 'y' } },
      { key: 'B', metadata: {} },
    ]);
    const unknown = await put({ secrets: {}, metadata: { C: { owner: 'x' } } });
    expect([unknown.status, unknown.body.message]).toEqual([422, expect.stringContaining('C')]);
  });

  it('gives out no values, with the reason', async () => {
    const body = iamUserRotation(uniqueName('values'), connectionId);
    const { secretRotation } = (await api.call('POST', `${ROTATIONS}?wait=0`, { body })).body;
    for (const path of [
      `${ROTATIONS}/${String(secretRotation.id)}/generated-credentials`,
      '/api/v3/secrets/raw?workspaceId=shop&environment=prod',
      '/api/v3/secrets/raw/DB_URL',
      '/api/v4/secrets',
    ]) {
      const refused = await api.call('GET', path);
      expect([path, refused.status]).toEqual([path, 403]);
      expect(refused.body.message).toContain('gives out no');
    }
  });

  it.each([
    ['POST', '/api/v2/workspace'],
    ['GET', '/api/v1/workspace/shop'],
    ['POST', '/api/v3/secrets/raw/DB_URL'],
    ['DELETE', '/api/v2/folders/x'],
    ['GET', '/api/v1/pki/ca'],
  ])('says that %s %s is out of scope, to callers with a token only', async (method, path) => {
    const answer = await api.call(method, path, method === 'GET' ? {} : { body: {} });
    expect([answer.status, answer.body.message]).toEqual([404, expect.stringContaining('docs/infisical.md')]);
    expect((await api.call(method, path, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
  });
});
