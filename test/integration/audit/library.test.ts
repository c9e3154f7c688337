/**
 * Every method of the library that changes something leaves one row with who did it. A new method
 * joins by the types, or this file does not compile.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { clientActions } from '../../../src/client/audit.ts';
import { createClient } from '../../../src/client/client.ts';
import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { connect } from '../../../src/index.ts';
import { openStores, type OpenStores } from '../../../src/stores.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { createSubjects, latestId, newRotation, newSync, ORG, roleArn, rowsSince, type Subjects } from './subjects.ts';
import type { Client } from '../../../src/client/types/client.ts';

const database = useTestDatabase();
let stores: OpenStores;
beforeAll(() => {
  stores = openStores({
    databaseUrl: database().url,
    encryptionKeys: [{ id: 'test', key: Buffer.alloc(32, 7) }],
  });
});
afterAll(() => stores.close());

type Change = (client: Client, subjects: Subjects) => Promise<unknown>;
type Actions = typeof clientActions;
type Changes = {
  readonly [N in keyof Actions]: {
    readonly [M in keyof Actions[N] as Actions[N][M] extends null ? never : M]: Change;
  };
};

/** Nobody works here, so that waiting ends at once. */
const wait = { timeoutMs: 1 };
const settings = { kind: 'http', url: 'https://other.example.com/', token: null } as const;

const changes: Changes = {
  connections: {
    create: (client, { unique }) =>
      client.connections.create({ name: `${unique}-x`, credentials: { method: 'assume-role', roleArn } }),
    createValidated: (client, { unique }) =>
      client.connections.createValidated(
        { name: `${unique}-x`, credentials: { method: 'assume-role', roleArn } },
        wait,
      ),
    update: (client, { connection }) => client.connections.update(connection, { description: 'changed' }),
    requestValidation: (client, { connection }) => client.connections.requestValidation(connection),
    validate: (client, { connection }) => client.connections.validate(connection, wait),
    delete: async (client, { unique }) => {
      const { connection } = await createClient(stores, { orgId: ORG }).connections.create({
        name: `${unique}-lone`,
        credentials: { method: 'assume-role', roleArn },
      });
      await client.connections.delete(connection.id);
    },
  },
  secrets: {
    set: (client, { place }) => client.secrets.set(place, { values: { A: 'b' } }),
    unset: (client, { place }) => client.secrets.unset(place, ['A']),
  },
  sources: {
    set: (client, { sourced }) => client.sources.set(sourced, settings),
    unset: (client, { sourced }) => client.sources.unset(sourced),
    request: (client, { sourced }) => client.sources.request(sourced),
    run: (client, { sourced }) => client.sources.run(sourced, {}, wait),
  },
  syncs: {
    create: (client, { unique, connection, place }) =>
      client.syncs.create(newSync(`${unique}-x`, { connection, place })),
    update: (client, { sync }) => client.syncs.update(sync, { description: 'changed' }),
    request: (client, { sync }) => client.syncs.request('check', sync),
    run: (client, { sync }) => client.syncs.run(sync, wait),
    acceptDestination: (client, { sync }) => client.syncs.acceptDestination(sync, wait),
    plan: (client, { sync }) => client.syncs.plan(sync, wait),
    check: (client, { sync }) => client.syncs.check(sync, wait),
    import: (client, { sync }) => client.syncs.import(sync, 'prioritize-source', wait),
    remove: (client, { sync }) => client.syncs.remove(sync, wait),
    pause: (client, { sync }) => client.syncs.pause(sync),
    resume: (client, { sync }) => client.syncs.resume(sync),
    cancel: (client, { sync }) => client.syncs.cancel(sync),
    deleteWithSecrets: (client, { sync }) => client.syncs.deleteWithSecrets(sync, wait),
    delete: (client, { sync }) => client.syncs.delete(sync),
  },
  rotations: {
    create: (client, { unique, connection }) => client.rotations.create(newRotation(`${unique}-x`, connection)),
    update: (client, { rotation }) => client.rotations.update(rotation, { description: 'changed' }),
    request: (client, { rotation }) => client.rotations.request(rotation),
    run: (client, { rotation }) => client.rotations.run(rotation, wait),
    pause: (client, { rotation }) => client.rotations.pause(rotation),
    resume: (client, { rotation }) => client.rotations.resume(rotation),
    cancel: (client, { rotation }) => client.rotations.cancel(rotation),
    reactivate: (client, { rotation }) => client.rotations.reactivate(rotation),
    revokeKeys: (client, { rotation }) => client.rotations.revokeKeys(rotation),
    adoptKey: (client, { rotation }) =>
      client.rotations.adoptKey(rotation, { accessKeyId: 'AKIAEXAMPLE000000001', secretAccessKey: 'x'.repeat(40) }),
    delete: (client, { rotation }) => client.rotations.delete(rotation),
  },
  webhooks: {
    create: (client, { unique }) =>
      client.webhooks.create({ name: `${unique}-x`, url: 'https://hooks.example.com/other' }),
    delete: (client, { webhook }) => client.webhooks.delete(webhook),
    test: (client, { webhook }) => client.webhooks.test(webhook),
    replay: (client, { webhook }) => client.webhooks.replay(webhook),
  },
  history: {},
  runs: {},
};

/** Refused in the state of the scene: a refused attempt leaves its row, too. */
const refused: Readonly<Record<string, number>> = { 'rotations.cancel': 409, 'rotations.adoptKey': 409 };

const cases = Object.entries(changes).flatMap(([noun, methods]) =>
  Object.entries<Change>(methods).map(([method, change]) => ({ name: `${noun}.${method}`, noun, method, change })),
);

test.each(cases)('$name leaves one row with who did it', async ({ name, noun, method, change }) => {
  const subjects = await createSubjects(stores);
  const client = createClient(stores, { orgId: ORG, name: 'ann' }, { audit: { log: stores.audit, via: 'library' } });
  const since = await latestId(stores);
  await change(client, subjects).catch(() => undefined);

  const action = (clientActions as Readonly<Record<string, Readonly<Record<string, unknown>>>>)[noun]?.[method];
  const rows = await rowsSince(stores, since);
  expect(rows).toEqual([
    {
      orgId: ORG,
      actor: 'ann',
      via: 'library',
      action: typeof action === 'string' ? action : 'sync.check',
      subject: expect.stringMatching(/^[\w./-]+$/),
      statusCode: refused[name] ?? expect.toSatisfy((code: number) => [200, 202].includes(code)),
    },
  ]);
});

test('every method of the client is listed, and looking leaves no row', async () => {
  const audit = { log: stores.audit, via: 'library' } as const;
  const client = createClient(stores, { orgId: ORG, name: 'ann' }, { audit });
  const { orgId: _, ...parts } = client;
  for (const [noun, methods] of Object.entries(parts))
    expect([noun, Object.keys(methods)]).toEqual([noun, Object.keys(clientActions[noun as keyof Actions])]);
  const { connection, sync, rotation, webhook, place, sourced } = await createSubjects(stores);
  const since = await latestId(stores);
  await client.connections.get(connection);
  await client.connections.dependents(connection);
  await client.syncs.get(sync);
  await client.rotations.timeline(rotation);
  await client.webhooks.deliveries(webhook);
  await client.secrets.list(place);
  await client.sources.show(sourced);
  await client.history.audit();
  expect(await rowsSince(stores, since)).toEqual([]);
});

test('an application that imports the library is recorded by the name that it gives', async () => {
  const encryptionKeys = generateEncryptionKey();
  const keyferry = await connect({ databaseUrl: database().url, encryptionKeys, org: ORG, actor: 'shop-backend' });
  const since = await latestId(stores);
  const place = { projectId: 'shop', environment: 'prod', secretPath: '/library' };
  await keyferry.secrets.set(place, { values: { A: 'a' } });
  await keyferry.as({ actor: 'bob' }).secrets.unset(place, ['A']);
  await keyferry.close();
  expect(await rowsSince(stores, since)).toMatchObject([
    { actor: 'shop-backend', via: 'library', action: 'secrets.set' },
    { actor: 'bob', via: 'library', action: 'secrets.unset' },
  ]);
});

test('a change that cannot be recorded is not made', async () => {
  const { place } = await createSubjects(stores);
  const log = { record: () => Promise.reject(new Error('no trail')), settle: () => Promise.resolve() };
  const client = createClient(stores, { orgId: ORG }, { audit: { log, via: 'library' } });
  const before = await client.secrets.revision(place);
  await expect(client.secrets.set(place, { values: { A: 'changed' } })).rejects.toThrow('no trail');
  expect(await client.secrets.revision(place)).toBe(before);
});
