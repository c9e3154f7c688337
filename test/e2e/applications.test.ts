/**
 * What an application does that has no Node: the whole life of a sync over HTTP, against worker and
 * server as processes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ACCOUNT, startInstallation, type Installation } from './support/installation.ts';

const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
const PARAMETER = { accountId: ACCOUNT, region: 'eu-west-1', name: '/shop/prod/DB_HOST' };
const SYNCS = '/api/v1/secret-syncs/aws-parameter-store';

interface Body {
  readonly appConnection: { id: string; status: string; checks: { name: string; verdict: string }[] };
  readonly secretSync: { id: string; syncStatus: string };
  readonly run: { status: string; result: { changes: { action: string; key: string }[] } } | null;
}

describe('an application over HTTP', () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await startInstallation();
    installation.trust('acme');
  }, 120_000);
  afterAll(async () => {
    await installation.stop();
  }, 60_000);

  async function call(method: string, path: string, body?: unknown): Promise<Body> {
    const answer = await fetch(`${installation.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${installation.tokenOf('acme')}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    expect([path, answer.status, answer.ok ? '' : text]).toEqual([path, 200, '']);
    return JSON.parse(text) as Body;
  }

  it('connects, plans, syncs, and takes everything away again', async () => {
    const created = await call('POST', '/api/v1/app-connections/aws?wait=20', {
      name: 'prod-aws',
      region: 'eu-west-1',
      method: 'assume-role',
      credentials: { roleArn: `arn:aws:iam::${ACCOUNT}:role/keyferry` },
    });
    expect([created.run?.status, created.appConnection.status]).toEqual(['succeeded', 'valid']);

    await call('PUT', '/api/v1/folders/secrets', { ...place, secrets: { DB_HOST: 'db.internal.example' } });
    const { secretSync } = await call('POST', SYNCS, {
      name: 'api',
      ...place,
      connectionId: created.appConnection.id,
      isAutoSyncEnabled: false,
      destinationConfig: { region: 'eu-west-1', path: '/shop/prod/' },
    });
    const planned = await call('POST', `${SYNCS}/${secretSync.id}/plan?wait=20`);
    expect(planned.run?.result.changes).toMatchObject([{ action: 'create', key: 'DB_HOST' }]);
    const synced = await call('POST', `${SYNCS}/${secretSync.id}/sync-secrets?wait=20`);
    expect([synced.run?.status, synced.secretSync.syncStatus]).toEqual(['succeeded', 'succeeded']);
    expect(installation.sandbox.inspect.parameter(PARAMETER)).toMatchObject({ value: 'db.internal.example' });

    await call('DELETE', `${SYNCS}/${secretSync.id}?removeSecrets=true`);
    expect(installation.sandbox.inspect.parameter(PARAMETER)).toBeUndefined();
    await call('DELETE', `/api/v1/app-connections/aws/${created.appConnection.id}`);
  }, 120_000);
});
