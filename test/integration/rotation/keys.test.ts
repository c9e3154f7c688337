import { readFile } from 'node:fs/promises';

import { sql } from 'drizzle-orm';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';

import { JobError } from '../../../src/errors.ts';
import { useStage } from '../../support/use-stage.ts';
import { ACCOUNT, createWorld, DAY, DOCUMENTED_ACTIONS, HOUR, MINUTE, SECOND, type Pair, type World } from './world.ts';

const stage = useStage();
afterEach(() => vi.useRealTimers());

const user = (world: World) => ({ accountId: ACCOUNT, userName: world.userName });

test('a foreign key blocks the first rotation, naming the key, its age and last use', async () => {
  const world = await createWorld(stage);
  const person = world.sandbox.createAccessKey(user(world));
  await world.use(person);
  world.clock.advance(10 * DAY);
  const { id } = await world.createRotation();

  const outcome = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_FOREIGN' });
  expect((await world.row(id)).statusMessage).toMatch(
    new RegExp(`${person.accessKeyId} \\(active, 10 days old, last used .* by sts`),
  );
  expect(world.keys()).toEqual({ [person.accessKeyId]: 'Active' });
});

test('a blocked rotation goes on by itself when the foreign key is gone', async () => {
  const world = await createWorld(stage);
  const person = world.sandbox.createAccessKey(user(world));
  const { id } = await world.createRotation();
  await world.runOnce(id);

  world.sandbox.deleteAccessKey({ accessKeyId: person.accessKeyId });
  world.clock.advance(61 * MINUTE);
  const outcome = await world.runUntilDone(id);

  expect(outcome.status).toBe('succeeded');
});

test('the key of a lost answer is found, made inactive, and deleted after a day', async () => {
  const world = await createWorld(stage);
  world.sandbox.faults.add({ operation: 'CreateAccessKey', nth: 1, action: 'drop-after' });
  const { id } = await world.createRotation();

  const outcome = await world.runOnce(id);
  const [orphan = ''] = Object.keys(world.keys());
  await world.runUntilDone(id);
  const after = world.keys();
  world.clock.advance(DAY);
  await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'continued' });
  expect(after[orphan]).toBe('Inactive');
  expect(Object.values(after)).toEqual(['Inactive', 'Active']);
  expect(Object.keys(world.keys())).toEqual([(await world.published()).accessKeyId]);
});

test('it is not looked for sooner than 30 s after the call', async () => {
  const world = await createWorld(stage);
  world.sandbox.faults.add({ operation: 'CreateAccessKey', nth: 1, action: 'drop-after' });
  const { id } = await world.createRotation();
  const first = await world.runOnce(id);
  world.sandbox.calls.clear();
  world.clock.advance(20 * SECOND);

  await world.runEarly(id);

  const leftMs = first.status === 'continued' ? first.at.getTime() - world.clock.now().getTime() : 0;
  expect(Math.abs(leftMs - 10 * SECOND)).toBeLessThan(SECOND);
  expect(world.sandbox.calls.count()).toBe(0);
});

test('an orphan that a person activates is theirs', async () => {
  const world = await createWorld(stage);
  world.sandbox.faults.add({ operation: 'CreateAccessKey', nth: 1, action: 'drop-after' });
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  const [orphan = ''] = Object.keys(world.keys());
  world.sandbox.setAccessKeyStatus({ accessKeyId: orphan, status: 'Active' });

  world.clock.advance(2 * DAY);
  await world.runOnce(id);

  expect(world.keys()[orphan]).toBe('Active');
});

test('a key that shows a use after its window was searched is left to a person', async () => {
  const world = await createWorld(stage, { timing: { lastUsedMs: [HOUR, HOUR] } });
  world.sandbox.faults.add({ operation: 'CreateAccessKey', nth: 1, action: 'drop-before' });
  const { id } = await world.createRotation();
  await world.runOnce(id);
  // The window of our lost call, which made nothing, is also that of a person.
  const person = world.sandbox.createAccessKey(user(world));
  await world.use(person);

  const outcome = await world.runUntilDone(id);
  world.clock.advance(2 * DAY);
  await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_AMBIGUOUS' });
  expect(world.keys()).toEqual({ [person.accessKeyId]: 'Active' });
});

test.each([
  ['with the last use shown', undefined, 4 * HOUR],
  ['where the last use may not be asked', DOCUMENTED_ACTIONS, DAY],
])('the key of a lost answer stays active while a use may not show yet, %s', async (_name, actions, certainMs) => {
  const world = await createWorld(stage, actions ? { actions } : {});
  world.sandbox.faults.add({ operation: 'CreateAccessKey', nth: 1, action: 'drop-after' });
  const { id } = await world.createRotation();
  const createdAt = world.clock.now().getTime();
  await world.runOnce(id);
  const [orphan = ''] = Object.keys(world.keys());

  world.clock.advance(MINUTE);
  await world.runOnce(id);
  const { statusMessage } = await world.row(id);
  while (world.keys()[orphan] === 'Active') {
    await world.untilDue(id);
    await world.runOnce(id);
  }

  expect(statusMessage).toContain(`may have made the key ${orphan}`);
  expect(world.keys()[orphan]).toBe('Inactive');
  expect(world.clock.now().getTime() - createdAt).toBeGreaterThanOrEqual(certainMs);
});

test('the key that was published before a failover lost the last commits is never made inactive', async () => {
  let intended: Record<string, unknown> | undefined;
  const world = await createWorld(stage, {
    wrap: (deps) => {
      const advance: typeof deps.rotations.run.advance = async (fence, transition) => {
        const result = await deps.rotations.run.advance(fence, transition);
        if (transition.note?.step === 'create-sent') intended ??= await rotationRow(fence.rotation.id);
        return result;
      };
      return { ...deps, rotations: { run: { ...deps.rotations.run, advance } } };
    },
  });
  await world.addSync('app');
  const { id } = await world.createRotation();
  await world.runOnce(id);
  await world.runSyncs();
  const held = world.held.get('app');
  await forgetSince(id, intended);

  for (let days = 0; days < 3; days += 1) {
    await world.runUntilDone(id);
    expect(held && world.works(held)).toBe(true);
    world.clock.advance(DAY);
  }

  expect(await world.row(id)).toMatchObject({ rotationStatus: 'blocked', statusCode: 'KEY_FOREIGN' });
});

async function rotationRow(id: string): Promise<Record<string, unknown> | undefined> {
  return (await stage.handle.db.execute(sql`select * from keyferry.rotations where id = ${id}`))[0];
}

/** The rows as a standby has them that was promoted right after this one was replicated. */
async function forgetSince(id: string, row: Record<string, unknown> | undefined): Promise<void> {
  await stage.handle.db.execute(sql`delete from keyferry.rotation_keys where rotation_id = ${id}`);
  await stage.handle.db.execute(sql`
    update keyferry.rotations
    set phase = ${row?.['phase']}, phase_state = ${JSON.stringify(row?.['phase_state'])}::jsonb,
      active_access_key_id = null, last_rotated_at = null, user_id = null
    where id = ${id}`);
}

test.each([
  ['was held up', (clock: World['clock']) => clock.advance(20 * SECOND)],
  [
    'waited while the machine was suspended',
    () => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * SECOND }),
  ],
])('a call that %s for too long is not sent: its key could not be told from a person’s', async (_how, wait) => {
  const world = await createWorld(stage, {
    wrap: (deps, clock) => {
      let isSlow = true;
      const advance: typeof deps.rotations.run.advance = async (fence, transition) => {
        const result = await deps.rotations.run.advance(fence, transition);
        if (isSlow && transition.note?.step === 'create-sent') {
          isSlow = false;
          wait(clock);
        }
        return result;
      };
      return { ...deps, rotations: { run: { ...deps.rotations.run, advance } } };
    },
  });
  const { id } = await world.createRotation();

  const outcome = await world.runOnce(id);
  const after = world.keys();
  vi.useRealTimers();
  await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'continued' });
  expect(after).toEqual({});
  expect(world.works(await world.published())).toBe(true);
  const refusals = await stage.handle.db.execute(sql`select detail from keyferry.rotation_steps
    where rotation_id = ${id} and step = 'create-refused'`);
  expect(refusals).toEqual([{ detail: 'AWS_NOT_SENT' }]);
});

test('a call that lands late is still found a quarter of an hour later', async () => {
  const world = await createWorld(stage);
  world.sandbox.faults.add({ operation: 'CreateAccessKey', nth: 1, action: 'drop-before' });
  const { id } = await world.createRotation();
  await world.runOnce(id);
  const late = world.sandbox.createAccessKey(user(world));
  // Not listed when the rotation looked.
  world.sandbox.setAccessKeyStatus({ accessKeyId: late.accessKeyId, status: 'Active' });
  await stage.handle.db.execute(sql`
    update keyferry.rotations
    set phase_state = jsonb_build_object('cycle', phase_state -> 'cycle',
      'inspectedAt', ${world.clock.now().toISOString()}::text,
      'suspects', jsonb_build_array((phase_state -> 'intent')
        || jsonb_build_object('recheckAt',
        ${new Date(world.clock.now().getTime() + 15 * MINUTE).toISOString()}::text)))
      where id = ${id}`);

  world.clock.advance(16 * MINUTE);
  await world.runOnce(id);
  const whileUncertain = world.keys()[late.accessKeyId];
  world.clock.advance(4 * HOUR);
  await world.runUntilDone(id);

  expect(whileUncertain).toBe('Active');
  expect(world.keys()[late.accessKeyId]).toBe('Inactive');
  expect(world.works(await world.published())).toBe(true);
});

test('a user that was re-created under the same name stops the rotation', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await world.runUntilDone(id);
  world.sandbox.deleteUser(user(world));
  world.sandbox.createUser(user(world));
  await world.rotations.request(await world.row(id), {}, 'ann');

  const outcome = await world.runOnce(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'KEY_USER_CHANGED' });
  expect(world.keys()).toEqual({});
});

test.each([
  ['as it is', (name: string) => name],
  ['in other case: IAM does not distinguish names by it', (name: string) => name.toUpperCase()],
])('one user has one rotation, with the name %s', async (_case, spelled) => {
  const world = await createWorld(stage);
  await world.createRotation();
  const other = await world.folders.ensure(world.orgId, { projectId: 'app', environment: 'dev', secretPath: '/' });

  await expect(
    world.createRotation({ name: 'second', folderId: other.id, userName: spelled(world.userName) }),
  ).rejects.toMatchObject({
    code: 'KEY_USER_TAKEN',
  });
});

test('the migration keeps the oldest rotation of a user whose name is spelled in two cases', async () => {
  const world = await createWorld(stage);
  const first = await world.createRotation();
  const other = await world.folders.ensure(world.orgId, { projectId: 'app', environment: 'dev', secretPath: '/' });
  await stage.handle.db.execute(sql`drop index keyferry.rotations_user`);
  const second = await world.createRotation({
    name: 'second',
    folderId: other.id,
    userName: world.userName.toUpperCase(),
  });

  const file = new URL('../../../src/db/migrations/0002_rotation_grace_and_user.sql', import.meta.url);
  const statements = (await readFile(file, 'utf8')).split('--> statement-breakpoint').slice(2);
  for (const statement of statements) await stage.handle.db.execute(sql.raw(statement));

  expect(await world.row(first.id)).toMatchObject({ pausedAt: null, accountId: '222233334444' });
  expect(await world.row(second.id)).toMatchObject({ statusCode: 'KEY_USER_TAKEN', accountId: null, nextDueAt: null });
});

test('two rotations cannot publish into the same secrets', async () => {
  const world = await createWorld(stage);
  await world.createRotation();

  await expect(world.createRotation({ name: 'second', userName: 'another' })).rejects.toMatchObject({
    code: 'SECRET_MANAGED',
  });
});

test('a connection rotates its own key: the new one retires the old', async () => {
  const world = await createWorld(stage, { isSelf: true });
  const { id } = await world.createRotation({ graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 });

  const outcome = await world.runUntilDone(id);

  const published = (await world.published()) as Pair;
  const connection = await world.connections.byId(world.connectionId);
  const deletion = world.sandbox.calls.list({ operation: 'DeleteAccessKey', outcome: 'ok' });
  expect(outcome.status).toBe('succeeded');
  expect(world.keys()).toEqual({ [published.accessKeyId]: 'Active' });
  expect(connection).toMatchObject({ accessKeyId: published.accessKeyId, credentialsRevision: 2 });
  expect(await world.connections.credentialsOf(connection)).toMatchObject(published);
  expect(deletion.map((call) => call.accessKeyId)).toEqual([published.accessKeyId]);
});

test('the own old key stays until runs that still sign with it have ended', async () => {
  const world = await createWorld(stage, { isSelf: true });
  const syncId = await world.addSync('long-sync');
  const runId = crypto.randomUUID();
  await stage.handle.db.execute(sql`
    insert into keyferry.runs (id, kind, subject_id, org_id, attempt, reason, status, started_at)
    values (${runId}, 'sync', ${syncId}, ${world.orgId}, 1, 'scheduled', 'running',
      ${world.clock.now().toISOString()})`);
  await stage.handle.db.execute(
    sql`update keyferry.syncs set run_token = ${runId}, run_lease_until = now() + interval '1 hour'
      where id = ${syncId}`,
  );
  const { id } = await world.createRotation({ graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 });
  await world.runOnce(id);
  await world.runSyncs();

  for (let runs = 0; runs < 3; runs += 1) {
    world.clock.advance(MINUTE);
    await world.runOnce(id);
  }
  const during = world.works(world.ownPair ?? {});
  await stage.handle.db.execute(
    sql`update keyferry.syncs set run_token = null, run_lease_until = null where id = ${syncId}`,
  );
  world.clock.advance(MINUTE);
  await world.runUntilDone(id);

  expect(during).toBe(true);
  expect(world.works(world.ownPair ?? {})).toBe(false);
});

test('a run whose lease was taken over writes nothing', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  const row = await world.row(id);
  const fence = { rotation: row, runId: crypto.randomUUID(), now: world.clock.now() };

  const late = world.rotations.run.advance(fence, {
    phase: 'deleting',
    state: { quarantine: [], suspects: [], missingActions: [], served: [] },
    note: { step: 'late' },
  });

  await expect(late).rejects.toThrow(JobError);
  expect(await world.row(id)).toMatchObject({ phase: 'idle' });
  expect((await world.rotations.steps(id)).map((step) => step.step)).not.toContain('late');
});

test('values and published key ids appear in no log line, status or step detail', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const world = await createWorld(stage, { log });
  world.sandbox.faults.add({ operation: 'UpdateAccessKey', nth: 3, action: 'drop-after' });
  const { id } = await world.createRotation({ graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 });
  await world.runUntilDone(id);
  const first = (await world.published()) as Pair;
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runUntilDone(id);

  const second = (await world.published()) as Pair;
  const details = (await world.rotations.steps(id)).map((step) => step.detail ?? '');
  const runs = await stage.handle.db.execute(
    sql`select result::text as result, error_message from keyferry.runs where subject_id = ${id}`,
  );
  const written = [...lines, ...details, JSON.stringify(runs), JSON.stringify(await world.rotations.keys(id))].join(
    '\n',
  );
  for (const pair of [first, second]) expect(written).not.toContain(pair.secretAccessKey);
  for (const pair of [first, second]) expect([...lines, ...details].join('\n')).not.toContain(pair.accessKeyId);
});
