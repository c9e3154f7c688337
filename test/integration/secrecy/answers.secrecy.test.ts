/**
 * No answer of the API, page, board or metric holds a value that went in, wherever in a request it
 * stood.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { expectNoCanary, type Place } from '../../support/canaries.ts';
import { createApiUnderTest, type ApiUnderTest } from '../server/api-support.ts';
import { createOperations, place, type Operations } from '../server/every-operation.ts';
import { uniqueName, useServer } from '../server/support.ts';

const fixture = useServer(undefined);
let api: ApiUnderTest;
let every: Operations;
let url: string;
beforeAll(async () => {
  api = await createApiUnderTest(fixture());
  every = createOperations(fixture(), api);
  url = await fixture().start();
  await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secrets: { A: value } } });
});
afterAll(() => api.close());

const canary = (way: string) => `canary~${way}~9f3b/27+c1?é`;
const value = canary('value');
const inKey = canary('in the place of a key');
const secretAccessKey = `canary/access+key${'s'.repeat(23)}`;
const inUrl = 'canary-path-9f3b27c1';
const credentials = { accessKeyId: 'AKIAEXAMPLE000000009', secretAccessKey };

const sent: Readonly<Record<string, readonly unknown[]>> = {
  'secrets.set': [
    { ...place, secrets: { A: value, B: `${value}\n` } },
    { ...place, secrets: { A: [value], B: { value } } },
    { ...place, secrets: { 'bad key': value, [inKey]: value } },
    { ...place, secrets: { A: value + 'x'.repeat(99_999) } },
    { ...place, secrets: value },
    { ...place, secrets: { A: `${value}\u0000` } },
    { ...place, secrets: [{ key: 'A', value }] },
  ],
  'connection.create': [
    { name: uniqueName('key'), method: 'access-key', credentials },
    { name: uniqueName('key'), method: 'access-key', credentials: { ...credentials, accessKeyId: 'x' } },
    { name: uniqueName('key'), method: 'access-key', credentials: { ...credentials, secretAccessKey: value } },
    { name: uniqueName('key'), method: 'access-key', credentials: { ...credentials, secretAccessKey: [value] } },
    { name: uniqueName('key'), method: 'assume-role', credentials },
    { name: uniqueName('key'), method: value, credentials },
  ],
  'webhook.create': [
    { name: uniqueName('w'), url: `https://hooks.example.com/${inUrl}` },
    { name: uniqueName('w'), url: `https://127.0.0.1/${inUrl}` },
    { name: uniqueName('w'), url: `http://user:${inUrl}@hooks.example.com/` },
  ],
};

test('answers to every operation, before and after values went in', async ({ task }) => {
  const places: Place[] = [];
  const call = async (method: string, path: string, body?: unknown) => {
    const { body: answer, headers } = await api.call(method, path, { body });
    const text = JSON.stringify([answer, [...headers]]);
    places.push({ name: `answer ${String(places.length)} of ${method} ${path.split('?')[0] ?? ''}`, text });
  };
  for (const { method, path, operation } of every.operations())
    for (const body of sent[operation.operationId] ?? [])
      await call(method, every.fill(path, operation, await every.createSubjects()), body);
  const [folder] = await fixture().handle.client`select 1 from keyferry.secrets where key = 'B'`;
  expect(folder).toBeDefined();

  for (const { method, path, operation } of every.inSafeOrder(every.operations())) {
    const ids = await every.createSubjects();
    const body = every.validBody(operation.operationId, ids);
    await call(method, every.fill(path, operation, ids), body);
    if (body === undefined) continue;
    // A value where another thing belongs, such as after a wrong paste.
    await call(method, every.fill(path, operation, ids), { ...body, secrets: { A: [value] }, credentials });
    await call(method, every.fill(path, operation, ids), `{"secrets": {"A": ${JSON.stringify(value)}`);
  }
  expect(places.length).toBeGreaterThan(every.operations().length + 15);
  expectNoCanary(task, [value, inKey, secretAccessKey, inUrl], [...places, ...(await pages())]);
}, 120_000);

/** Of every object that there is. */
async function pages(): Promise<readonly Place[]> {
  const { client } = fixture().handle;
  const found = await client<{ path: string }[]>`
    select '/connections/' || id as path from keyferry.connections
    union all select '/syncs/' || id from keyferry.syncs
    union all select '/rotations/' || id from keyferry.rotations limit 60`;
  await fixture().backend.queue('sync').add('sync', { syncId: randomUUID(), note: value });
  const lists = ['/', '/connections', '/syncs', '/rotations', '/metrics', '/readyz', '/board'];
  const board = ['validate', 'sync', 'rotate'].map((queue) => `/board/api/queues?activeQueue=${queue}&status=latest`);
  return Promise.all(
    [...lists, ...board, ...found.map(({ path }) => path)].map(async (path) => {
      const answer = await fetch(`${url}${path}`);
      return { name: `page ${path}`, text: `${String([...answer.headers])}${await answer.text()}` };
    }),
  );
}
