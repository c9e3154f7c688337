/** What an org looks back on over HTTP, and query parameters that do not exist. */
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createLiveWorkers } from '../../../src/db/live-workers.ts';
import { createRequests } from '../../../src/db/requests.ts';
import { createApiUnderTest, type ApiUnderTest } from './api-support.ts';
import { createOperations, type Ids } from './every-operation.ts';
import { useServer } from './support.ts';

describe('the history of an org', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let ids: Ids;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
    await api.call('PUT', '/api/v1/folders/secrets', {
      body: { projectId: 'shop', environment: 'prod', secretPath: '/api', secrets: { A: 'a', B: 'b' } },
    });
    ids = await createOperations(fixture(), api).createSubjects();
    const { client } = fixture().handle;
    const syncId = ids.syncId['aws-parameter-store'] ?? '';
    await client`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, status,
      started_at, progress, aws_calls) values
      ('sync', ${syncId}, 'acme', 1, 'changed', 'succeeded', now() - interval '5 min', null,
        '{"ssm.PutParameter": 1}'),
      ('sync', ${syncId}, 'acme', 1, 'changed', 'continued', now() - interval '3 min', null,
        '{"ssm.PutParameter": 50}'),
      ('plan', ${syncId}, 'acme', 1, 'requested', 'succeeded', now() - interval '150 s', null,
        '{}'),
      ('sync', ${syncId}, 'acme', 1, 'changed', 'continued', now() - interval '2 min',
        '{"done": 100, "total": 400, "perSecond": 2, "secondsLeft": 150}',
        '{"ssm.PutParameter": 50}'),
      ('sync', ${syncId}, 'acme', 1, 'changed', 'running', now() - interval '1 min', null,
        '{"ssm.PutParameter": 7}')`;
  });
  afterAll(async () => {
    await api.close();
  });

  it('lists runs across subjects, a run in slices once, with its progress', async () => {
    const { status, body } = await api.call('GET', '/api/v1/runs?kind=sync');
    expect(status).toBe(200);
    expect(body.runs).toMatchObject([
      {
        status: 'running',
        progress: { done: 100, total: 400, perSecond: 2, secondsLeft: 150 },
        awsCalls: { 'ssm.PutParameter': 107 },
      },
      { status: 'succeeded', awsCalls: { 'ssm.PutParameter': 1 } },
    ]);
    const ofSubject = await api.call('GET', `/api/v1/runs?subjectId=${ids.syncId['aws-parameter-store'] ?? ''}`);
    expect(ofSubject.body.runs).toMatchObject([
      { kind: 'sync', status: 'running', slices: [{}, {}, { finishedAt: null }] },
      { kind: 'plan', status: 'succeeded', slices: [] },
      { kind: 'sync', status: 'succeeded', slices: [] },
    ]);
    const continued = await api.call('GET', '/api/v1/runs?status=continued');
    expect(continued.body.runs).toEqual([]);
    const ofOthers = await api.call('GET', '/api/v1/runs', { org: 'globex' });
    expect(ofOthers.body.runs).toEqual([]);
  });

  it('shows on the page of the sync how far it has come, and its slices as one run', async () => {
    const answer = await fetch(`${await fixture().start()}/syncs/${ids.syncId['aws-parameter-store'] ?? ''}`);
    const text = (await answer.text()).replace(/\s+/g, ' ');
    expect(text).toContain('<progress max="400" value="100" aria-label="Progress">');
    expect(text).toContain('100 of 400 written, 2 a second, about 2 min left');
    expect(text).toContain('in 3 slices');
    expect(text).not.toContain('continued');
  });

  it('says of a run whose worker was killed that it stands still, instead of how long it still takes', async () => {
    const { client } = fixture().handle;
    const syncId = ids.syncId['aws-parameter-store'] ?? '';
    await client`update keyferry.syncs set run_lease_until = now() - interval '1 s'
      where id = ${syncId}`;
    const { body } = await api.call('GET', `/api/v1/runs?subjectId=${syncId}&limit=1`);
    expect(body.runs).toMatchObject([
      {
        ...{ status: 'running', errorMessage: expect.stringContaining('Its worker does not answer') as unknown },
        progress: { done: 100, total: 400, perSecond: null, secondsLeft: null },
      },
    ]);
    const page = await (await fetch(`${await fixture().start()}/syncs/${syncId}`)).text();
    expect(page).toContain('Its worker does not answer');
    expect(page).not.toContain('min left');
    await client`update keyferry.syncs set run_lease_until = now() + interval '1 min'
      where id = ${syncId}`;
    const alive = await api.call('GET', `/api/v1/runs?subjectId=${syncId}&limit=1`);
    expect(alive.body.runs).toMatchObject([{ errorMessage: null, progress: { secondsLeft: 150 } }]);
  });

  it('answers who waits with the calls of all slices, as its list does', async () => {
    const { client, db } = fixture().handle;
    const syncId = ids.syncId['aws-secrets-manager'] ?? '';
    const requests = createRequests(db);
    const requestId = await requests.open({ ...{ orgId: 'acme', kind: 'sync', subjectId: syncId }, actor: null });
    const [last] = await client`insert into keyferry.runs (kind, subject_id, org_id, attempt,
      reason, status,
        started_at, aws_calls) values
      ('sync', ${syncId}, 'acme', 1, 'requested', 'continued', now(), '{"ssm.PutParameter": 50}'),
      ('sync', ${syncId}, 'acme', 1, 'requested', 'succeeded', now() + interval '1 s',
        '{"ssm.PutParameter": 7}')
      returning id, status`.then((rows) => rows.filter(({ status }) => status === 'succeeded'));
    await client`update keyferry.requests set done_at = now(), run_id = ${String(last?.['id'])}
      where id = ${requestId}`;
    expect((await requests.progress(requestId)).run?.awsCalls).toEqual({ 'ssm.PutParameter': 57 });
  });

  it('lists folders with what they hold, and the changes of the org', async () => {
    const { body } = await api.call('GET', '/api/v1/folders?projectId=shop');
    expect(body.folders).toContainEqual(
      expect.objectContaining({ projectId: 'shop', environment: 'prod', secretPath: '/api', secrets: 2, syncs: 2 }),
    );
    const audit = await api.call('GET', '/api/v1/audit');
    expect(audit.body.changes).toContainEqual(
      expect.objectContaining({ action: 'secrets.set', actor: 'acme-admin', via: 'api', statusCode: 200 }),
    );
    expect((await api.call('GET', '/api/v1/audit', { org: 'globex' })).body.changes).toEqual([]);
  });

  it('shows the workers to who administers the org, and to others whether any is running', async () => {
    const read = async (scope?: 'read'): Promise<unknown> =>
      (await api.call('GET', '/api/v1/workers', scope ? { scope } : {})).body;
    expect(await read()).toEqual({ areRunning: false, lastSeenAt: null, workers: [] });
    const report = { name: 'host-1', version: '1.2.3', queues: ['sync'], running: { sync: 2 } } as const;
    await createLiveWorkers(fixture().handle.db).report(randomUUID(), report);
    expect(await read()).toMatchObject({
      areRunning: true,
      workers: [{ ...report, state: 'running', startedAt: expect.stringMatching(/Z$/) as unknown }],
    });
    expect(await read('read')).toMatchObject({ areRunning: true, workers: null });
  });

  it('refuses unknown query parameters, and names the near miss', async () => {
    const sync = `/api/v1/secret-syncs/aws-parameter-store/${ids.syncId['aws-parameter-store'] ?? ''}`;
    const misspelt = await api.call('DELETE', `${sync}?removeSecret=true`);
    expect([misspelt.status, misspelt.body.message]).toEqual([
      422,
      'removeSecret is not a query parameter of this operation, but removeSecrets is.',
    ]);
    expect((await api.call('GET', sync)).status).toBe(200);
    const listed = await api.call('GET', '/api/v1/secret-syncs/aws-parameter-store?projectID=shop');
    expect([listed.status, listed.body.message]).toEqual([422, expect.stringContaining('but projectId is')]);
    expect((await api.call('GET', `${sync}?x=1`)).status).toBe(422);
  });
});
