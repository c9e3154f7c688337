/**
 * Identities that are limited to projects: every operation of the document, on what belongs to them
 * and on what does not.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createIdentities } from '../../src/db/identities.ts';
import { createApiUnderTest, type ApiUnderTest } from '../integration/server/api-support.ts';
import { createOperations, place, type Operations } from '../integration/server/every-operation.ts';
import { uniqueName, useServer } from '../integration/server/support.ts';
import { roleConnection } from './bodies.ts';

const CONNECTIONS = '/api/v1/app-connections/aws';

describe('an identity that is limited to projects', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let every: Operations;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
    every = createOperations(fixture(), api);
    for (const projectId of ['shop', 'other'])
      await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, projectId, secrets: { A: 'a' } } });
  });
  afterAll(async () => {
    await api.close();
  });

  async function limitedTo(...projects: readonly string[]): Promise<{ authorization: string }> {
    const identities = createIdentities(fixture().handle.db);
    const { identity, clientSecret } = await identities.create('acme', {
      name: uniqueName('limited'),
      scope: 'admin',
      projects,
      onExisting: 'fail',
      expiresAt: null,
    });
    const token = await identities.login({ clientId: identity.id, clientSecret });
    return { authorization: `Bearer ${token?.accessToken ?? ''}` };
  }

  it('can neither see nor change what is another project’s, whatever the operation', async () => {
    const headers = await limitedTo('other');
    const { client } = fixture().handle;
    for (const { method, path, operation } of every.operations().filter((one) => !one.path.includes('/auth/'))) {
      const ids = await every.createSubjects();
      await client`update keyferry.connections set project_id = 'shop' where org_id = 'acme'`;
      if (path.endsWith('/options')) continue;
      const address = every.fill(path, operation, ids).replace(/subjectId=[^&]*/, `subjectId=${ids.rotationId}`);
      const answer = await api.call(method, address, {
        headers,
        body: every.validBody(operation.operationId, ids),
      });
      expect([operation.operationId, [403, 404].includes(answer.status)]).toEqual([operation.operationId, true]);
    }
  });

  it('works within its project, and uses the org’s connections without changing them', async () => {
    const headers = await limitedTo('shop');
    const shared = await api.call('POST', `${CONNECTIONS}?wait=0`, { body: roleConnection(uniqueName('shared')) });
    const connectionId = String(shared.body.appConnection.id);
    const call = (method: string, path: string, body?: object) => api.call(method, path, { headers, body });
    expect((await call('GET', `${CONNECTIONS}/${connectionId}`)).status).toBe(200);
    expect((await call('PATCH', `${CONNECTIONS}/${connectionId}`, { description: 'x' })).status).toBe(403);
    const sync = {
      name: uniqueName('s'),
      ...place,
      connectionId,
      destinationConfig: { region: 'eu-west-1', path: `/${uniqueName('p')}/` },
    };
    const made = await call('POST', '/api/v1/secret-syncs/aws-parameter-store', sync);
    expect(made.status).toBe(200);
    const path = `/api/v1/secret-syncs/aws-parameter-store/${String(made.body.secretSync.id)}`;
    expect((await call('PATCH', path, { projectId: 'other' })).status).toBe(403);
    expect((await call('PATCH', path, { description: 'mine' })).status).toBe(200);
    const own = await call('POST', `${CONNECTIONS}?wait=0`, {
      ...roleConnection(uniqueName('own')),
      projectId: 'shop',
    });
    expect(own.status).toBe(200);
    expect((await call('POST', `${CONNECTIONS}?wait=0`, roleConnection(uniqueName('org')))).status).toBe(403);
  });

  it('must say which of its projects it lists', async () => {
    const headers = await limitedTo('shop');
    const list = async (query: string) => (await api.call('GET', `/api/v1/secret-syncs${query}`, { headers })).status;
    expect([await list(''), await list('?projectId=other'), await list('?projectId=shop')]).toEqual([403, 403, 200]);
  });
});
