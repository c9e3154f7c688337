/**
 * Creating a connection waits for AWS's verdict: within limits of time and number, and whoever
 * hangs up changes nothing. Here nobody gives a verdict.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createApiUnderTest, type Answer, type ApiUnderTest } from '../integration/server/api-support.ts';
import { uniqueName, useServer } from '../integration/server/support.ts';
import { roleConnection } from './bodies.ts';

const CONNECTIONS = '/api/v1/app-connections/aws';

describe('without a verdict', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
  });
  afterAll(async () => {
    await api.close();
  });

  const create = (name: string, waitSeconds: number, org = 'acme') =>
    api.call('POST', `${CONNECTIONS}?wait=${String(waitSeconds)}`, { body: roleConnection(name), org });

  async function recorded(prefix: string): Promise<number> {
    const [row] = await fixture().handle
      .client`select count(*)::int as n from keyferry.connections where name like ${`${prefix}%`}`;
    return Number(row?.n);
  }

  it('a connection is recorded as pending, and the answer is 202', async () => {
    const answer = await create(uniqueName('slow'), 1);
    expect(answer).toMatchObject({
      status: 202,
      body: { appConnection: { status: 'pending' }, run: null, runRequestId: expect.any(String) },
    });
    const path = `${CONNECTIONS}/${String(answer.body.appConnection.id)}`;
    expect((await api.call('GET', path)).body.appConnection.status).toBe('pending');
  });

  it('ten requests of an org wait, the next is answered at once, and other orgs wait all the same', async () => {
    const prefix = uniqueName('many');
    let answered = 0;
    const waiting = Array.from({ length: 10 }, async (_, index) => {
      const answer = await create(`${prefix}-${String(index)}`, 5);
      answered += 1;
      return answer;
    });
    // Within the five seconds that they wait.
    await expect.poll(() => recorded(prefix), { interval: 20, timeout: 4_000 }).toBe(10);
    const next = await create(`${prefix}-next`, 25);
    expect([next.status, next.body.appConnection.status, answered]).toEqual([202, 'pending', 0]);
    let isAnswered = false;
    const elsewhere = create(uniqueName('other'), 5, 'globex').finally(() => {
      isAnswered = true;
    });
    await api.call('GET', CONNECTIONS);
    expect(isAnswered).toBe(false);
    const statuses = (await Promise.all([...waiting, elsewhere])).map(({ status }: Answer) => status);
    expect(new Set(statuses)).toEqual(new Set([202]));
    // The places are free again: this one waits.
    const startedAt = performance.now();
    await create(`${prefix}-later`, 1);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
  });
});
