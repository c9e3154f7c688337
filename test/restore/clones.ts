/**
 * A copy of the database wakes up beside its original: the same AWS, other workers. The copy is
 * made by `pg_dump` and `pg_restore` where there are some that fit the server, else row by row.
 */
import { sql } from 'drizzle-orm';

import { createInstallationGuard } from '../../src/db/installation-guard.ts';
import type { Stage } from '../support/stage.ts';
import { type DatabaseClock, databaseClock } from '../support/database-clock.ts';
import { dumpAndRestore, findPgTools } from '../support/pg-tools.ts';
import { readRows, writeRows } from '../support/rewind.ts';
import { live } from './people.ts';
import { begin, conclude, startWatch } from './points.ts';
import { findDue, runDue, runOne, unlessRefused } from './runs.ts';
import {
  change,
  DATA_KEYS,
  emptyDatabase,
  findKeys,
  HOUR,
  MINUTE,
  mutationsSince,
  readAws,
  type Scene,
} from './scene.ts';

export async function playClone(stage: Stage, seed: number, copy: Stage): Promise<void> {
  const scene = await begin(stage, seed);
  const watch = await startWatch(stage, { isGuardAsked: false });
  watch.stop();
  const clone = await copyScene(scene, copy);
  scene.story.push('— copied —');
  await wakeUp(clone);
  await runGuarded(clone);
  await createInstallationGuard(copy.handle.db).accept({ as: 'clone', actor: 'ann', name: 'staging' });
  await requireDetached(clone, scene);
  await runWatched(clone, { runs: 3, withinMs: HOUR });
  await useClone(clone);
  for (let turn = 0; turn < 5; turn += 1) {
    await live(scene, 1);
    await runWatched(clone, { runs: 5, withinMs: 10 * MINUTE });
  }
  conclude(scene);
}

/** Its rows, among them the one that says whose database this is. */
async function copyScene(scene: Scene, copy: Stage): Promise<Scene> {
  const tools = await findPgTools(scene.stage.databaseUrl);
  if (tools === undefined) await copyRows(scene.stage, copy);
  else await copyByTools(tools, scene.stage, copy);
  const clock = followClock(scene.world.clock, await databaseClock(copy.databaseUrl));
  return {
    ...scene,
    stage: copy,
    world: { ...scene.world, clock },
    rotation: scene.rotation.elsewhere(copy, clock),
    worker: scene.world.workerOf(copy, clock),
  };
}

async function copyRows({ handle: { client } }: Stage, copy: Stage): Promise<void> {
  await writeRows(copy.handle.client, await readRows(client));
  const [row] = await client<{ found: string }[]>`select to_jsonb(i)::text as found
    from keyferry.installation i`;
  await copy.handle.client`delete from keyferry.installation`;
  await copy.handle.client`
    insert into keyferry.installation
    select * from jsonb_populate_record(null::keyferry.installation,
      ${row?.found ?? ''}::text::jsonb)`;
}

/** Only the rows: the database of the copy stays, with its clock. */
async function copyByTools(tools: string, { databaseUrl: from }: Stage, copy: Stage): Promise<void> {
  await emptyDatabase(copy);
  await copy.handle.client`delete from keyferry.installation`;
  const rows = ['--data-only', '--disable-triggers'];
  await dumpAndRestore(
    tools,
    { from, to: copy.databaseUrl },
    { dump: [...rows, '--schema', 'keyferry', '--exclude-table', 'keyferry.migrations'], restore: rows },
  );
}

/** One time for both databases. */
function followClock(original: DatabaseClock, own: DatabaseClock): DatabaseClock {
  return {
    ...original,
    settled: async () => {
      await original.settled();
      const behindMs = original.now().getTime() - own.now().getTime();
      if (behindMs < 0) await own.reset();
      own.advance(Math.max(0, original.now().getTime() - own.now().getTime()));
      await own.settled();
    },
  };
}

async function wakeUp({ stage, world, problems }: Scene): Promise<void> {
  await world.clock.settled();
  const watch = await startWatch(stage, { isGuardAsked: false });
  watch.stop();
  if (watch.guardReason() !== 'database-changed') problems.push(`the copy was ${watch.guardReason() ?? 'not'} guarded`);
}

async function runGuarded(clone: Scene): Promise<void> {
  const before = clone.world.sandbox.calls.count();
  await runDue(clone, { runs: 3, withinMs: HOUR });
  const written = mutationsSince(clone.world.sandbox, before);
  if (written.length > 0) clone.problems.push(`a guarded copy called ${written.join(', ')}`);
}

/** The copy is an installation of its own, and nothing of the original counts as its own. */
async function requireDetached({ stage, problems }: Scene, original: Scene): Promise<void> {
  const [own, others] = await Promise.all([readIds(stage), readIds(original.stage)]);
  if (own.id === others.id) problems.push('a copy keeps the id of the original');
  if (own.objects > 0) problems.push(`a copy owns ${String(own.objects)} objects of the original`);
  if (own.keys > 0) problems.push(`a copy counts ${String(own.keys)} keys of the original as its own`);
}

async function readIds({ handle }: Stage) {
  const [row] = await handle.client<{ id: string; objects: number; keys: number }[]>`
    select i.id,
      (select count(*)::int from keyferry.sync_entries) as objects,
      (select count(*)::int from keyferry.rotation_keys
        where state not in ('foreign', 'deleted')) as keys
    from keyferry.installation i`;
  if (!row) throw new Error('There is no installation.');
  return row;
}

/** Somebody tries the copy: everything of it is resumed, changed and asked for. */
async function useClone(clone: Scene): Promise<void> {
  const { stage, rotation, rotationId, world } = clone;
  clone.story.push('the copy is used');
  await stage.handle.db.execute(sql`
    update keyferry.syncs
    set paused_at = null, next_due_at = now(), wanted_revision = wanted_revision + 1,
      due_reason = 'changed'
    where org_id = ${world.orgId}`);
  await unlessRefused(async () => rotation.rotations.resume(await rotation.row(rotationId)));
  await unlessRefused(async () => rotation.rotations.request(await rotation.row(rotationId), {}, 'ann'));
  await unlessRefused(() => change(rotation, Object.fromEntries(DATA_KEYS.map((key) => [key, `staging-${key}`]))));
}

/** Names that the copy made, which are its own. */
const own = new WeakMap<Scene, Set<string>>();

async function runWatched(clone: Scene, limits: { readonly runs: number; readonly withinMs: number }): Promise<void> {
  for (let runs = 0; runs < limits.runs; runs += 1) {
    const due = await findDue(clone);
    if (!due || due.inMs > limits.withinMs) return;
    clone.world.clock.advance(due.inMs);
    const before = { aws: readAws(clone), keys: findKeys(clone) };
    await runOne(clone, due);
    requireUntouched(clone, before);
  }
}

interface Before {
  readonly aws: ReadonlyMap<string, string>;
  readonly keys: ReturnType<typeof findKeys>;
}

function requireUntouched(clone: Scene, before: Before): void {
  const mine = own.get(clone) ?? new Set<string>();
  own.set(clone, mine);
  const after = readAws(clone);
  for (const [name, value] of before.aws) {
    if (after.get(name) !== value && !mine.has(name)) clone.problems.push(`a copy changed ${name} of the original`);
  }
  for (const name of after.keys()) if (!before.aws.has(name)) mine.add(name);
  const keys = findKeys(clone);
  for (const { accessKeyId, status } of before.keys) {
    const found = keys.find((key) => key.accessKeyId === accessKeyId);
    if (found?.status !== status) clone.problems.push(`a copy changed the key ${accessKeyId} of the original`);
  }
}
