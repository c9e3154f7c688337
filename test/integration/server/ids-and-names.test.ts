/**
 * Ids are ids: no route takes one for a name, nor for another org's object. Tried on every
 * operation of the document.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { assumeRole, createApiUnderTest, type ApiUnderTest } from './api-support.ts';
import { createOperations, everyIdIs, type Ids, type Operations, place } from './every-operation.ts';
import { uniqueName, useServer } from './support.ts';

describe('an id in the API', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let every: Operations;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
    every = createOperations(fixture(), api);
    await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secrets: { A: 'a' } } });
  });
  afterAll(async () => {
    await api.close();
  });

  const withIds = () => every.operations().filter(({ path }) => /Id\}/.test(path) && !path.includes('{runId}'));

  /** As rows of before the rule may be: named like an id. */
  async function rename(ids: Ids, names: Ids): Promise<void> {
    const sql = fixture().handle.client;
    await sql`update keyferry.connections set name = ${names.connectionId}
      where id = ${ids.connectionId}`;
    await sql`update keyferry.rotations set name = ${names.rotationId} where id = ${ids.rotationId}`;
    for (const [destination, id] of Object.entries(ids.syncId))
      await sql`update keyferry.syncs set name = ${names.syncId[destination] ?? ''}
        where id = ${id}`;
  }

  /** Every row that could be hit, and how often it was wished for. */
  async function stateOf(ids: Ids): Promise<unknown> {
    const sql = fixture().handle.client;
    const all = `{${[ids.connectionId, ids.rotationId, ...Object.values(ids.syncId)].join(',')}}`;
    const [state] = await sql`
      select (select jsonb_agg(to_jsonb(c) order by id) from keyferry.connections c
        where id = any(${all}::uuid[])) as connections,
        (select jsonb_agg(to_jsonb(s) order by id) from keyferry.syncs s
          where id = any(${all}::uuid[])) as syncs,
        (select jsonb_agg(to_jsonb(r) order by id) from keyferry.rotations r
          where id = any(${all}::uuid[])) as rotations,
        (select count(*) from keyferry.requests
          where subject_id = any(${all}::uuid[]))::int as requests`;
    return state;
  }

  it('is never taken for a name, by any operation', async () => {
    const subjects = await every.createSubjects();
    const nobodys = distinctIds();
    await rename(subjects, nobodys);
    const before = await stateOf(subjects);
    for (const { method, path, operation } of withIds()) {
      const answer = await api.call(method, every.fill(path, operation, nobodys), {
        body: every.validBody(operation.operationId, subjects),
      });
      expect([operation.operationId, answer.status]).toEqual([operation.operationId, 404]);
      expect([operation.operationId, await stateOf(subjects)]).toEqual([operation.operationId, before]);
    }
  });

  it('means its own object, also when another one is named like it', async () => {
    const [other, ofReads] = [await every.createSubjects(), await every.createSubjects()];
    for (const { method, path, operation } of withIds()) {
      const meant = method === 'GET' ? ofReads : await every.createSubjects();
      await rename(other, meant);
      const before = await stateOf(other);
      const answer = await api.call(method, every.fill(path, operation, meant), {
        body: every.validBody(operation.operationId, meant),
      });
      expect([operation.operationId, answer.status]).toEqual([operation.operationId, 200]);
      expect([operation.operationId, await stateOf(other)]).toEqual([operation.operationId, before]);
    }
  });

  it('of another org does not exist, for any operation', async () => {
    const subjects = await every.createSubjects();
    const before = await stateOf(subjects);
    for (const { method, path, operation } of withIds()) {
      const answer = await api.call(method, every.fill(path, operation, subjects), {
        org: 'globex',
        body: every.validBody(operation.operationId, subjects),
      });
      expect([operation.operationId, answer.status]).toEqual([operation.operationId, 404]);
      expect([operation.operationId, await stateOf(subjects)]).toEqual([operation.operationId, before]);
    }
  });

  it('in a body binds to its own connection, never to one of that name', async () => {
    const [wanted, named] = [await every.createSubjects(), await every.createSubjects()];
    await rename(named, { ...distinctIds(), connectionId: wanted.connectionId });
    for (const operationId of ['parameterStoreSync.create', 'secretsManagerSync.create', 'rotation.create']) {
      const operation = every.operations().find(({ operation: one }) => one.operationId === operationId);
      if (operation === undefined) throw new Error(`there is no ${operationId}`);
      const { body } = await api.call(operation.method, operation.path, {
        body: every.validBody(operationId, wanted),
      });
      expect((body.secretSync ?? body.secretRotation).connectionId).toBe(wanted.connectionId);
      const missing = { ...distinctIds(), connectionId: randomUUID() };
      await rename(named, { ...distinctIds(), connectionId: missing.connectionId });
      const refused = await api.call(operation.method, operation.path, { body: every.validBody(operationId, missing) });
      expect([refused.status, refused.body.error]).toEqual([404, 'CONNECTION_NOT_FOUND']);
      await rename(named, { ...distinctIds(), connectionId: wanted.connectionId });
    }
  });

  it('cannot become a name, and a row that has such a name is found by it', async () => {
    const id = randomUUID();
    const bodies: Record<string, string> = {
      'connection.create': '/api/v1/app-connections/aws',
      'parameterStoreSync.create': '/api/v1/secret-syncs/aws-parameter-store',
      'secretsManagerSync.create': '/api/v1/secret-syncs/aws-secrets-manager',
      'rotation.create': '/api/v2/secret-rotations/aws-iam-user-secret',
    };
    const subjects = await every.createSubjects();
    for (const [operationId, path] of Object.entries(bodies)) {
      const body = { ...(every.validBody(operationId, subjects) as object), name: id.toUpperCase() };
      const created = await api.call('POST', path, { body });
      expect([operationId, created.status, created.body.message]).toEqual([
        operationId,
        422,
        expect.stringMatching(/^name/),
      ]);
    }
    for (const { method, path, operation } of every.operations().filter(({ method: one }) => one === 'PATCH')) {
      const renamed = await api.call(method, every.fill(path, operation, subjects), { body: { name: id } });
      expect([operation.operationId, renamed.status]).toEqual([operation.operationId, 422]);
    }
    const { body } = await api.call('POST', '/api/v1/app-connections/aws', { body: assumeRole(uniqueName('old')) });
    await rename({ ...subjects, connectionId: body.appConnection.id }, { ...distinctIds(), connectionId: id });
    const byName = await api.call('GET', `/api/v1/app-connections/aws/connection-name/${id}`);
    expect([byName.status, byName.body.appConnection.id]).toEqual([200, body.appConnection.id]);
  });
});

function distinctIds(): Ids {
  return {
    ...everyIdIs(randomUUID()),
    rotationId: randomUUID(),
    syncId: { 'aws-parameter-store': randomUUID(), 'aws-secrets-manager': randomUUID() },
  };
}
