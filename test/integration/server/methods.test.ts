/** A path that exists says which methods it takes; one that does not exist says so. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createApiUnderTest, type ApiUnderTest } from './api-support.ts';
import { useServer } from './support.ts';

describe('a method that a path does not take', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
  });
  afterAll(async () => {
    await api.close();
  });

  const paths: Readonly<Record<string, string>> = {
    '/healthz': 'GET, HEAD',
    '/readyz': 'GET, HEAD',
    '/metrics': 'GET, HEAD',
    '/': 'GET, HEAD',
    '/syncs': 'GET, HEAD',
    '/syncs/': 'GET, HEAD',
    '/connect/role': 'GET, HEAD, POST',
    '/api': 'GET, HEAD',
    '/api/openapi.json': 'GET, HEAD',
    '/.well-known/api-catalog': 'GET, HEAD',
    '/board': 'GET, HEAD',
    '/board/api/queues': 'GET, HEAD',
  };

  it.each(Object.entries(paths))('of %s is answered with the methods %s', async (path, allowed) => {
    const { status, headers, body } = await api.call('PUT', path, { body: {} });
    expect([status, headers.get('allow')]).toEqual([405, allowed]);
    expect(body.message).toBe(`${path === '/' ? path : path.replace(/\/$/, '')} takes ${allowed}, not PUT.`);
  });

  it('is not the only way to learn them: a page lists every operation, and the catalog names both', async () => {
    const answer = await api.call('GET', '/api');
    expect(answer.headers.get('content-type')).toContain('text/html');
    for (const path of Object.keys(api.document.paths)) expect(String(answer.body)).toContain(`<code>${path}</code>`);
    const { body, headers } = await api.call('GET', '/.well-known/api-catalog');
    expect(headers.get('content-type')).toBe('application/linkset+json');
    const [{ anchor, 'service-desc': described }] = body.linkset;
    expect([anchor, described[0].href]).toEqual([
      expect.stringMatching(/\/api$/),
      expect.stringMatching(/\/api\/openapi\.json$/),
    ]);
  });

  it.each(['/api/v1/runs//', '/syncs//', '/nothing', '/api/v3/secrets/raw', '/api/v1/runs/x/y'])(
    'means nothing where nothing is: %s',
    async (path) => {
      for (const method of ['GET', 'PUT']) {
        const { status, body } = await api.call(method, path, { body: method === 'GET' ? undefined : {} });
        expect([method, status]).toEqual([method, path.endsWith('raw') && method === 'GET' ? 403 : 404]);
        expect(body.message).not.toContain('takes');
      }
    },
  );
});
