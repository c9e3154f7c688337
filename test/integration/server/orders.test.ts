/**
 * What operators order over HTTP: the same as the CLI's pause, resume, check, cancel, reactivate,
 * emergency.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createApiUnderTest, type ApiUnderTest } from './api-support.ts';
import { createOperations, type Ids } from './every-operation.ts';
import { useServer } from './support.ts';

const ROTATIONS = '/api/v2/secret-rotations/aws-iam-user-secret';

describe('orders of the API', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let ids: Ids;
  let sync: string;
  let rotation: string;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
    const operations = createOperations(fixture(), api);
    const { call } = api;
    await call('PUT', '/api/v1/folders/secrets', {
      body: { projectId: 'shop', environment: 'prod', secretPath: '/api', secrets: { A: 'a' } },
    });
    ids = await operations.createSubjects();
    sync = `/api/v1/secret-syncs/aws-parameter-store/${ids.syncId['aws-parameter-store'] ?? ''}`;
    rotation = `${ROTATIONS}/${ids.rotationId}`;
  });
  afterAll(async () => {
    await api.close();
  });

  it('pause and resume syncs and rotations', async () => {
    const paused = await api.call('POST', `${sync}/pause`, { scope: 'write' });
    expect([paused.status, paused.body.secretSync.isPaused, paused.body.run]).toEqual([200, true, null]);
    const resumed = await api.call('POST', `${sync}/resume`, { scope: 'write' });
    expect(resumed.body.secretSync.isPaused).toBe(false);
    for (const [order, isPaused] of [
      ['pause', true],
      ['resume', false],
    ] as const) {
      const { status, body } = await api.call('POST', `${rotation}/${order}`, { scope: 'write' });
      expect([status, body.secretRotation.isPaused]).toEqual([200, isPaused]);
    }
  });

  it('record a check, and cancel it', async () => {
    const checked = await api.call('POST', `${sync}/check`, { scope: 'write' });
    expect([checked.status, checked.body.runRequestId]).toEqual([200, expect.stringMatching(/^[\da-f-]{36}$/)]);
    const cancelled = await api.call('POST', `${sync}/cancel`, { scope: 'write' });
    expect(cancelled.body.secretSync).toMatchObject({ status: 'cancelled', syncStatus: 'failed', isPaused: true });
    const [request] = await fixture().handle
      .client`select status from keyferry.requests where id = ${checked.body.runRequestId}`;
    expect(request).toEqual({ status: 'cancelled' });
    const again = await api.call('POST', `${sync}/cancel`, { scope: 'write' });
    expect([again.status, again.body.error]).toEqual([409, 'SYNC_NOTHING_TO_CANCEL']);
  });

  it('take every field that a message advises', async () => {
    const parametersOf = async (path: string) => {
      const { status, body } = await api.call('POST', path, { scope: 'write' });
      const [request] = await fixture().handle.client`
        select kind, parameters from keyferry.requests where id = ${body.runRequestId ?? null}`;
      return [status, request ?? String(body.message)];
    };
    expect(await parametersOf(`${sync}/sync-secrets?acceptSource=true&confirmDeletions=2`)).toEqual([
      200,
      { kind: 'sync', parameters: { acceptSource: true, confirmDeletions: 2 } },
    ]);
    expect(await parametersOf(`${sync}/sync-secrets?acceptDestination=true`)).toEqual([
      200,
      { kind: 'import', parameters: { acceptDestination: true } },
    ]);
    expect(await parametersOf(`${sync}/sync-secrets?acceptDestination=true&acceptSource=true`)).toEqual([
      422,
      'acceptDestination changes nothing at AWS: send it without acceptSource and confirmDeletions.',
    ]);
    expect(await parametersOf(`${rotation}/rotate-secrets?skipSync=nobody`)).toEqual([
      404,
      expect.stringContaining('nobody'),
    ]);
  });

  it('hand over the key in use, in a request of its own', async () => {
    const adoptKey = { accessKeyId: 'AKIAIOSFODNN7ADOPTED', secretAccessKey: 'k'.repeat(40) };
    const both = await api.call('PATCH', rotation, { body: { adoptKey, description: 'x' } });
    expect([both.status, both.body.message]).toEqual([422, expect.stringContaining('adoptKey must be sent alone')]);
    const stale = await api.call('PATCH', rotation, { body: { adoptKey }, headers: { 'if-match': '"999"' } });
    expect(stale.status).toBe(412);
    const adopted = await api.call('PATCH', rotation, { body: { adoptKey } });
    expect([adopted.status, adopted.body.secretRotation.activeAccessKeyId]).toEqual([200, adoptKey.accessKeyId]);
    expect(JSON.stringify(adopted.body)).not.toContain(adoptKey.secretAccessKey);
  });

  it('ask more of whoever takes away a key', async () => {
    const denied = await api.call('POST', `${rotation}/emergency`, { scope: 'write' });
    expect(denied.status).toBe(403);
    const unconfirmed = await api.call('POST', `${rotation}/emergency?revokeNow=yes`, { scope: 'admin' });
    expect([unconfirmed.status, unconfirmed.body.message]).toEqual([422, expect.stringContaining('own name')]);
    const rotated = await api.call('POST', `${rotation}/emergency`, { scope: 'admin' });
    expect([rotated.status, rotated.body.runRequestId]).toEqual([200, expect.any(String)]);
    const reactivated = await api.call('POST', `${rotation}/reactivate`, { scope: 'write' });
    expect([reactivated.status, reactivated.body.error]).toEqual([409, 'KEY_ROTATION_BUSY']);
  });

  it('are on record by their own names', async () => {
    const rows = await fixture().handle.client`select distinct action from keyferry.audit_log`;
    expect(rows.map(({ action }) => String(action))).toEqual(
      expect.arrayContaining(['sync.pause', 'sync.cancel', 'rotation.emergency']),
    );
  });

  it('name those that exist for one that does not', async () => {
    const { status, body } = await api.call('POST', `${sync}/stop`);
    expect([status, body.message]).toEqual([422, expect.stringContaining('cancel')]);
  });
});
