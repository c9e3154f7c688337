/**
 * The recorded bodies of Infisical's Terraform provider against the API: created, read, changed as
 * a whole, deleted.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createApiUnderTest, type Answer, type ApiUnderTest } from '../integration/server/api-support.ts';
import { uniqueName, useServer } from '../integration/server/support.ts';
import { iamUserRotation, parameterStoreSync, place, roleConnection, secretsManagerSync } from './bodies.ts';

const CONNECTIONS = '/api/v1/app-connections/aws';
const PARAMETERS = '/api/v1/secret-syncs/aws-parameter-store';
const MANAGER = '/api/v1/secret-syncs/aws-secrets-manager';
const ROTATIONS = '/api/v2/secret-rotations/aws-iam-user-secret';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('the wire of Infisical’s Terraform provider', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
    await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secrets: { DB_URL: 'x' } } });
  });
  afterAll(async () => {
    await api.close();
  });

  async function sent(method: string, path: string, body?: unknown): Promise<Answer['body']> {
    const answer = await api.call(method, path, { scope: 'write', ...(body === undefined ? {} : { body }) });
    expect(answer.body).not.toHaveProperty('message');
    expect(answer.status).toBe(200);
    return answer.body;
  }

  async function createConnection(name = uniqueName('aws')): Promise<string> {
    const { appConnection } = await sent('POST', `${CONNECTIONS}?wait=0`, roleConnection(name));
    return String(appConnection.id);
  }

  it('creates, reads, changes and deletes a connection', async () => {
    const body = { ...roleConnection(uniqueName('aws')), projectId: 'shop' };
    const { appConnection } = await sent('POST', `${CONNECTIONS}?wait=0`, body);
    const id = String(appConnection.id);
    const read = (await sent('GET', `${CONNECTIONS}/${id}`)).appConnection;
    expect(read).toMatchObject({
      id,
      method: 'assume-role',
      projectId: 'shop',
      gatewayId: null,
      description: 'by role',
    });
    expect([read.credentialsHash, read.project.slug]).toEqual([appConnection.credentialsHash, 'shop']);
    const renamed = await sent('PATCH', `${CONNECTIONS}/${id}`, { ID: id, ...body, description: 'renamed' });
    expect(renamed.appConnection).toMatchObject({ description: 'renamed' });
    await sent('DELETE', `${CONNECTIONS}/${id}`);
    expect((await api.call('GET', `${CONNECTIONS}/${id}`)).status).toBe(404);
  });

  it('answers with a hash that changes with the credentials only, and that another org cannot compute', async () => {
    const hashOf = async (id: string) =>
      String((await sent('GET', `${CONNECTIONS}/${id}`)).appConnection.credentialsHash);
    const id = await createConnection();
    const before = await hashOf(id);
    await sent('PATCH', `${CONNECTIONS}/${id}`, { description: 'other' });
    expect(await hashOf(id)).toBe(before);
    await fixture().handle.client`
      update keyferry.connections set role_arn = 'arn:aws:iam::444455556666:role/other',
        credentials_revision = credentials_revision + 1 where id = ${id}`;
    expect(await hashOf(id)).not.toBe(before);
    expect(before).not.toContain('keyferry');
  });

  it.each([
    ['App', { App: 'gcp' }],
    ['ID', { ID: '11111111-1111-4111-8111-111111111111' }],
    ['projectId', { projectId: 'another' }],
  ])('refuses a connection’s %s that contradicts the path or the row', async (field, extra) => {
    const id = await createConnection();
    const refused = await api.call('PATCH', `${CONNECTIONS}/${id}`, { body: { description: 'x', ...extra } });
    expect([refused.status, refused.body.message]).toEqual([422, expect.stringContaining(field)]);
    expect(refused.body.reqId).toBe(refused.body.requestId);
  });

  it.each([
    [PARAMETERS, parameterStoreSync],
    [MANAGER, secretsManagerSync],
  ])('creates, reads, changes and deletes a sync at %s', async (base, bodyOf) => {
    const body = bodyOf(uniqueName('to-aws'), await createConnection());
    const { secretSync } = await sent('POST', base, body);
    const id = String(secretSync.id);
    const read = (await sent('GET', `${base}/${id}`)).secretSync;
    expect(read).toMatchObject({
      id,
      name: body.name,
      projectId: 'shop',
      isAutoSyncEnabled: true,
      description: '',
      connection: { id: body.connectionId },
      environment: { slug: 'prod', id: expect.stringMatching(UUID) },
      folder: { path: '/api' },
      syncStatus: 'pending',
      importStatus: null,
      removeStatus: null,
    });
    const { secretName: _none, ...config } = { secretName: '', ...body.destinationConfig };
    expect(read.destinationConfig).toEqual(config);
    await sent('PATCH', `${base}/${id}`, { ID: id, ...body, description: 'changed' });
    expect((await sent('GET', `${base}/${id}`)).secretSync.description).toBe('changed');
    await sent('DELETE', `${base}/${id}`);
    expect((await api.call('GET', `${base}/${id}`)).status).toBe(404);
  });

  it('removes options that a whole change leaves out, and keeps keyferry’s own', async () => {
    const body = secretsManagerSync(uniqueName('whole'), await createConnection());
    const own = { drift: 'repair', onExisting: 'adopt' };
    const tags = [{ key: 'team', value: 'shop' }];
    const created = await sent('POST', MANAGER, { ...body, syncOptions: { ...body.syncOptions, ...own, tags } });
    const id = String(created.secretSync.id);
    const bare = { initialSyncBehavior: 'overwrite-destination', disableSecretDeletion: false, keySchema: '' };
    const { secretSync } = await sent('PATCH', `${MANAGER}/${id}`, { ID: id, ...body, syncOptions: bare });
    expect(secretSync.syncOptions).toMatchObject({ ...own, syncSecretMetadataAsTags: false });
    for (const removed of ['keySchema', 'keyId', 'tags']) expect(secretSync.syncOptions).not.toHaveProperty(removed);
  });

  it.each(['keySchema', 'keyId', 'tags'])('removes %s by null, and changes nothing else', async (option) => {
    const body = secretsManagerSync(uniqueName('null'), await createConnection());
    const tags = [{ key: 'team', value: 'shop' }];
    const created = await sent('POST', MANAGER, { ...body, syncOptions: { ...body.syncOptions, tags } });
    const path = `${MANAGER}/${String(created.secretSync.id)}`;
    const changed = await sent('PATCH', path, { syncOptions: { [option]: null } });
    const { [option]: _removed, ...others } = created.secretSync.syncOptions;
    expect(changed.secretSync.syncOptions).toEqual(others);
  });

  it('says whether another sync writes to the same place', async () => {
    const body = parameterStoreSync(uniqueName('twice'), await createConnection());
    const asked = { App: body.App, destinationConfig: body.destinationConfig, projectId: 'other' };
    const check = (extra = {}) => sent('POST', `${PARAMETERS}/check-destination`, { ...asked, ...extra });
    expect(await check()).toEqual({ hasDuplicate: false });
    const { secretSync } = await sent('POST', PARAMETERS, body);
    expect(await check()).toEqual({ hasDuplicate: true, duplicateProjectId: 'shop' });
    expect(await check({ excludeSyncId: secretSync.id })).toEqual({ hasDuplicate: false });
    const [audited] = await fixture().handle.client`select count(*)::int as n
      from keyferry.audit_log
        where action like '%heckDestination'`;
    expect(audited?.n).toBe(0);
  });

  it('creates, reads, changes and deletes a rotation', async () => {
    const body = iamUserRotation(uniqueName('deployer'), await createConnection());
    const { secretRotation } = await sent('POST', `${ROTATIONS}?wait=0`, body);
    const id = String(secretRotation.id);
    const read = (await sent('GET', `${ROTATIONS}/${id}`)).secretRotation;
    expect(read).toMatchObject({
      parameters: body.parameters,
      secretsMapping: body.secretsMapping,
      connection: { id: body.connectionId },
      environment: { slug: 'prod' },
      folder: { path: body.secretPath },
      rotationInterval: 30,
      rotateAtUtc: { hours: 0, minutes: 0 },
      rotationStatus: null,
      status: 'pending',
      activeIndex: 0,
      isLastRotationManual: false,
    });
    const { projectId: _project, ...whole } = body;
    const parameters = { ...body.parameters, region: 'eu-central-1' };
    const patched = await sent('PATCH', `${ROTATIONS}/${id}`, { ...whole, ID: id, rotationInterval: 14, parameters });
    expect(patched.secretRotation).toMatchObject({ rotationInterval: 14, parameters });
    await sent('DELETE', `${ROTATIONS}/${id}`, { Provider: body.Provider, ID: id });
    expect((await api.call('GET', `${ROTATIONS}/${id}`)).status).toBe(404);
  });

  it.each([
    ['parameters.userName', { parameters: { userName: 'somebody-else' } }],
    ['secretPath', { secretPath: '/elsewhere' }],
    ['environment', { environment: 'dev' }],
    [
      'secretsMapping.accessKeyId',
      { secretsMapping: { accessKeyId: 'OTHER', secretAccessKey: 'AWS_SECRET_ACCESS_KEY' } },
    ],
  ])('refuses a change of a rotation’s %s by name', async (field, change) => {
    const body = iamUserRotation(uniqueName('fixed'), await createConnection());
    const { secretRotation } = await sent('POST', `${ROTATIONS}?wait=0`, body);
    const refused = await api.call('PATCH', `${ROTATIONS}/${String(secretRotation.id)}`, { body: change });
    expect([refused.status, refused.body.message]).toEqual([422, expect.stringContaining(field)]);
  });

  it('gives a rotation another connection to the same account only', async () => {
    const [present, same, other] = [await createConnection(), await createConnection(), await createConnection()];
    const body = iamUserRotation(uniqueName('moved'), present);
    const { client } = fixture().handle;
    const { secretRotation } = await sent('POST', `${ROTATIONS}?wait=0`, body);
    const path = `${ROTATIONS}/${String(secretRotation.id)}`;
    await client`update keyferry.rotations set account_id = '444455556666'
      where id = ${secretRotation.id}`;
    await client`update keyferry.connections set account_id = '444455556666' where id = ${same}`;
    await client`update keyferry.connections set account_id = '777788889999' where id = ${other}`;
    expect((await sent('PATCH', path, { connectionId: same })).secretRotation.connection.id).toBe(same);
    const refused = await api.call('PATCH', path, { body: { connectionId: other } });
    expect([refused.status, refused.body.message]).toEqual([422, expect.stringContaining('777788889999')]);
  });
});
