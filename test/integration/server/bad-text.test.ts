/**
 * Text that PostgreSQL cannot hold: refused on every way in, and never another caller's failure.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { createClient } from '../../../src/client/client.ts';
import { createAuditLog } from '../../../src/db/audit-log.ts';
import { createConnectionStatus } from '../../../src/db/connection-status.ts';
import type { SyncEntries } from '../../../src/db/sync/entries.ts';
import type { LedgerEntry } from '../../../src/domain/sync/ledger.ts';
import { openStores } from '../../../src/stores.ts';
import { createLedger } from '../../../src/workers/sync/ledger.ts';
import { assumeRole, createApiUnderTest, type ApiUnderTest } from './api-support.ts';
import { createOperations, type Operations, place } from './every-operation.ts';
import { uniqueName, useServer } from './support.ts';

const CONNECTIONS = '/api/v1/app-connections/aws';

describe('text that cannot be stored', () => {
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

  it('in one tenant’s path fails no change of another tenant', async () => {
    const changes = Array.from({ length: 40 }, (_, index) =>
      index % 2 === 0
        ? api.call('DELETE', `${CONNECTIONS}/%00`, { org: 'globex' })
        : api.call('POST', CONNECTIONS, { body: assumeRole(uniqueName('c')) }),
    );
    const answers = await Promise.all(changes);
    expect(new Set(answers.filter((_, index) => index % 2 === 0).map(({ status }) => status))).toEqual(new Set([422]));
    const created = answers.filter((_, index) => index % 2 === 1);
    expect(created.map(({ status }) => status)).toEqual(Array<number>(20).fill(200));
    const ids = `{${created.map(({ body }) => body.appConnection.id as string).join(',')}}`;
    const audited = await fixture().handle
      .client`select status_code from keyferry.audit_log where subject = any(${ids}::text[])`;
    expect(audited.map((row) => row.status_code as number)).toEqual(Array<number>(20).fill(200));
  });

  it('is refused by every operation, in its path, its query and its body', async () => {
    const ids = await every.createSubjects();
    for (const { method, path, operation } of every.operations()) {
      const body = every.validBody(operation.operationId, ids);
      const inQuery = await api.call(method, `${every.fill(path, operation, ids)}&projectId=a%00`, { body });
      expect([operation.operationId, inQuery.status]).toEqual([operation.operationId, 422]);
      const [parameter] = /\{\w+\}/.exec(path) ?? [];
      if (parameter !== undefined) {
        const filled = every.fill(path.replace(parameter, '%00'), operation, ids);
        expect([operation.operationId, (await api.call(method, filled, { body })).status]).toEqual([
          operation.operationId,
          422,
        ]);
      }
      for (const [field, value] of Object.entries(body ?? {})) {
        if (typeof value !== 'string') continue;
        const bad = { ...(body as object), [field]: `${value}\u0000` };
        const answer = await api.call(method, every.fill(path, operation, ids), { body: bad });
        expect([operation.operationId, field, answer.status]).toEqual([operation.operationId, field, 422]);
      }
    }
  });

  it('and so is a name that objects of the language lose, however it is spelt', async () => {
    const before = await api.call('GET', `/api/v1/folders?projectId=${place.projectId}`);
    for (const secrets of ['{"__proto__":"x"}', '{"A":"changed","\\u005f_proto__":"x"}']) {
      const body = `{"secrets":${secrets},${JSON.stringify(place).slice(1)}`;
      const answer = await api.call('PUT', '/api/v1/folders/secrets', { body });
      expect([answer.status, answer.body.message]).toEqual([422, expect.stringContaining('holds the name __proto__')]);
    }
    const after = await api.call('GET', `/api/v1/folders?projectId=${place.projectId}`);
    expect(after.body.folders).toEqual(before.body.folders);
  });

  it.each([
    ['no UTF-8', Buffer.from('{"secrets":{"A":"\xff"}', 'latin1'), 'not valid UTF-8'],
    ['a secret twice', Buffer.from('{"secrets":{"A":"one","B":"b","\\u0041":"two"}'), 'names A more than once'],
    ['a field twice', Buffer.from('{"secrets":{"A":"one"},"secrets":{"B":"two"}'), 'names secrets more than once'],
  ])('and so is a body with %s, of which a part would be lost', async (_name, start, message) => {
    const before = await api.call('GET', `/api/v1/folders?projectId=${place.projectId}`);
    const body = Buffer.concat([start, Buffer.from(`,${JSON.stringify(place).slice(1)}`)]);
    const answer = await api.call('PUT', '/api/v1/folders/secrets', { body });
    expect([answer.status, answer.body.message]).toEqual([422, expect.stringContaining(message)]);
    const after = await api.call('GET', `/api/v1/folders?projectId=${place.projectId}`);
    expect(after.body.folders).toEqual(before.body.folders);
  });

  it('is refused by every method of the library, before anything begins', async () => {
    const stores = openStores({
      databaseUrl: fixture().database.url,
      encryptionKeys: [{ id: 'k', key: Buffer.alloc(32) }],
    });
    onTestFinished(() => stores.close());
    const client = createClient(stores, { orgId: 'acme', name: 'test' });
    const nouns = Object.entries(client).filter(([, part]) => typeof part === 'object');
    const parts = Object.fromEntries(nouns) as unknown as Record<
      string,
      Record<string, (...input: unknown[]) => Promise<unknown>>
    >;
    const methods = Object.entries(parts).flatMap(([noun, verbs]) =>
      Object.keys(verbs).map((verb) => [noun, verb] as const),
    );
    expect(methods.length).toBeGreaterThan(35);
    for (const [noun, verb] of methods) {
      for (const bad of ['x\u0000', { name: 'x', nested: ['\ud800'] }]) {
        const refusal = await parts[noun]?.[verb]?.(bad).catch((error: unknown) => error);
        expect([noun, verb, refusal]).toEqual([noun, verb, expect.objectContaining({ code: 'PAYLOAD_INVALID' })]);
      }
    }
    expect(() => createClient(stores, { orgId: 'acme', name: 'a\u0000' })).toThrow('cannot be stored');
  });

  it('fails alone among audit rows', async () => {
    const audit = createAuditLog(fixture().handle.db);
    const entry = (subject: string) => ({
      orgId: 'acme',
      actor: 'test',
      via: 'api' as const,
      action: 'connection.update',
      subject,
      requestId: randomUUID(),
    });
    const entries = ['good', 'bad\u0000', 'good too'].map(entry);
    const results = await Promise.allSettled(entries.map((one) => audit.record(one)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const stored = await fixture().handle.client`select subject from keyferry.audit_log
        where request_id
        = any(${`{${entries.map(({ requestId }) => requestId).join(',')}}`}::text[]) order by id`;
    expect(stored.map(({ subject }) => subject as string)).toEqual(['good', 'good too']);
  });

  it('fails alone among the uses of a connection', async () => {
    const { usesOf } = createConnectionStatus(fixture().handle.db);
    const results = await Promise.allSettled([randomUUID(), 'no-uuid', randomUUID()].map(usesOf));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('fails alone among ledger rows', async () => {
    const refuse = (batch: readonly LedgerEntry[]) =>
      batch.some(({ remoteName }) => remoteName === '\u0000')
        ? Promise.reject(new Error('unsupported Unicode escape sequence'))
        : Promise.resolve(new Set(batch.map(({ id }) => id)));
    const entries = {
      claim: (_run: unknown, batch: readonly LedgerEntry[]) => refuse(batch),
      store: (_run: unknown, batch: readonly LedgerEntry[]) => refuse(batch).then(() => undefined),
    } as unknown as SyncEntries;
    const ledger = createLedger(entries, { syncId: randomUUID(), runId: randomUUID() }, []);
    const rows = ['/a', '\u0000', '/b'].map((remoteName) => ({ id: randomUUID(), remoteName }) as LedgerEntry);
    for (const act of [ledger.claim, ledger.store]) {
      const results = await Promise.allSettled(rows.map((row) => act(row)));
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    }
    expect(ledger.all().map(({ remoteName }) => remoteName)).toEqual(['/a', '/b']);
  });
});
