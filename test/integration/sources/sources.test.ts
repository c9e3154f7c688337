/**
 * Folders with a source: who may write them, the brake, rotations, several workers, secrecy,
 * staleness.
 */
import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { createEncryption } from '../../../src/db/encryption.ts';
import { createEncryptionKeys } from '../../../src/db/encryption-keys.ts';
import { createFolders } from '../../../src/db/folders.ts';
import { createHistory } from '../../../src/db/history.ts';
import { createNotifications } from '../../../src/db/notifications.ts';
import { createStatusQueries } from '../../../src/db/status/queries.ts';
import { createSources } from '../../../src/db/sources.ts';
import { createWebhooks } from '../../../src/db/webhooks.ts';
import { newWebhookShape } from '../../../src/domain/webhooks.ts';
import { useStage } from '../../support/use-stage.ts';
import { openHttpSource, type FakeSource } from './fake-sources.ts';
import { codeOf, createSourceWorld, type SourceWorld } from './world.ts';

const stage = useStage();
let fake: FakeSource;
let world: SourceWorld;

const TOKEN = 'canary-token-of-a-source';
beforeEach(async () => {
  fake = await openHttpSource(TOKEN);
  world = await createSourceWorld(stage);
});
afterEach(async () => {
  await fake.server.close();
  await world.db.execute(sql`delete from keyferry.sources`);
});

const setSource = (changed: { readonly everySeconds?: number } = {}) =>
  world.set({ kind: 'http', url: `${fake.server.url}/canary-path`, token: TOKEN, ...changed });
const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`KEY_${String(at)}`, `canary-value-${String(at)}`]));

test('a folder with a source refuses all other changes, and takes them again without it', async () => {
  fake.values = { A: 'a' };
  await setSource();
  await world.pull();
  const refused = { code: 'SECRET_SOURCED' };
  await expect(world.folders.change(world.folder, [{ key: 'B', value: 'b' }], 'merge')).rejects.toMatchObject(refused);
  await expect(world.folders.change(world.folder, [{ key: 'A', value: 'a' }], 'merge')).rejects.toMatchObject(refused);
  await expect(world.folders.change(world.folder, [{ key: 'A', value: null }], 'merge')).rejects.toMatchObject(refused);
  await world.sources.unset(world.folder);
  await world.folders.change(world.folder, [{ key: 'B', value: 'b' }], 'merge');
  expect(await world.values()).toEqual({ A: 'a', B: 'b' });
});

let pending: Promise<string>;
test('a change that began before the source was set does not end after it', async () => {
  const { handle } = stage;
  await handle.client.begin(async (held) => {
    await held`update keyferry.folders set revision = revision where id = ${world.folder.id}`;
    await held`
      insert into keyferry.sources (folder_id, org_id, kind, config, target, every_seconds)
      values (${world.folder.id}, ${world.orgId}, 'http', '{}', 'v1.test.x', 300)`;
    pending = world.folders.change(world.folder, [{ key: 'B', value: 'b' }], 'merge').then(
      () => 'written',
      (error: unknown) => (error as { code: string }).code,
    );
    await untilBlocked(1);
  });
  expect(await pending).toBe('SECRET_SOURCED');
  expect(await world.values()).toEqual({});
});

test('a source that is set after a change has read the folder refuses the change', async () => {
  const { db } = world;
  let isSet = false;
  const meddled = new Proxy(db, {
    get(target, property, receiver) {
      const value: unknown = Reflect.get(target, property, receiver);
      if (property !== 'execute' || isSet) return value;
      return async (statement: ReturnType<typeof sql>) => {
        isSet = true;
        await setSource();
        return target.execute(statement);
      };
    },
  });
  const change = createFolders(meddled, stage.encryption).change(world.folder, [{ key: 'B', value: 'b' }], 'merge');
  await expect(change).rejects.toMatchObject({ code: 'SECRET_SOURCED' });
  expect(await world.values()).toEqual({});
});

async function untilBlocked(count: number): Promise<void> {
  for (;;) {
    const rows = await stage.handle.client`
      select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    if (rows.length >= count) return;
  }
}

test('more deletions than the brake lets through wait for their confirmation', async () => {
  fake.values = many(40);
  await setSource();
  await world.pull();
  fake.values = many(28);
  expect(codeOf(await world.pull())).toBe('succeeded');
  fake.values = many(10);
  expect(codeOf(await world.pull())).toBe('SOURCE_DELETIONS_UNCONFIRMED');
  const { status, statusMessage } = await world.source();
  expect(status).toBe('blocked');
  expect(statusMessage).toContain('run the source of web, prod, /api with `confirmDeletions: 18`');
  fake.values = many(9);
  expect(codeOf(await world.pull(18))).toBe('SOURCE_DELETIONS_UNCONFIRMED');
  expect(codeOf(await world.pull(19))).toBe('succeeded');
  expect(Object.keys(await world.values())).toHaveLength(9);
});

test('many small removals count together until somebody confirms some', async () => {
  fake.values = many(40);
  await setSource();
  await world.pull();
  for (const left of [36, 32, 28]) {
    fake.values = many(left);
    expect(codeOf(await world.pull())).toBe('succeeded');
  }
  fake.values = many(27);
  expect(codeOf(await world.pull())).toBe('SOURCE_DELETIONS_UNCONFIRMED');
  expect((await world.source()).statusMessage).toContain('13 of 40 would go within an hour (12 are gone already)');
  expect(codeOf(await world.pull(1))).toBe('succeeded');
  fake.values = many(20);
  expect(codeOf(await world.pull())).toBe('succeeded');
  // After an hour they are no longer one large step.
  await world.db.execute(
    sql`update keyferry.runs set started_at = started_at - interval '61 minutes'
      where kind = 'pull'`,
  );
  fake.values = many(11);
  expect(codeOf(await world.pull())).toBe('succeeded');
});

test('the history holds pulls that were asked for, changed something or ended otherwise, and no others', async () => {
  fake.values = many(2);
  await setSource();
  await world.pull();
  const scheduled = async () => {
    await world.assign(sql`next_due_at = now()`);
    const claimed = await world.claim();
    if (claimed) await world.newPull()(claimed);
  };
  await scheduled();
  fake.faults = ['denied', 'denied'];
  await scheduled();
  await scheduled();
  await scheduled();
  fake.values = { ...many(1), NEW: 'canary-value' };
  await scheduled();
  const runs = await createHistory(world.db).runs(world.orgId, { kind: 'pull', limit: 10 });
  expect(
    runs.map(({ reason, status, errorCode, counts, subjectName }) => [
      subjectName,
      reason,
      status,
      errorCode,
      counts?.updated,
      counts?.deleted,
    ]),
  ).toEqual([
    ['web/prod/api', 'scheduled', 'succeeded', null, 1, 1],
    ['web/prod/api', 'scheduled', 'succeeded', null, 0, 0],
    ['web/prod/api', 'scheduled', 'failed', 'SOURCE_DENIED', 0, 0],
    ['web/prod/api', 'requested', 'succeeded', null, 2, 0],
  ]);
  expect(runs.every(({ startedAt, finishedAt }) => finishedAt !== null && startedAt <= finishedAt)).toBe(true);
  expect(JSON.stringify(runs)).not.toContain('canary');
});

test('a confirmation counts once', async () => {
  fake.values = many(3);
  await setSource();
  await world.pull();
  fake.values = {};
  await world.pull(2);
  expect((await world.source()).confirmedDeletions).toBeNull();
  expect(codeOf(await world.pull())).toBe('SOURCE_DELETIONS_UNCONFIRMED');
});

test('a worker that dies right after the write of a pull leaves its removals to the brake, and its confirmation used up', async () => {
  fake.values = many(40);
  await setSource();
  await world.pull();
  const dying = async (left: number, confirmed: number | null) => {
    await world.sources.ask(world.folder, confirmed);
    const lease = await world.claim();
    const values = Object.entries(many(left)).map(([key, value]) => ({ key, value }));
    // Nothing follows: the worker is gone.
    if (lease) await world.folders.pullInto(await world.folders.get(world.folder.id), values, { lease, etag: null });
    await world.assign(sql`next_due_at = now(), lease_token = null, lease_until = null`);
  };
  await dying(28, null);
  fake.values = many(27);
  expect(codeOf(await world.pull())).toBe('SOURCE_DELETIONS_UNCONFIRMED');
  await dying(20, 8);
  fake.values = many(12);
  expect(codeOf(await world.pull())).toBe('succeeded');
  await dying(4, 8);
  expect((await world.source()).confirmedDeletions).toBeNull();
});

test('the first pull with new settings removes nothing unasked', async () => {
  await world.folders.change(world.folder, [{ key: 'BY_HAND', value: 'x' }], 'merge');
  fake.values = { A: 'a' };
  await setSource();
  expect(codeOf(await world.pull())).toBe('SOURCE_DELETIONS_UNCONFIRMED');
  expect(await world.values()).toEqual({ BY_HAND: 'x' });
  expect(codeOf(await world.pull(1))).toBe('succeeded');
  expect(await world.values()).toEqual({ A: 'a' });
});

test('keys of a rotation are left to it, and reported', async () => {
  await world.folders.change(world.folder, [{ key: 'AWS_ACCESS_KEY_ID', value: 'of the rotation' }], 'merge');
  await world.manage('AWS_ACCESS_KEY_ID');
  fake.values = { AWS_ACCESS_KEY_ID: 'of the source', A: 'a' };
  await setSource();
  expect(codeOf(await world.pull())).toBe('succeeded');
  expect(await world.values()).toEqual({ AWS_ACCESS_KEY_ID: 'of the rotation', A: 'a' });
  expect((await world.source()).skippedKeys).toEqual(['AWS_ACCESS_KEY_ID']);
});

test('a folder that somebody else changed is compared again, whatever the ETag', async () => {
  fake.values = { A: 'a', B: 'b' };
  await setSource();
  await world.pull();
  await world.db.execute(sql`
    with gone as (delete from keyferry.secrets where folder_id = ${world.folder.id} and key = 'B')
    update keyferry.folders set revision = revision + 1 where id = ${world.folder.id}`);
  await world.pull();
  expect(await world.values()).toEqual({ A: 'a', B: 'b' });
});

test('two workers at once read a source once', async () => {
  fake.values = { A: 'a' };
  await setSource();
  const dispatched = await Promise.all([world.sources.dispatch(8), world.sources.dispatch(8)]);
  expect(dispatched.flat()).toHaveLength(1);
  const both = await Promise.all([world.claim(), world.claim()]);
  expect(both.filter((one) => one !== undefined)).toHaveLength(1);
  await world.sources.ask(world.folder, null);
  expect(await world.sources.dispatch(8)).toEqual([]);
  expect(await world.claim()).toBeUndefined();
});

test('a pull whose lease another took writes nothing and settles nothing', async () => {
  fake.values = { A: 'late' };
  await setSource();
  const late = await world.claim();
  await world.assign(sql`lease_until = now() - interval '1 second'`);
  const taken = await world.claim();
  if (!late || !taken) throw new Error('Not claimed.');
  expect(await world.newPull()(late)).toBeUndefined();
  expect(await world.values()).toEqual({});
  fake.values = { A: 'right' };
  expect(codeOf(await world.newPull()(taken))).toBe('succeeded');
  expect(await world.values()).toEqual({ A: 'right' });
});

test('settings that are replaced during a pull take its lease away', async () => {
  fake.values = { A: 'of the old' };
  await setSource();
  const old = await world.claim();
  await setSource({ everySeconds: 600 });
  expect(old && (await world.newPull()(old))).toBeUndefined();
  expect(await world.values()).toEqual({});
});

test('no row holds a credential, a value or the path of a URL in clear', async () => {
  fake.values = many(3);
  await setSource();
  await world.pull();
  const rows = await world.db.execute(sql`
    select to_jsonb(s)::text as text from keyferry.sources s
    union all select to_jsonb(s)::text from keyferry.secrets s
    union all select to_jsonb(s)::text from keyferry.notifications s`);
  expect(rows.length).toBeGreaterThan(3);
  expect(JSON.stringify(rows)).not.toContain('canary');
  expect(JSON.stringify(await world.source())).not.toContain('canary');
});

test('a source that is not read for long is told once, and its recovery', async () => {
  const webhooks = createWebhooks(world.db, stage.encryption, { hosts: [] });
  const hook = newWebhookShape.parse({ name: 'all', url: 'https://hooks.example.com/x', events: ['source.*'] });
  await webhooks.create(world.orgId, hook);
  await setSource();
  await world.pull();
  const { detect } = createNotifications(world.db, { hasOperator: false });
  const told = async () => {
    await detect();
    const rows = await world.db.execute(sql`
      select event, payload ->> 'name' as name, payload ->> 'code' as code
      from keyferry.notifications
      where payload ->> 'orgId' = ${world.orgId} order by seq`);
    return rows.map((row) => [row['event'], row['name'], row['code']]);
  };
  expect(await told()).toEqual([]);
  fake.faults = ['error'];
  await world.pull();
  await world.assign(sql`last_pulled_at = now() - interval '20 minutes'`);
  await told();
  expect(await told()).toEqual([['source.stale', 'web/prod/api', 'SOURCE_UNAVAILABLE']]);
  expect((await world.source()).isStale).toBe(true);
  await world.pull();
  expect((await told())[1]).toEqual(['source.recovered', 'web/prod/api', null]);
});

test('the overview lists a stale source with its reason', async () => {
  fake.faults = ['denied'];
  await setSource();
  await world.pull();
  const overview = () => createStatusQueries(world.db).overview();
  expect((await overview()).staleSources).toEqual([]);
  await world.assign(sql`created_at = now() - interval '1 day'`);
  const stale = { orgId: world.orgId, ...world.place, statusCode: 'SOURCE_DENIED' };
  expect((await overview()).staleSources).toEqual([expect.objectContaining(stale)]);
});

test('a new encryption key takes over the settings of sources, which are bound to their folder', async () => {
  fake.values = { A: 'a' };
  await setSource();
  const [old, renewed] = [
    { id: 'test', key: Buffer.alloc(32, 7) },
    { id: 'renewed', key: Buffer.alloc(32, 8) },
  ];
  await createEncryptionKeys(world.db, createEncryption([renewed, old])).rewrap();
  const only = createSources(world.db, createEncryption([renewed]), { hosts: [] });
  const claimed = await only.claim({ folderId: world.folder.id });
  expect(await claimed?.settings()).toMatchObject({ kind: 'http', token: TOKEN });

  const other = await world.folders.ensure(world.orgId, { ...world.place, secretPath: '/other' });
  await world.assign(sql`folder_id = ${other.id}, lease_token = null`);
  const moved = await only.claim({ folderId: other.id });
  await expect(moved?.settings()).rejects.toMatchObject({ code: 'SECRET_UNDECRYPTABLE' });
});

test('older settings that were put back past keyferry are not used, and newer ones come after all that were', async () => {
  fake.values = { A: 'a' };
  await setSource();
  expect(codeOf(await world.pull())).toBe('succeeded');
  const read = async () => {
    const rows = await world.db.execute<{ target: string; target_revision: number }>(
      sql`select target, target_revision from keyferry.sources where folder_id = ${world.folder.id}`,
    );
    return rows[0] ?? { target: '', target_revision: 0 };
  };
  const older = await read();
  await setSource({ everySeconds: 600 });
  expect(codeOf(await world.pull())).toBe('succeeded');
  expect((await read()).target_revision).toBe(2);

  // The ciphertext alone does not open in the row of a newer one; the pair does.
  await world.assign(sql`target = ${older.target}`);
  expect(codeOf(await world.pull())).toBe('SECRET_UNDECRYPTABLE');
  await world.assign(sql`target = ${older.target}, target_revision = ${older.target_revision}`);
  fake.values = { A: 'stale' };
  const outcome = await world.pull();
  expect([codeOf(outcome), await world.values()]).toEqual(['SECRET_UNDECRYPTABLE', { A: 'a' }]);

  await setSource();
  expect([codeOf(await world.pull()), (await read()).target_revision]).toEqual(['succeeded', 3]);
  await world.sources.unset(world.folder);
  await setSource();
  expect([codeOf(await world.pull()), (await read()).target_revision]).toEqual(['succeeded', 4]);
});

test('people who set a source at once each get a revision of their own', async () => {
  await Promise.all(Array.from({ length: 4 }, (_, at) => setSource({ everySeconds: 600 + at })));
  fake.values = { A: 'a' };
  expect(codeOf(await world.pull())).toBe('succeeded');
});
