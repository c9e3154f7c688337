/**
 * One caller’s requests leave time for those of others: work is bounded by items and requests, not
 * only by bytes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createApiUnderTest, type ApiUnderTest } from './api-support.ts';
import { uniqueName, useServer } from './support.ts';

const FOLDERS = '/api/v1/folders/secrets';

describe('a body', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
  });
  afterAll(async () => {
    await api.close();
  });

  const place = () => ({ projectId: uniqueName('project'), environment: 'prod', secretPath: '/' });
  const keys = (count: number, suffix: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`KEY_${String(n)}${suffix}`, 'v']));

  it.each([
    ['good keys', { secrets: keys(60_000, '') }],
    ['bad keys', { secrets: keys(60_000, ' bad') }],
    ['nested lists', { secrets: {}, metadata: Array.from({ length: 200 }, () => Array<number>(100).fill(0)) }],
  ])('of too many items is refused before it is looked at: %s', async (_name, body) => {
    const at = place();
    const { status, body: answer } = await api.call('PUT', FOLDERS, { body: { ...at, ...body } });
    expect(status).toBe(422);
    expect(answer.message).toContain('more than 10000 items');
    const rows = await fixture().handle.client`
      select 1 from keyferry.folders where project_id = ${at.projectId}`;
    expect(rows).toHaveLength(0);
  });

  it('names at most 20 of its mistakes and counts the rest', async () => {
    const { status, body } = await api.call('PUT', FOLDERS, { body: { ...place(), secrets: keys(5_000, ' bad') } });
    expect(status).toBe(422);
    expect(String(body.message).split('; ')).toHaveLength(21);
    expect(body.message).toContain('4980 more');
  });

  it('with many commas in few values is taken', async () => {
    const secrets = { LIST: ','.repeat(100_000), 'A.B': 'v' };
    const { status } = await api.call('PUT', FOLDERS, { body: { ...place(), secrets } });
    expect(status).toBe(200);
  });
});

describe('a caller who asks without end', () => {
  const fixture = useServer(undefined);

  it('is told to wait, and nobody else is', async () => {
    const now = new Date('2026-01-01T00:00:00Z');
    const api = await createApiUnderTest(fixture(), { now: () => now });
    let status = 200;
    let requests = 0;
    while (status === 200 && requests < 2_100) {
      ({ status } = await api.call('GET', '/api/v1/app-connections/aws', { org: 'globex' }));
      requests += 1;
    }
    expect({ status, requests }).toEqual({ status: 429, requests: 2_001 });
    expect((await api.call('GET', '/api/v1/app-connections/aws')).status).toBe(200);
    await api.close();
  });
});
