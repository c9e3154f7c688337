/** Every operation of the OpenAPI document against the server: what it declares is what it does. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { jwtLoginOf, startJwtIssuer, type JwtIssuer } from '../../support/jwt-issuer.ts';
import { createApiUnderTest, type Answer, type ApiUnderTest, type Operation } from './api-support.ts';
import { createOperations, everyIdIs, place, type Operations } from './every-operation.ts';
import { useServer } from './support.ts';

describe('the OpenAPI document', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let every: Operations;
  let issuer: JwtIssuer;
  beforeAll(async () => {
    issuer = await startJwtIssuer();
    api = await createApiUnderTest(fixture(), { jwtLogins: [jwtLoginOf(issuer)] });
    every = createOperations(fixture(), api, await issuer.token());
    await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secrets: { A: 'a' } } });
  });
  afterAll(async () => {
    await api.close();
    await issuer.close();
  });

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
    const ids = every.operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operation } of every.operations())
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['200', '401', '403', '404', '422']));
  });

  it('answers every operation with valid input as declared', { timeout: 120_000 }, async () => {
    // What is only read stays as it is for the next one.
    const ofReads = await every.createSubjects();
    for (const { method, path, operation } of every.inSafeOrder(every.operations())) {
      const ids = method === 'GET' ? ofReads : await every.createSubjects();
      const answer = await api.call(method, every.fill(path, operation, ids), {
        body: every.validBody(operation.operationId, ids),
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
    for (const { method, path, operation } of every.operations()) {
      const ids = everyIdIs('x');
      const body = every.validBody(operation.operationId, ids);
      const headers = { authorization: '' };
      const anonymous = await api.call(method, every.fill(path, operation, ids), { headers, body });
      expect([operation.operationId, anonymous.status]).toEqual([operation.operationId, 401]);
      expectDeclared(operation, anonymous);
      if (!/Id\}/.test(path)) continue;
      const malformed = await api.call(method, every.fill(path, operation, ids), {
        body: operation.requestBody ? {} : undefined,
      });
      expect([operation.operationId, malformed.status]).toEqual([operation.operationId, 422]);
      expectDeclared(operation, malformed);
    }
  });

  it('answers every operation on an unknown id with 404', async () => {
    const known = await every.createSubjects();
    const ids = everyIdIs(randomUUID());
    for (const { method, path, operation } of every.operations().filter(({ path: one }) => /\{/.test(one))) {
      const answer = await api.call(method, every.fill(path, operation, ids), {
        body: every.validBody(operation.operationId, known),
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
    const ids = await every.createSubjects();
    for (const { method, path, operation } of every.operations().filter(({ operation: one }) => one.requestBody)) {
      const body = { ...(every.validBody(operation.operationId, ids) as object), notAField: 1 };
      const unknown = await api.call(method, every.fill(path, operation, ids), { body });
      expect([operation.operationId, unknown.status, unknown.body.message]).toEqual([
        operation.operationId,
        422,
        expect.stringContaining('notAField'),
      ]);
      if (method === 'PATCH') continue;
      const empty = await api.call(method, every.fill(path, operation, ids), { body: {} });
      expect([operation.operationId, empty.status]).toEqual([operation.operationId, 422]);
    }
  });

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
