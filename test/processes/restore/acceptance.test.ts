/** What `restore accept` closes, and that a refused one changes nothing. */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { openDatabase } from '../../../src/db/client.ts';
import { createInstallation } from '../../../src/db/installation.ts';
import { createInstallationGuard, WORKER_SESSIONS } from '../../../src/db/installation-guard.ts';
import { type CommandHost, startCommandHost } from '../../support/command-host.ts';
import { databaseClock } from '../../support/database-clock.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { readRows } from '../../support/rewind.ts';
import { openStage, type Stage } from '../../support/stage.ts';
import * as rotating from '../../integration/rotation/world.ts';
import { createWorld, MINUTE, type World } from '../../integration/sync/world.ts';

const database = useTestDatabase();
const encryptionKeys = generateEncryptionKey('first');
/** The first of its commands loads the whole program. */
const LIMIT = { timeout: 120_000 };
let stage: Stage;
let host: CommandHost;
beforeAll(async () => {
  await databaseClock(database().url);
  stage = openStage(database().url);
  host = startCommandHost(cleanEnvironment({}));
});
afterAll(async () => {
  await Promise.all([stage.close(), host.stop()]);
});

const guard = () => createInstallationGuard(stage.handle.db);

async function beGuarded(): Promise<string> {
  await guard().raise('asked');
  const { id } = await createInstallation(stage.handle.db).get();
  return id.slice(0, 8);
}

function accept(...options: readonly string[]) {
  const environment = cleanEnvironment({ DATABASE_URL: database().url, KEYFERRY_ENCRYPTION_KEYS: encryptionKeys });
  return host.run({ args: ['restore', 'accept', ...options], environment });
}

/** Every row of every table, the installation's own included. */
async function readAll(): Promise<unknown> {
  const { client } = stage.handle;
  const [installation] = await client`select to_jsonb(i)::text as found
    from keyferry.installation i`;
  const rows = JSON.parse(await readRows(client)) as Readonly<Record<string, readonly unknown[]>>;
  const sorted = Object.entries(rows).map(([name, found]) => [name, found.map((row) => JSON.stringify(row)).sort()]);
  return { installation: installation?.['found'] as unknown, tables: Object.fromEntries(sorted) as unknown };
}

/** A folder with data and a rotated key, a sync of it, and a wish of each kind. */
async function createSubjects() {
  // Each world begins at the real time, before the epochs of earlier ones.
  await stage.handle.db.execute(sql`update keyferry.installation
    set epoch = 1, epoch_started_at = null`);
  const world = await createWorld(stage);
  const { clock, sandbox, orgId } = world;
  const rotation = await rotating.furnish(stage, {}, { clock, sandbox, orgId, suffix: orgId.slice(4) });
  const { id: rotationId } = await rotation.createRotation();
  await rotation.runUntilDone(rotationId);
  const { id: syncId } = await world.createSync({ folderId: rotation.folderId });
  await change(rotation, { DATA: 'old' });
  await world.runUntilDone(syncId);
  return { world, rotation, rotationId, syncId };
}

async function change(rotation: rotating.World, values: Readonly<Record<string, string>>): Promise<void> {
  const changes = Object.entries(values).map(([key, value]) => ({ key, value }));
  await rotation.folders.change(await rotation.folders.get(rotation.folderId), changes, 'merge');
}

async function startEpoch({ clock }: World): Promise<void> {
  clock.advance(MINUTE);
  await clock.settled();
  await beGuarded();
  await guard().accept({ as: 'restored', actor: 'ann', name: undefined });
}

test.each(['restored', 'clone', 'moved'])(
  'a refused acceptance as %s leaves every row as it was',
  LIMIT,
  async (as) => {
    const { world, rotationId, syncId } = await createSubjects();
    await world.requests.open({ orgId: world.orgId, kind: 'remove', subjectId: syncId, parameters: {}, actor: 'ann' });
    await world.requests.open({
      orgId: world.orgId,
      kind: 'rotate',
      subjectId: rotationId,
      parameters: {},
      actor: 'ann',
    });
    const confirmation = await beGuarded();
    const { counter } = await createInstallation(stage.handle.db).get();
    const options = ['--as', as, ...(as === 'moved' ? ['--counter', String(counter)] : [])];
    const before = await readAll();

    const wrong = await accept(...options, '--confirm', '00000000');
    expect(wrong.stderr).toContain(`--confirm ${confirmation}`);
    const worker = openDatabase(database().url, { poolSize: 1, name: WORKER_SESSIONS });
    await worker.ping();
    const early = await accept(...options, '--confirm', confirmation);
    expect(early.stderr).toContain('Stop every worker');
    await worker.close();
    expect([wrong.code === 0, early.code === 0]).toEqual([false, false]);
    expect(await readAll()).toEqual(before);

    expect((await accept(...options, '--confirm', confirmation)).code).toBe(0);
    const accepted = await readAll();
    const { id } = await createInstallation(stage.handle.db).get();
    const second = await accept(...options, '--confirm', id.slice(0, 8));
    expect([second.code === 0, second.stderr.includes('not guarded')]).toEqual([false, true]);
    expect(await readAll()).toEqual(accepted);
  },
);

test('of two acceptances at once the second changes nothing', async () => {
  await createSubjects();
  await beGuarded();
  await guard().accept({ as: 'restored', actor: 'ann', name: undefined });
  const accepted = await readAll();
  await expect(guard().accept({ as: 'clone', actor: 'bob', name: 'staging' })).rejects.toThrow();
  expect(await readAll()).toEqual(accepted);
});

test('an acceptance as restored closes what may have been carried out since, and nothing else', async () => {
  const { world, rotationId, syncId } = await createSubjects();
  const { orgId, requests } = world;
  const closed = [
    { kind: 'remove', subjectId: syncId, parameters: {} },
    { kind: 'rotate', subjectId: rotationId, parameters: { command: 'revoke' } },
    { kind: 'rotate', subjectId: rotationId, parameters: { emergency: true } },
    { kind: 'rotate', subjectId: rotationId, parameters: { emergency: true, revokeNow: true } },
  ] as const;
  const kept = [
    { kind: 'sync', subjectId: syncId, parameters: {} },
    { kind: 'check', subjectId: syncId, parameters: {} },
    { kind: 'rotate', subjectId: rotationId, parameters: { emergency: false } },
  ] as const;
  for (const request of [...closed, ...kept]) await requests.open({ ...request, orgId, actor: 'ann' });
  await startEpoch(world);
  const open = await stage.handle.db.execute(
    sql`select kind, parameters from keyferry.requests where org_id = ${orgId} and done_at is null
        and kind <> 'validate'`,
  );
  // The test's clock stands still: requests of one instant have no order among themselves.
  const expected = kept.map(({ kind, parameters }) => ({ kind, parameters }));
  expect(open).toHaveLength(kept.length);
  expect(open).toEqual(expect.arrayContaining(expected));
});
