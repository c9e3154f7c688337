/** Every path of the API, with a slash at its end and with methods that it does not have. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createApiUnderTest, type ApiUnderTest } from '../integration/server/api-support.ts';
import { createOperations, everyIdIs, place, type Operations } from '../integration/server/every-operation.ts';
import { useServer } from '../integration/server/support.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

describe('every path of the API', () => {
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

  it('answers another method with 405 and the methods that it has', async () => {
    const ids = everyIdIs('11111111-1111-4111-8111-111111111111');
    const takenForIds: string[] = [];
    for (const [path, operations] of Object.entries(api.document.paths)) {
      const declared = Object.keys(operations).map((method) => method.toUpperCase());
      const filled = every.fill(path, { parameters: [] } as never, ids).replace(/\?$/, '');
      for (const method of METHODS.filter((one) => !declared.includes(one))) {
        const answer = await api.call(method, filled, { body: method === 'GET' ? undefined : {} });
        if (answer.status === 422) {
          takenForIds.push(`${method} ${path}`);
          continue;
        }
        expect([method, path, answer.status]).toEqual([method, path, 405]);
        const allowed = answer.headers.get('allow')?.split(', ') ?? [];
        expect([path, declared.filter((one) => !allowed.includes(one))]).toEqual([path, []]);
        expect(answer.body.message).toContain(`not ${method}`);
      }
    }
    // Here a word of the path stands where another path of this method has an id, which it is not.
    const syncs = ['aws-secrets-manager', 'aws-parameter-store'].flatMap((destination) => [
      `POST /api/v1/secret-syncs/${destination}/sync-name/{name}`,
      ...['GET', 'PATCH', 'DELETE'].map((method) => `${method} /api/v1/secret-syncs/${destination}/check-destination`),
    ]);
    expect(takenForIds.sort()).toEqual(
      [
        ...syncs,
        'PATCH /api/v1/app-connections/aws/available',
        'DELETE /api/v1/app-connections/aws/available',
        'POST /api/v2/secret-rotations/aws-iam-user-secret/rotation-name/{name}',
      ].sort(),
    );
  });

  it('is the same with a slash at its end', async () => {
    const reads = every.operations().filter(({ method }) => method === 'GET');
    const ids = await every.createSubjects();
    for (const { path, operation } of reads) {
      const filled = every.fill(path, operation, ids);
      const [plain, slashed] = [await api.call('GET', filled), await api.call('GET', filled.replace('?', '/?'))];
      expect([path, slashed.status, slashed.body]).toEqual([path, plain.status, plain.body]);
    }
    const body = { ...place, secrets: { B: 'b' } };
    expect((await api.call('PUT', '/api/v1/folders/secrets/', { body })).status).toBe(200);
    expect((await api.call('GET', '/api/v1/secret-syncs//')).status).toBe(404);
  });

  it('refuses what is no path of the API, whatever the method', async () => {
    for (const method of METHODS) {
      const answer = await api.call(method, '/api/v1/workspace', { body: method === 'GET' ? undefined : {} });
      expect([method, answer.status]).toEqual([method, 404]);
    }
  });
});
