/**
 * Every operation of the API that changes something leaves one row with whose token it was, and
 * none that looks.
 */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createApiUnderTest, type ApiUnderTest } from '../server/api-support.ts';
import { createOperations, place, type Operations } from '../server/every-operation.ts';
import { useServer } from '../server/support.ts';

const fixture = useServer(undefined);
let api: ApiUnderTest;
let every: Operations;
beforeAll(async () => {
  api = await createApiUnderTest(fixture());
  every = createOperations(fixture(), api);
  await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secrets: { A: 'a' } } });
});
afterAll(() => api.close());

/** POSTs that change nothing of an org: a login gives a token, and this one only looks. */
const isUnrecorded = (operationId: string) => /^auth\.|\.checkDestination$/.test(operationId);

async function rowsOf(requestsSince: number): Promise<readonly Record<string, unknown>[]> {
  return fixture().handle.db.execute(sql`
    select actor, org_id as org, via, action, status_code as status from keyferry.audit_log
    where id > ${requestsSince} order by id`);
}

async function latest(): Promise<number> {
  const [row] = await fixture().handle.client`select coalesce(max(id), 0)::int as id
    from keyferry.audit_log`;
  return Number(row?.['id']);
}

it('leaves one row for each change, refused ones included, and none for a look', async () => {
  for (const { method, path, operation } of every.inSafeOrder(every.operations())) {
    const { operationId } = operation;
    const isChange = method !== 'GET' && !isUnrecorded(operationId);
    const ids = await every.createSubjects();
    const since = await latest();
    const { status } = await api.call(method, every.fill(path, operation, ids), {
      body: every.validBody(operationId, ids),
    });
    // As the command line calls it, of whatever destination.
    const action = operationId
      .replace(/\.order$/, '.pause')
      .replace(/^\w+Sync\./, 'sync.')
      .replace('sync.sync', 'sync.run');
    const row = { actor: 'acme-admin', org: 'acme', via: 'api', action, status };
    expect([operationId, await rowsOf(since)]).toEqual([operationId, isChange ? [row] : []]);
  }
}, 120_000);
