/** Every operation of the OpenAPI document against the server: what it declares is what it does. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { assumeRole, createApiUnderTest, type Answer, type ApiUnderTest, type Operation } from './api-support.ts';
import { uniqueName, useServer } from './support.ts';

interface Ids {
  readonly connectionId: string;
  readonly syncId: Readonly<Record<string, string>>;
  readonly rotationId: string;
  readonly runId: string;
  readonly names: Readonly<Record<string, string>>;
}

const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };

describe('the OpenAPI document', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
    await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secrets: { A: 'a' } } });
  });
  afterAll(async () => {
    await api.close();
  });

  function operations(): { method: string; path: string; operation: Operation }[] {
    return Object.entries(api.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
  }

  it('declares every path of the contract, each operation once, with security and problems', () => {
    const paths = Object.keys(api.document.paths);
    for (const path of [
      '/api/v1/app-connections/aws',
      '/api/v1/app-connections/aws/{connectionId}',
      '/api/v1/app-connections/aws/{connectionId}/validate',
      '/api/v1/app-connections/aws/connection-name/{name}',
      '/api/v1/secret-syncs/aws-parameter-store/{syncId}/sync-secrets',
      '/api/v1/secret-syncs/aws-secrets-manager/{syncId}/import-secrets',
      '/api/v1/secret-syncs/aws-secrets-manager/{syncId}/remove-secrets',
      '/api/v1/secret-syncs/aws-parameter-store/{syncId}/plan',
      '/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/rotate-secrets',
      '/api/v1/folders/secrets',
    ]) {
      expect(paths).toContain(path);
    }
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operation } of operations())
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['200', '401', '403', '404', '422']));
  });

  it('answers every operation with valid input as declared', async () => {
    for (const { method, path, operation } of inSafeOrder(operations())) {
      const ids = await createSubjects();
      const answer = await api.call(method, fill(path, operation, ids), {
        body: validBody(operation.operationId, ids),
      });
      expect([operation.operationId, answer.status, answer.body]).toEqual([
        operation.operationId,
        200,
        expect.anything(),
      ]);
      expectDeclared(operation, answer);
    }
  });

  it('refuses every operation without a token, and with ids that are none', async () => {
    for (const { method, path, operation } of operations()) {
      const ids = {
        connectionId: 'x',
        syncId: { 'aws-parameter-store': 'x', 'aws-secrets-manager': 'x' },
        rotationId: 'x',
        runId: 'x',
        names: {},
      };
      const anonymous = await api.call(method, fill(path, operation, ids), { headers: { authorization: '' } });
      expect([operation.operationId, anonymous.status]).toEqual([operation.operationId, 401]);
      expectDeclared(operation, anonymous);
      if (!/Id\}/.test(path)) continue;
      const malformed = await api.call(method, fill(path, operation, ids), {
        body: operation.requestBody ? {} : undefined,
      });
      expect([operation.operationId, malformed.status]).toEqual([operation.operationId, 422]);
      expectDeclared(operation, malformed);
    }
  });

  it('answers every operation on an unknown id with 404', async () => {
    const known = await createSubjects();
    const nobody = randomUUID();
    const ids = {
      connectionId: nobody,
      syncId: { 'aws-parameter-store': nobody, 'aws-secrets-manager': nobody },
      rotationId: nobody,
      runId: nobody,
      names: {},
    };
    for (const { method, path, operation } of operations().filter(({ path: one }) => /\{/.test(one))) {
      const answer = await api.call(method, fill(path, operation, ids), {
        body: validBody(operation.operationId, known),
      });
      expect([operation.operationId, answer.status, answer.body.message]).toEqual([
        operation.operationId,
        404,
        expect.stringContaining('There is no'),
      ]);
      expectDeclared(operation, answer);
    }
  });

  it('refuses every body with an unknown field, naming it, and without its required ones', async () => {
    const ids = await createSubjects();
    for (const { method, path, operation } of operations().filter(({ operation: one }) => one.requestBody)) {
      const body = { ...(validBody(operation.operationId, ids) as object), notAField: 1 };
      const unknown = await api.call(method, fill(path, operation, ids), { body });
      expect([operation.operationId, unknown.status, unknown.body.message]).toEqual([
        operation.operationId,
        422,
        expect.stringContaining('notAField'),
      ]);
      if (method === 'PATCH') continue;
      const empty = await api.call(method, fill(path, operation, ids), { body: {} });
      expect([operation.operationId, empty.status]).toEqual([operation.operationId, 422]);
    }
  });

  /** Deletions last: each operation gets subjects of its own anyhow. */
  function inSafeOrder<T extends { method: string }>(all: readonly T[]): readonly T[] {
    return [...all].sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));
  }

  async function createSubjects(): Promise<Ids> {
    const connection = await api.call('POST', '/api/v1/app-connections/aws', { body: assumeRole(uniqueName('c')) });
    const connectionId = String(connection.body.appConnection.id);
    const create = (operation: string, path: string) =>
      api.call('POST', path, { body: validBody(operation, { connectionId } as Ids) });
    const ssm = await create('parameterStoreSync.create', '/api/v1/secret-syncs/aws-parameter-store');
    const sm = await create('secretsManagerSync.create', '/api/v1/secret-syncs/aws-secrets-manager');
    const rotation = await create('rotation.create', '/api/v2/secret-rotations/aws-iam-user-secret');
    const [run] = await fixture().handle
      .client`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, status) values ('validate', ${connectionId}, 'acme', 1, 'created', 'succeeded') returning id`;
    const lone = await api.call('POST', '/api/v1/app-connections/aws', { body: assumeRole(uniqueName('lone')) });
    return {
      // Nothing uses this one, so that it can be deleted.
      connectionId: String(lone.body.appConnection.id),
      syncId: {
        'aws-parameter-store': String(ssm.body.secretSync.id),
        'aws-secrets-manager': String(sm.body.secretSync.id),
      },
      rotationId: String(rotation.body.secretRotation.id),
      runId: String(run?.id),
      names: {
        'connection-name': lone.body.appConnection.name,
        'aws-parameter-store': ssm.body.secretSync.name,
        'aws-secrets-manager': sm.body.secretSync.name,
        'rotation-name': rotation.body.secretRotation.name,
      },
    };
  }

  function fill(path: string, operation: Operation, ids: Ids): string {
    const destination = path.includes('parameter-store') ? 'aws-parameter-store' : 'aws-secrets-manager';
    const name = Object.entries(ids.names).find(([part]) => path.includes(part))?.[1] ?? 'nobody';
    const filled = path
      .replace('{connectionId}', ids.connectionId)
      .replace('{syncId}', ids.syncId[destination] ?? '')
      .replace('{rotationId}', ids.rotationId)
      .replace('{runId}', ids.runId)
      .replace('{name}', name);
    const values: Record<string, string> = { subjectId: randomUUID(), importBehavior: 'prioritize-source', ...place };
    const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query' && parameter.required);
    return `${filled}?${new URLSearchParams(Object.fromEntries(query.map(({ name: one }) => [one, values[one] ?? '']))).toString()}`;
  }

  function validBody(operationId: string, { connectionId }: Ids): unknown {
    const sync = { name: uniqueName('s'), ...place, connectionId };
    const bodies: Record<string, unknown> = {
      'connection.create': assumeRole(uniqueName('c')),
      'connection.update': { description: 'changed' },
      'parameterStoreSync.create': {
        ...sync,
        destinationConfig: { region: 'eu-west-1', path: `/${uniqueName('p')}/` },
      },
      'secretsManagerSync.create': {
        ...sync,
        destinationConfig: { region: 'eu-west-1', mappingBehavior: 'many-to-one', secretName: uniqueName('s') },
      },
      'parameterStoreSync.update': { description: 'changed' },
      'secretsManagerSync.update': { description: 'changed' },
      'rotation.create': {
        name: uniqueName('r'),
        ...place,
        secretPath: `/${uniqueName('f')}`,
        connectionId,
        rotationInterval: 30,
        parameters: { userName: uniqueName('u') },
        secretsMapping: { accessKeyId: 'K', secretAccessKey: 'S' },
      },
      'rotation.update': { rotationInterval: 60 },
      'secrets.set': { ...place, secrets: { A: 'a' } },
    };
    return bodies[operationId];
  }

  /** Body against the declared schema of its status. */
  function expectDeclared(operation: Operation, answer: Answer): void {
    const schema = operation.responses[String(answer.status)]?.content['application/json'].schema;
    expect([operation.operationId, answer.status, schema]).toEqual([
      operation.operationId,
      answer.status,
      expect.anything(),
    ]);
    const jsonSchema = { ...(schema as object), $defs: api.document.components.schemas };
    const text = JSON.stringify(jsonSchema).replaceAll('#/components/schemas/', '#/$defs/');
    const parsed = z.fromJSONSchema(JSON.parse(text) as Parameters<typeof z.fromJSONSchema>[0]).safeParse(answer.body);
    expect([operation.operationId, parsed.error?.issues]).toEqual([operation.operationId, undefined]);
  }
});
