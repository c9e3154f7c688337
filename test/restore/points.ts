/**
 * The three ways in which a database goes back in time, each from a seed: a backup that is restored
 * and accepted, a failover that loses the last runs, and a copy that wakes up beside its original.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

import { sql } from 'drizzle-orm';

import { createInstallation } from '../../src/db/installation.ts';
import { createInstallationGuard } from '../../src/db/installation-guard.ts';
import { createLog } from '../../src/observe/log.ts';
import { type InstallationWatch, startInstallationWatch } from '../../src/workers/engine/installation-watch.ts';
import type { Stage } from '../support/stage.ts';
import { readRows, writeRows } from '../support/rewind.ts';
import { decide } from './decisions.ts';
import { live } from './people.ts';
import { createRandom } from './random.ts';
import { findDue, pass, runDue, runOne } from './runs.ts';
import { createScene, DAY, HOUR, MINUTE, mutationsSince, readAws, type Scene } from './scene.ts';

/** Throws with what went wrong, and what had happened. */
export async function playRestore(stage: Stage, seed: number): Promise<void> {
  const scene = await begin(stage, seed);
  const backup = await backUp(scene);
  scene.story.push('— backup —');
  await live(scene, scene.random.between(1, 6));
  scene.story.push('— restore —');
  await writeRows(stage.handle.client, backup.rows);
  scene.worker = scene.world.anotherWorker();
  await pass(scene, scene.random.pick([MINUTE, HOUR, DAY]));
  await acceptAsRestored(scene);
  const since = await findLater(scene, backup.aws);
  await settleDown(scene);
  requireKept(scene, since);
  await decide(scene);
  await settleDown(scene);
  conclude(scene);
}

/** The standby takes over without what the primary committed last. */
export async function playFailover(stage: Stage, seed: number): Promise<void> {
  const scene = await begin(stage, seed);
  const watch = await startWatch(stage, { isGuardAsked: false });
  await watch.check();
  const { epoch } = await createInstallation(stage.handle.db).get();
  const backup = await backUp(scene);
  scene.story.push('— last replicated commit —');
  await runDue(scene, { runs: scene.random.between(1, 2), withinMs: 1_000 });
  scene.story.push('— failover —');
  await writeRows(stage.handle.client, backup.rows);
  await stage.handle.db.execute(sql`update keyferry.installation
    set timeline = timeline - 1, counter = counter - 1`);
  await watch.check();
  watch.stop();
  if (watch.guardReason() !== undefined) scene.problems.push('a failover was guarded');
  const after = await createInstallation(stage.handle.db).get();
  if (after.epoch !== epoch + 1)
    scene.problems.push(`a failover led from epoch ${String(epoch)} to ${String(after.epoch)}`);
  const since = await findLater(scene, backup.aws);
  await settleDown(scene);
  requireKept(scene, since);
  await decide(scene);
  await settleDown(scene);
  conclude(scene);
}

/** Ahead of every point: a random past. */
export async function begin(stage: Stage, seed: number): Promise<Scene> {
  const scene = await createScene(stage, createRandom(seed), seed);
  await runDue(scene, { runs: 12, withinMs: 5 * MINUTE });
  await live(scene, scene.random.between(1, 6));
  return scene;
}

interface Backup {
  readonly rows: string;
  readonly aws: ReadonlyMap<string, string>;
}

/**
 * Between runs, or in the middle of one: before one of its calls, which then goes on as if nothing
 * was.
 */
async function backUp(scene: Scene): Promise<Backup> {
  const { random, onCall, stage } = scene;
  const read = async (): Promise<Backup> => {
    // No other call may change AWS between the two.
    while (onCall.open > 0) await nextTurn();
    return { rows: await readRows(stage.handle.client), aws: readAws(scene) };
  };
  if (random.chance(0.4)) return read();
  let calls = random.between(0, 9);
  let backup: Promise<Backup> | undefined;
  onCall.before = async () => {
    calls -= 1;
    if (calls < 0) await (backup ??= read());
  };
  await runDue(scene, { runs: random.between(1, 4), withinMs: HOUR });
  onCall.before = undefined;
  return backup ?? read();
}

/** Guarded first: then nothing may change at AWS. */
async function acceptAsRestored(scene: Scene): Promise<void> {
  const { stage, world, problems } = scene;
  const watch = await startWatch(stage, { isGuardAsked: true });
  const before = world.sandbox.calls.count();
  await runDue(scene, { runs: 3, withinMs: HOUR });
  const written = mutationsSince(world.sandbox, before);
  if (written.length > 0) problems.push(`a guarded worker called ${written.join(', ')}`);
  watch.stop();
  await createInstallationGuard(stage.handle.db).accept({ as: 'restored', actor: 'ann', name: undefined });
}

export function startWatch({ handle }: Stage, { isGuardAsked }: { isGuardAsked: boolean }): Promise<InstallationWatch> {
  return startInstallationWatch({
    guard: createInstallationGuard(handle.db),
    name: undefined,
    isGuardAsked,
    log: createLog({ level: 'silent' }),
    everyMs: 3_600_000,
  });
}

/**
 * What was written, changed or deleted after the backup: name → value, undefined for what is gone.
 */
type Later = ReadonlyMap<string, string | undefined>;

/** Without what the folder of the backup holds as well: there nothing is to be decided. */
async function findLater(scene: Scene, before: ReadonlyMap<string, string>): Promise<Later> {
  const { rotation } = scene;
  const after = readAws(scene);
  const { secrets } = await rotation.folders.read(rotation.folderId);
  const wanted = new Map(secrets.flatMap((one) => ('value' in one ? [[one.key, one.value] as const] : [])));
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const changed = names.filter((name) => before.get(name) !== after.get(name));
  const isDecided = (name: string) => after.has(name) && wanted.get(keyOf(name)) === after.get(name);
  return new Map(changed.filter((name) => !isDecided(name)).map((name) => [name, after.get(name)]));
}

const keyOf = (name: string): string => /(?:NEW_)?([A-Z_]+)$/.exec(name)?.[1] ?? '';

const ROUNDS = 6;

/** Days go by; whatever is due runs. */
async function settleDown(scene: Scene): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    await runDue(scene, { runs: 8, withinMs: 2 * MINUTE });
    await pass(scene, scene.random.pick([10 * MINUTE, 2 * HOUR, DAY]));
  }
  const due = await findDue(scene);
  if (due && due.inMs === 0) await runOne(scene, due);
}

/** Without a decision of a person, what is newer than the database stays as it is. */
function requireKept(scene: Scene, since: Later): void {
  const now = readAws(scene);
  for (const [name, value] of since) {
    if (now.get(name) === value) continue;
    const [was, is] = [describe(value), describe(now.get(name))];
    scene.problems.push(`${name}, ${was} when the database went back, is ${is} now, and nobody decided that`);
  }
}

const describe = (value: string | undefined): string => (value === undefined ? 'gone' : value.slice(0, 12));

/** Throws when anything went wrong. */
export function conclude({ problems, story }: Scene): void {
  if (problems.length === 0) return;
  throw new Error(`${[...new Set(problems)].join('; ')}\n    ${story.join(' → ')}`);
}
