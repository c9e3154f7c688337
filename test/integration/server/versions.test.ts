/**
 * Changes made at the same time: none is lost, and `If-Match` refuses what was made from an old
 * version.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createApiUnderTest, type Answer, type ApiUnderTest } from './api-support.ts';
import { createOperations, type Ids, type Operations, place } from './every-operation.ts';
import { useServer } from './support.ts';

describe('a change over the API', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let every: Operations;
  let ids: Ids;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
    every = createOperations(fixture(), api);
    await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secrets: { A: 'a' } } });
    ids = await every.createSubjects();
  });
  afterAll(async () => {
    await api.close();
  });

  /** Every operation that changes an object, with its own path. */
  const settable = () =>
    every
      .operations()
      .filter(({ method }) => method === 'PATCH')
      .map(({ path, operation }) => ({ id: operation.operationId, path: every.fill(path, operation, ids) }));

  const objectOf = ({ body }: Answer) =>
    (body.appConnection ?? body.secretSync ?? body.secretRotation) as { version: number; description: string };

  it('loses none of two that change different options of a sync, in 100 rounds', async () => {
    const path = `/api/v1/secret-syncs/aws-parameter-store/${ids.syncId['aws-parameter-store'] ?? ''}`;
    for (let round = 0; round < 100; round += 1) {
      const keySchema = `R${String(round)}_{{secretKey}}`;
      const disableSecretDeletion = round % 2 === 0;
      const answers = await Promise.all([
        api.call('PATCH', path, { body: { syncOptions: { keySchema } } }),
        api.call('PATCH', path, { body: { syncOptions: { disableSecretDeletion } } }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      const { body } = await api.call('GET', path);
      expect(body.secretSync.syncOptions).toMatchObject({ keySchema, disableSecretDeletion });
    }
  }, 60_000);

  it('loses none of ten at once, whatever is set', async () => {
    for (const { id, path } of settable()) {
      const before = objectOf(await api.call('GET', path)).version;
      const bodies = Array.from({ length: 10 }, (_, index) => ({ description: `change ${String(index)}` }));
      const answers = await Promise.all(bodies.map((body) => api.call('PATCH', path, { body })));
      expect([id, answers.map(({ status }) => status)]).toEqual([id, Array<number>(10).fill(200)]);
      expect([id, objectOf(await api.call('GET', path)).version]).toEqual([id, before + 10]);
    }
  });

  it('is answered again under its idempotency key with the ETag of the first answer', async () => {
    for (const { id, path } of settable()) {
      const again = async (method: string, to: string, body: unknown) => {
        const headers = { 'idempotency-key': `${id}-${method}` };
        const answers = [await api.call(method, to, { body, headers }), await api.call(method, to, { body, headers })];
        return answers.map(({ status, headers: sent }) => [status, sent.get('etag')]);
      };
      const [first, replay] = await again('PATCH', path, { description: 'again' });
      expect([id, replay]).toEqual([id, first]);
      expect(first?.[1]).toMatch(/^"\d+"$/);
    }
    const folder = { ...place, secrets: { A: 'again' } };
    const headers = { 'idempotency-key': 'folder' };
    const put = () => api.call('PUT', '/api/v1/folders/secrets', { body: folder, headers });
    const [first, replay] = [await put(), await put()];
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    expect(replay.headers.get('etag')).toBe(first.headers.get('etag'));
  });

  it('answers with the version as ETag, and is refused when If-Match names another', async () => {
    expect(settable().length).toBeGreaterThanOrEqual(4);
    for (const { id, path } of settable()) {
      const read = await api.call('GET', path);
      const tag = read.headers.get('etag') ?? '';
      expect([id, tag]).toEqual([id, `"${String(objectOf(read).version)}"`]);
      const patch = (ifMatch: string, description: string) =>
        api.call('PATCH', path, { body: { description }, headers: { 'if-match': ifMatch } });
      const first = await patch(tag, 'first');
      expect([id, first.status, first.headers.get('etag')]).toEqual([
        id,
        200,
        `"${String(objectOf(read).version + 1)}"`,
      ]);
      for (const old of [tag, 'W/"1"', '"nonsense"', '']) {
        const refused = await patch(old, 'second');
        expect([id, old, refused.status, refused.body.error, refused.body.message]).toEqual([
          id,
          old,
          412,
          'PAYLOAD_STALE',
          expect.stringContaining('Read it again'),
        ]);
      }
      expect((await patch('*', 'any')).status).toBe(200);
      expect((await patch(`"0", ${(await api.call('GET', path)).headers.get('etag') ?? ''}`, 'listed')).status).toBe(
        200,
      );
      const deleted = await api.call('DELETE', path, { headers: { 'if-match': tag } });
      expect([id, deleted.status, objectOf(await api.call('GET', path)).description]).toEqual([id, 412, 'listed']);
    }
  });

  it('of one version is made by one of two', async () => {
    for (const { id, path } of settable()) {
      const tag = (await api.call('GET', path)).headers.get('etag') ?? '';
      const answers = await Promise.all(
        ['one', 'two'].map((description) =>
          api.call('PATCH', path, { body: { description }, headers: { 'if-match': tag } }),
        ),
      );
      expect([id, answers.map(({ status }) => status).sort()]).toEqual([id, [200, 412]]);
    }
  });

  it('that changes nothing makes no version and no run', async () => {
    for (const { id, path } of settable()) {
      const before = await stateOf();
      const body = id.endsWith('Sync.update') ? { syncOptions: {} } : {};
      for (const empty of [{}, body])
        expect([id, (await api.call('PATCH', path, { body: empty })).status]).toEqual([id, 200]);
      expect([id, await stateOf()]).toEqual([id, before]);
    }
  });

  it('of a folder is refused when If-Match names another revision', async () => {
    const folders = '/api/v1/folders/secrets';
    const query = `${folders}?${new URLSearchParams(place).toString()}`;
    const tag = (await api.call('GET', query)).headers.get('etag') ?? '';
    expect(tag).toMatch(/^"\d+"$/);
    const set = (value: string, ifMatch: string, secretPath = place.secretPath) =>
      api.call('PUT', folders, {
        body: { ...place, secretPath, secrets: { A: value } },
        headers: { 'if-match': ifMatch },
      });
    const both = await Promise.all(['one', 'two'].map((value) => set(value, tag)));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect((await set('three', tag)).body.error).toBe('PAYLOAD_STALE');
    expect((await set('x', tag, '/nowhere')).status).toBe(404);
    const now = both.find(({ status }) => status === 200)?.headers.get('etag') ?? '';
    expect((await set('four', now)).status).toBe(200);
  });

  it('of parts of a sync’s place keeps the other parts', async () => {
    for (const path of ['/moved', '/api']) {
      await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secretPath: path, secrets: { A: 'a' } } });
      const sync = `/api/v1/secret-syncs/aws-secrets-manager/${ids.syncId['aws-secrets-manager'] ?? ''}`;
      const moved = await api.call('PATCH', sync, { body: { secretPath: path } });
      expect([moved.status, moved.body.secretSync.folder.path, moved.body.secretSync.environment.slug]).toEqual([
        200,
        path,
        'prod',
      ]);
    }
  });

  async function stateOf(): Promise<unknown> {
    const [state] = await fixture().handle.client`
      select (select jsonb_agg(to_jsonb(c) order by id) from keyferry.connections c) as connections,
        (select jsonb_agg(to_jsonb(s) order by id) from keyferry.syncs s) as syncs,
        (select jsonb_agg(to_jsonb(r) order by id) from keyferry.rotations r) as rotations`;
    return state;
  }
});
