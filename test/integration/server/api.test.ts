import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { assumeRole, createApiUnderTest, ROLE, type ApiUnderTest } from './api-support.ts';
import { uniqueName, useServer } from './support.ts';

const CONNECTIONS = '/api/v1/app-connections/aws';
const PARAMETERS = '/api/v1/secret-syncs/aws-parameter-store';
const MANAGER = '/api/v1/secret-syncs/aws-secrets-manager';
const ROTATIONS = '/api/v2/secret-rotations/aws-iam-user-secret';

describe('the HTTP API', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
  });
  afterAll(async () => {
    await api.close();
  });

  const place = { projectId: '11111111-1111-4111-8111-111111111111', environment: 'prod', secretPath: '/api' };

  async function createConnection(org = 'acme'): Promise<string> {
    const { body } = await api.call('POST', CONNECTIONS, { org, body: assumeRole(uniqueName('connection')) });
    return String(body.appConnection.id);
  }

  async function setSecrets(org = 'acme'): Promise<void> {
    await api.call('PUT', '/api/v1/folders/secrets', {
      org,
      body: { ...place, secrets: { DB_URL: 'value-of-db-url' } },
    });
  }

  it('creates an assume-role connection from Infisical’s sample request, with the org as external ID', async () => {
    const name = uniqueName('prod-aws');
    const { status, body } = await api.call('POST', CONNECTIONS, {
      body: { ...assumeRole(name), projectId: place.projectId },
    });
    expect(status).toBe(200);
    expect(body.appConnection).toMatchObject({
      name,
      projectId: place.projectId,
      orgId: 'acme',
      app: 'aws',
      method: 'assume-role',
      credentials: {},
      description: null,
      version: 1,
      status: 'pending',
    });
    const [row] = await fixture().handle.client`select external_id, role_arn
      from keyferry.connections
        where id = ${body.appConnection.id}`;
    expect(row).toEqual({ external_id: 'acme', role_arn: ROLE });
  });

  it('creates an access-key connection and never shows the secret again', async () => {
    const credentials = {
      accessKeyId: 'AKIAEXAMPLE000000001',
      secretAccessKey: 'not-a-real-secret-not-a-real-secret-0001',
    };
    const created = await api.call('POST', CONNECTIONS, {
      body: { name: uniqueName('key'), method: 'access-key', credentials },
    });
    expect(created.body.appConnection.credentials).toEqual({ accessKeyId: credentials.accessKeyId });
    const shown = await api.call('GET', `${CONNECTIONS}/${String(created.body.appConnection.id)}`);
    const audit = await fixture().handle.client`select * from keyferry.audit_log`;
    const rows = await fixture().handle.client`select * from keyferry.connections`;
    expect(JSON.stringify([created.body, shown.body, audit, rows])).not.toContain('not-a-real-secret');
  });

  it.each([
    ['externalId', { externalId: 'globex' }],
    ['stsEndpoint', { stsEndpoint: 'https://sts.eu-west-1.amazonaws.com' }],
  ])('refuses %s by name', async (field, extra) => {
    const body = { ...assumeRole(uniqueName('refused')), credentials: { roleArn: ROLE, ...extra } };
    const refused = await api.call('POST', CONNECTIONS, { body });
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({ statusCode: 422, error: 'PAYLOAD_INVALID' });
    expect(refused.body.message).toContain(`${field} cannot be chosen`);
    const beside = await api.call('POST', CONNECTIONS, { body: { ...assumeRole(uniqueName('refused')), ...extra } });
    expect([beside.status, String(beside.body.message).includes(field)]).toEqual([422, true]);
  });

  it('reads, lists, renames and deletes a connection', async () => {
    const id = await createConnection();
    const name = uniqueName('renamed');
    const renamed = await api.call('PATCH', `${CONNECTIONS}/${id}`, { body: { name, description: 'for the shop' } });
    expect(renamed.body.appConnection).toMatchObject({ id, name, description: 'for the shop' });
    expect((await api.call('GET', `${CONNECTIONS}/connection-name/${name}`)).body.appConnection.id).toBe(id);
    const page = await api.call('GET', `${CONNECTIONS}?limit=1&offset=0`);
    expect(page.body.appConnections).toHaveLength(1);
    expect(page.body.totalCount).toBeGreaterThan(0);
    expect((await api.call('DELETE', `${CONNECTIONS}/${id}`)).status).toBe(200);
    expect((await api.call('GET', `${CONNECTIONS}/${id}`)).status).toBe(404);
  });

  it('creates syncs and a rotation from bodies in Infisical’s shapes', async () => {
    await setSecrets();
    const connectionId = await createConnection();
    const base = { description: null, ...place, connectionId, isAutoSyncEnabled: true };
    const syncOptions = {
      initialSyncBehavior: 'overwrite-destination',
      keySchema: 'APP_{{environment}}_{{secretKey}}',
      disableSecretDeletion: false,
      recursive: false,
      keyId: 'alias/my-key',
      tags: [{ key: 'team', value: 'core' }],
      syncSecretMetadataAsTags: false,
    };
    const ssm = await api.call('POST', PARAMETERS, {
      body: {
        ...base,
        name: uniqueName('ssm'),
        syncOptions,
        destinationConfig: { region: 'eu-west-1', path: `/app/${uniqueName('a')}/` },
      },
    });
    const sm = await api.call('POST', MANAGER, {
      body: {
        ...base,
        name: uniqueName('sm'),
        syncOptions: { initialSyncBehavior: 'overwrite-destination' },
        destinationConfig: { region: 'eu-west-1', mappingBehavior: 'many-to-one', secretName: uniqueName('prod/app') },
      },
    });
    const rotation = await api.call('POST', ROTATIONS, {
      body: {
        name: uniqueName('deploy-user'),
        ...place,
        secretPath: '/ci',
        description: null,
        connectionId,
        isAutoRotationEnabled: true,
        rotationInterval: 30,
        rotateAtUtc: { hours: 3, minutes: 15 },
        parameters: { userName: uniqueName('ci-deployer'), region: 'us-east-1' },
        secretsMapping: { accessKeyId: 'AWS_ACCESS_KEY_ID', secretAccessKey: 'AWS_SECRET_ACCESS_KEY' },
      },
    });
    expect([ssm.status, sm.status, rotation.status]).toEqual([200, 200, 200]);
    expect(ssm.body.secretSync).toMatchObject({
      destination: 'aws-parameter-store',
      syncStatus: 'pending',
      connection: { app: 'aws', id: connectionId },
      environment: { slug: 'prod' },
      folder: { path: '/api' },
      syncOptions: { keySchema: syncOptions.keySchema },
    });
    expect(rotation.body.secretRotation).toMatchObject({
      type: 'aws-iam-user-secret',
      rotationInterval: 30,
      rotateAtUtc: { hours: 3, minutes: 15 },
      rotationStatus: null,
      status: 'pending',
    });
  });

  it('changes only the options of a sync that were sent', async () => {
    await setSecrets();
    const connectionId = await createConnection();
    const body = {
      name: uniqueName('sync'),
      ...place,
      connectionId,
      syncOptions: { disableSecretDeletion: true, onExisting: 'adopt' },
      destinationConfig: { region: 'eu-west-1', path: `/app/${uniqueName('b')}/` },
    };
    const created = await api.call('POST', PARAMETERS, { body });
    const path = `${PARAMETERS}/${String(created.body.secretSync.id)}`;
    const changed = await api.call('PATCH', path, {
      body: { syncOptions: { tier: 'advanced' }, isAutoSyncEnabled: false },
    });
    expect(changed.body.secretSync).toMatchObject({
      isAutoSyncEnabled: false,
      syncOptions: { tier: 'advanced', disableSecretDeletion: true, onExisting: 'adopt' },
    });
    expect((await api.call('GET', `${MANAGER}/${String(created.body.secretSync.id)}`)).status).toBe(404);
  });

  it('names secrets of AWS by their keys alone only where the mapping is given, and neither prefix nor schema', async () => {
    await setSecrets();
    const body = { name: uniqueName('bare'), ...place, connectionId: await createConnection(), syncOptions: {} };
    const region = 'eu-west-1';
    for (const destinationConfig of [{ region }, { region, prefix: 'shop/' }]) {
      const refused = await api.call('POST', MANAGER, { body: { ...body, destinationConfig } });
      expect([refused.status, refused.body.message]).toEqual([
        422,
        'destinationConfig.mappingBehavior must be one of one-to-one, many-to-one.',
      ]);
    }
    const destinationConfig = { region, mappingBehavior: 'one-to-one' };
    const created = await api.call('POST', MANAGER, { body: { ...body, destinationConfig } });
    expect([created.status, created.body.secretSync.destinationConfig]).toEqual([200, destinationConfig]);
  });

  it('reports all problems of a body at once, also where the field that decides its shape is wrong', async () => {
    const source = { kind: 'infisicle', projectId: 7, everySeconds: 1 };
    const bodies: readonly (readonly [string, string, object, readonly string[]])[] = [
      [
        'POST',
        CONNECTIONS,
        { name: '!', method: 'methd', credentials: { roleArn: 'x' } },
        ['name must be 1', 'method must be one of assume-role, access-key', 'credentials.roleArn must be the ARN'],
      ],
      [
        'POST',
        MANAGER,
        { name: '!', ...place, connectionId: 'x', destinationConfig: { region: 7, mappingBehavior: 'one' } },
        ['name must', 'connectionId must be a UUID', 'destinationConfig.region is', 'destinationConfig.mappingB'],
      ],
      [
        'PUT',
        '/api/v1/folders/source',
        { ...place, source },
        ['source.kind must', 'source.projectId must', 'source.clientId', 'source.everySeconds'],
      ],
    ];
    for (const [method, path, body, problems] of bodies) {
      const refused = await api.call(method, path, { body });
      expect(refused.status).toBe(422);
      for (const problem of problems) expect(String(refused.body.message)).toContain(problem);
    }
  });

  it('takes KMS keys of replicas for regions that it replicates to, and null removes them', async () => {
    await setSecrets();
    const replicas = { replicaRegions: ['us-east-1', 'us-west-2'], replicaKeys: { 'us-east-1': 'alias/app' } };
    const body = {
      name: uniqueName('replicated'),
      ...place,
      connectionId: await createConnection(),
      syncOptions: replicas,
      destinationConfig: { region: 'eu-west-1', mappingBehavior: 'one-to-one', prefix: `${uniqueName('r')}/` },
    };
    const refused = await api.call('POST', MANAGER, {
      body: { ...body, syncOptions: { ...replicas, replicaRegions: ['us-west-2'] } },
    });
    expect([refused.status, refused.body.message]).toEqual([422, expect.stringContaining('names us-east-1')]);
    const created = await api.call('POST', MANAGER, { body });
    const path = `${MANAGER}/${String(created.body.secretSync.id)}`;
    expect(created.body.secretSync.syncOptions).toMatchObject(replicas);
    const stale = await api.call('PATCH', path, { body: { syncOptions: { replicaRegions: ['us-west-2'] } } });
    expect([stale.status, stale.body.message]).toEqual([422, expect.stringContaining('names us-east-1')]);
    const changed = await api.call('PATCH', path, { body: { syncOptions: { replicaKeys: null } } });
    expect(changed.body.secretSync.syncOptions).toMatchObject({ replicaRegions: replicas.replicaRegions });
    expect(changed.body.secretSync.syncOptions).not.toHaveProperty('replicaKeys');
  });

  it('records a wish for each action, with the token’s name', async () => {
    await setSecrets();
    const connectionId = await createConnection();
    const created = await api.call('POST', PARAMETERS, {
      body: {
        name: uniqueName('acts'),
        ...place,
        connectionId,
        destinationConfig: { region: 'eu-west-1', path: `/app/${uniqueName('c')}/` },
      },
    });
    const path = `${PARAMETERS}/${String(created.body.secretSync.id)}`;
    for (const action of [
      'sync-secrets',
      'plan',
      'import-secrets?importBehavior=prioritize-source',
      'remove-secrets',
    ]) {
      const answer = await api.call('POST', `${path}/${action}`);
      expect([action, answer.status, answer.body.run]).toEqual([action, 200, null]);
    }
    const rows = await fixture().handle.client`select kind, actor from keyferry.requests
        where subject_id = ${created.body.secretSync.id} and reason = 'requested'
        order by created_at`;
    expect(rows.map((row) => `${String(row.kind)} ${String(row.actor)}`)).toEqual(
      ['sync', 'plan', 'import', 'remove'].map((kind) => `${kind} acme-admin`),
    );
  });

  it('hides one org’s rows from another, whatever the verb', async () => {
    await setSecrets();
    const id = await createConnection();
    const sync = await api.call('POST', PARAMETERS, {
      body: {
        name: uniqueName('hidden'),
        ...place,
        connectionId: id,
        destinationConfig: { region: 'eu-west-1', path: `/app/${uniqueName('d')}/` },
      },
    });
    const syncId = String(sync.body.secretSync.id);
    const calls: [string, string, unknown?][] = [
      ['GET', `${CONNECTIONS}/${id}`],
      ['PATCH', `${CONNECTIONS}/${id}`, { description: 'stolen' }],
      ['DELETE', `${CONNECTIONS}/${id}`],
      ['POST', `${CONNECTIONS}/${id}/validate`],
      ['GET', `${PARAMETERS}/${syncId}`],
      ['POST', `${PARAMETERS}/${syncId}/remove-secrets`],
      ['DELETE', `${PARAMETERS}/${syncId}`],
    ];
    for (const [method, path, body] of calls) {
      const answer = await api.call(method, path, { org: 'globex', body });
      expect([method, path, answer.status]).toEqual([method, path, 404]);
    }
    const listed = await api.call('GET', CONNECTIONS, { org: 'globex' });
    expect(JSON.stringify(listed.body)).not.toContain(id);
  });

  it('runs a repeated POST with the same idempotency key once, also when both come at the same time', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const body = assumeRole(uniqueName('once'));
    const send = () => api.call('POST', CONNECTIONS, { body, headers: key });
    const together = await Promise.all([send(), send(), send()]);
    const again = await send();
    // Whoever comes while the first still runs is told to come again; nobody starts it twice.
    for (const { status } of together) expect([200, 409]).toContain(status);
    for (const answer of together.filter(({ status }) => status === 200)) expect(answer.body).toEqual(again.body);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    const rows = await fixture().handle.client`select id from keyferry.connections
      where name = ${body.name}`;
    expect(rows).toHaveLength(1);
    const other = await api.call('POST', CONNECTIONS, { body: assumeRole(uniqueName('other')), headers: key });
    expect([other.status, String(other.body.message)]).toEqual([422, expect.stringContaining('another request')]);
  });

  it('leaves the idempotency key of a refused request to the corrected one', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const body = assumeRole(uniqueName('corrected'));
    const refused = await api.call('POST', CONNECTIONS, { body: { ...body, name: '' }, headers: key });
    const corrected = await api.call('POST', CONNECTIONS, { body, headers: key });
    const again = await api.call('POST', CONNECTIONS, { body, headers: key });
    expect([refused.status, corrected.status, again.status]).toEqual([422, 200, 200]);
    expect([corrected, again].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true']);
    expect(again.body).toEqual(corrected.body);
  });

  it('asks for the scope that an operation needs', async () => {
    const id = await createConnection();
    const statuses = [
      (await api.call('GET', `${CONNECTIONS}/${id}`, { scope: 'read' })).status,
      (await api.call('POST', CONNECTIONS, { scope: 'read', body: assumeRole(uniqueName('x')) })).status,
      (await api.call('POST', `${PARAMETERS}/${randomUUID()}/remove-secrets`, { scope: 'write' })).status,
      (await api.call('DELETE', `${PARAMETERS}/${randomUUID()}?removeSecrets=true`, { scope: 'write' })).status,
      (await api.call('DELETE', `${CONNECTIONS}/${id}`, { scope: 'write' })).status,
    ];
    expect(statuses).toEqual([200, 403, 403, 403, 200]);
  });

  it('says how to send a token where there is none or an unknown one', async () => {
    const how = 'the access token of a login, or a token of KEYFERRY_API_TOKENS, as `Authorization: Bearer …`.';
    const cases = [
      ['', `Send ${how}`],
      ['Basic dXNlcjpwYXNz', `Send ${how}`],
      ['Bearer wrong', `The token is unknown or has expired. Send ${how}`],
    ] as const;
    for (const [authorization, message] of cases) {
      const answer = await api.call('GET', CONNECTIONS, { headers: { authorization } });
      expect(answer.status).toBe(401);
      expect(answer.body).toMatchObject({ statusCode: 401, error: 'Unauthorized', message });
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="keyferry"');
    }
  });

  it('refuses unknown tokens, other content types, broken JSON and large bodies', async () => {
    const body = assumeRole(uniqueName('y'));
    const answers = [
      await api.call('GET', CONNECTIONS, { headers: { authorization: 'Bearer wrong' } }),
      await api.call('POST', CONNECTIONS, { body, headers: { 'content-type': 'text/plain' } }),
      await api.call('POST', CONNECTIONS, { body: '{"name":' }),
      await api.call('POST', CONNECTIONS, { body: { ...body, description: 'x'.repeat(5 * 1024 * 1024) } }),
      await api.call('POST', CONNECTIONS, { body, headers: { origin: 'https://evil.example' } }),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([401, 415, 422, 413, 403]);
    expect(answers[0]?.body.message).toMatch(/^The token is unknown or has expired\. Send /);
    for (const answer of answers)
      expect(answer.body).toEqual({
        statusCode: answer.status,
        error: expect.any(String),
        message: expect.any(String),
        requestId: expect.any(String),
        reqId: expect.any(String),
      });
  });

  it('leaves an audit row per change, refused ones included', async () => {
    const name = uniqueName('audited');
    const created = await api.call('POST', CONNECTIONS, { scope: 'write', body: assumeRole(name) });
    const refused = await api.call('POST', CONNECTIONS, { scope: 'write', body: assumeRole(name) });
    expect([refused.status, refused.body.error]).toEqual([409, 'CONNECTION_NAME_TAKEN']);
    const rows = await fixture().handle
      .client`select org_id, actor, action, subject, status_code from keyferry.audit_log
        where request_id in ${fixture().handle.client([refused.body.requestId])}
        or subject = ${created.body.appConnection.id} order by id`;
    expect([...rows]).toEqual([
      {
        org_id: 'acme',
        actor: 'acme-write',
        action: 'connection.create',
        subject: created.body.appConnection.id,
        status_code: 200,
      },
      { org_id: 'acme', actor: 'acme-write', action: 'connection.create', subject: null, status_code: 409 },
    ]);
  });

  it('sets and lists secrets by name, without a value in any answer', async () => {
    const folder = { ...place, secretPath: `/${uniqueName('folder')}` };
    const set = await api.call('PUT', '/api/v1/folders/secrets', {
      body: { ...folder, secrets: { A: 'value-of-a', B: 'value-of-b' } },
    });
    expect(set.body.folder).toMatchObject({ set: 2, removed: 0 });
    await api.call('PUT', '/api/v1/folders/secrets', { body: { ...folder, secrets: { B: null } } });
    const listed = await api.call('GET', `/api/v1/folders/secrets?${new URLSearchParams(folder).toString()}`, {
      scope: 'read',
    });
    expect((listed.body as { secrets: { key: string }[] }).secrets.map((secret) => secret.key)).toEqual(['A']);
    expect(JSON.stringify([set.body, listed.body])).not.toContain('value-of');
  });
});
