/**
 * Generated bodies to every operation of the OpenAPI document: none is answered with 500, what is
 * refused leaves everything as it was, and nothing grows. Seeded: a failure prints the seed and the
 * smallest body. `FUZZ_BODIES` is the number for each operation.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createApiUnderTest, type ApiUnderTest } from '../../integration/server/api-support.ts';
import {
  createOperations,
  place,
  type EveryOperation,
  type Ids,
  type Operations,
} from '../../integration/server/every-operation.ts';
import { bodiesOf, mutated, toText, type Schema } from './generated-bodies.ts';
import { useServer } from '../../integration/server/support.ts';

const numRuns = Number(process.env['FUZZ_BODIES'] ?? 12);
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_126);
/** One body that takes longer hangs the server for everybody. */
const LIMIT_MS = 10_000;
const MAX_GROWTH_BYTES = 32 * 2 ** 20;

describe('generated bodies', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let every: Operations;
  let ids: Ids;
  let requests = 0;
  beforeAll(async () => {
    // Nobody is told to wait.
    api = await createApiUnderTest(fixture(), { now: () => new Date(Date.UTC(2026, 0, 1) + requests * 1_000) });
    every = createOperations(fixture(), api);
    await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secrets: { A: 'a' } } });
    ids = await every.createSubjects();
  }, 60_000);
  afterAll(() => api.close());

  /** Everything that a request can change, but the record of who asked. */
  async function state(): Promise<unknown> {
    const [row] = await fixture().handle.client`
      select (select json_agg(json_build_array(id, version, wanted_revision, updated_at)
        order by id) from keyferry.connections) as connections,
        (select json_agg(json_build_array(id, version, wanted_revision, updated_at, paused_at)
          order by id) from keyferry.syncs) as syncs,
        (select json_agg(json_build_array(id, version, wanted_revision, updated_at, paused_at)
          order by id) from keyferry.rotations) as rotations,
        (select json_agg(json_build_array(folder_id, key, revision) order by folder_id, key)
          from keyferry.secrets) as secrets,
        (select json_agg(json_build_array(id, revision) order by id)
          from keyferry.folders) as folders,
        (select count(*) from keyferry.webhooks)::int as webhooks,
        (select count(*) from keyferry.requests)::int as requests,
        (select count(*) from keyferry.notifications)::int as notifications,
        (select count(*) from keyferry.orgs)::int as orgs`;
    return row;
  }

  async function attempt({ method, path, operation }: EveryOperation, body: unknown): Promise<void> {
    const before = await state();
    const startedAt = performance.now();
    requests += 1;
    const answer = await api.call(method, every.fill(path, operation, ids), { body: toText(body) });
    expect(performance.now() - startedAt).toBeLessThan(LIMIT_MS);
    expect([answer.status < 500, answer.status, answer.status < 400 ? '' : answer.body.message]).toEqual([
      true,
      answer.status,
      answer.status < 400 ? '' : expect.any(String),
    ]);
    if (answer.status >= 400) expect(await state()).toEqual(before);
  }

  const heapBytes = (): number => {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    return process.memoryUsage().heapUsed;
  };

  it('are answered without a 500, and change nothing when they are refused', async () => {
    const withBody = every.operations().filter(({ operation }) => operation.requestBody);
    expect(withBody.length).toBeGreaterThan(15);
    let afterFirst = 0;
    for (const one of withBody) {
      const { requestBody, operationId } = one.operation;
      const schema = requestBody?.content['application/json'].schema as Schema;
      const example = every.validBody(operationId, ids);
      const bodies = fc.oneof(bodiesOf(schema, api.document.components.schemas), mutated(example ?? {}));
      const result = await fc.check(
        fc.asyncProperty(bodies, (body) => attempt(one, body)),
        { seed, numRuns, endOnFailure: true },
      );
      expect([operationId, result.failed ? fc.defaultReportMessage(result) : '']).toEqual([operationId, '']);
      afterFirst ||= heapBytes();
    }
    expect(heapBytes() - afterFirst).toBeLessThan(MAX_GROWTH_BYTES);
    expect(requests).toBeGreaterThanOrEqual(withBody.length * numRuns);
  }, 600_000);
});
