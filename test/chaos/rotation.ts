/**
 * Every crash point of every starting state of a rotation: the scenario is played once to count its
 * operations, then once per operation and way of going wrong. After each operation it is checked
 * that what consumers hold works, that keyferry added no second key, and that no key of a person
 * changed; at the end, that the rotation came to rest and no key is unknown.
 */
import { sql } from 'drizzle-orm';

import { openStage, type Stage } from '../support/stage.ts';
import { createWorld, DAY, type Pair, type World } from '../integration/rotation/world.ts';
import {
  Crash,
  createInjector,
  type CrashPoint,
  type Injector,
  modesOf,
  type Operation,
  type Storm,
} from './rotation-crash.ts';
import { type Arranged, type Scenario, scenarios } from './rotation-scenarios.ts';

export interface ChaosOptions {
  readonly databaseUrl: string;
  readonly print: (line: string) => void;
  /** Every n-th crash point only; 1 for all. */
  readonly every?: number;
  /** Only scenarios with this in their name. */
  readonly name?: string;
}

export interface ChaosResult {
  readonly tried: number;
  readonly survived: number;
  readonly failures: readonly string[];
}

export async function runRotationChaos(options: ChaosOptions): Promise<ChaosResult> {
  const stage = openStage(options.databaseUrl);
  const failures: string[] = [];
  let tried = 0;
  let survived = 0;
  try {
    for (const scenario of scenarios.filter((one) => one.name.includes(options.name ?? ''))) {
      const startedAt = performance.now();
      const result = await tryScenario(stage, scenario, options);
      tried += result.tried;
      survived += result.tried - result.failures.length;
      failures.push(...result.failures);
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
      options.print(
        `${scenario.name}: ${String(result.tried)} tried, ${String(result.failures.length)} failed (${seconds} s)`,
      );
      for (const failure of result.failures) options.print(`  ${failure}`);
    }
  } finally {
    await stage.close();
  }
  return { tried, survived, failures };
}

/** Points between two lines of a long scenario. */
const PROGRESS_EVERY = 25;

async function tryScenario(
  stage: Stage,
  scenario: Scenario,
  { every = 1, print }: ChaosOptions,
): Promise<{ tried: number; failures: string[] }> {
  const { operations } = await play(stage, scenario, undefined).catch((error: unknown) => {
    throw new Error(`${scenario.name}: without any crash: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  });
  const isAmongFirst = createCounter(2);
  const points = operations
    .flatMap((operation, index) => modesOf(operation).map((mode) => ({ operation, index, mode })))
    .filter(
      ({ operation, mode }) =>
        !scenario.only || (scenario.only.operation === operation.name && scenario.only.modes.includes(mode)),
    )
    .filter(({ operation, mode }) => scenario.syncsAfterMs === undefined || isAmongFirst(`${mode} ${operation.name}`))
    .filter((_point, position) => position % every === 0);
  const failures: string[] = [];
  for (const [done, { operation, index, mode }] of points.entries()) {
    if (done > 0 && done % PROGRESS_EVERY === 0)
      print(`${scenario.name}: ${String(done)} of ${String(points.length)} points, ${String(failures.length)} failed`);
    try {
      const { hit } = await play(stage, scenario, { index, mode });
      if (!hit) throw new Error('the crash point was not reached');
    } catch (error) {
      failures.push(
        `${scenario.name}: ${mode} #${String(index)} ${operation.name}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  return { tried: points.length, failures };
}

function createCounter(limit: number): (name: string) => boolean {
  const seen = new Map<string, number>();
  return (name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count <= limit;
  };
}

/** Each operation goes wrong with this chance, until so many did. */
const STORM_CHANCE = 0.12;
const STORM_LENGTH = 12;

/** Many crashes in one rotation, at random places that the seed repeats. */
export async function runRotationStorms(options: ChaosOptions & { readonly storms: number }): Promise<ChaosResult> {
  const stage = openStage(options.databaseUrl);
  const stormy = scenarios.filter((scenario) => scenario.isStormy);
  const failures: string[] = [];
  try {
    for (let seed = 1; seed <= options.storms; seed += 1) {
      const scenario = stormy[seed % stormy.length];
      if (!scenario) throw new Error('No scenario has storms.');
      try {
        await play(stage, scenario, createStorm(seed));
      } catch (error) {
        failures.push(
          `storm ${String(seed)}, ${scenario.name}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      if (seed % PROGRESS_EVERY === 0) options.print(`storms: ${String(seed)} of ${String(options.storms)}`);
    }
  } finally {
    await stage.close();
  }
  options.print(`storms: ${String(options.storms)} tried, ${String(failures.length)} failed`);
  for (const failure of failures) options.print(`  ${failure}`);
  return { tried: options.storms, survived: options.storms - failures.length, failures };
}

function createStorm(seed: number): Storm {
  let state = seed * 2_654_435_761;
  // A linear congruential generator: the same seed gives the same storm.
  const random = () => (state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296) / 4_294_967_296;
  let left = STORM_LENGTH;
  return (operation) => {
    if (left === 0 || random() >= STORM_CHANCE) return undefined;
    left -= 1;
    const modes = modesOf(operation);
    return modes[Math.floor(random() * modes.length)];
  };
}

interface Played {
  readonly operations: readonly Operation[];
  readonly hit: Operation | undefined;
}

interface Play {
  readonly scenario: Scenario;
  readonly world: World;
  readonly injector: Injector;
  readonly watch: Watch;
  readonly runSyncs: () => Promise<void>;
  readonly id: string;
  readonly persons: string[];
}

/**
 * Every play draws the same delays, so that its operations have the same numbers up to the crash.
 */
const SEED = 1;

async function play(stage: Stage, given: Scenario, point: CrashPoint | Storm | undefined): Promise<Played> {
  // Without a crash nobody acts in the meantime, so nothing blocks.
  const scenario: Scenario = point === undefined && given.meanwhile ? { ...given, ends: 'rotated' } : given;
  const watch = createWatch(scenario);
  let syncsFrom = 0;
  const injector = createInjector((published) => {
    if (published) syncsFrom = world.clock.now().getTime() + (scenario.syncsAfterMs ?? 0);
    watch.observe(published);
  });
  const runSyncs = async () => {
    if (world.clock.now().getTime() >= syncsFrom) await world.runSyncs();
  };
  const world: World = await createWorld(stage, {
    ...scenario.options,
    seed: SEED,
    wrap: (deps) => injector.wrap(deps),
    wrapWork: (work) => injector.wrapWork(work),
    onWait: runSyncs,
  });
  try {
    const arranged: Arranged = await scenario.arrange(world);
    const persons = [...arranged.persons];
    await watch.begin(world, persons);
    injector.arm(point);
    const playing: Play = { scenario, world, injector, watch, runSyncs, id: arranged.id, persons };
    await drive(playing, point !== undefined && scenario.meanwhile !== undefined);
    await checkEnd(playing);
    return { operations: [...injector.operations], hit: injector.hit() };
  } finally {
    await clear(world);
  }
}

/**
 * The next world's keys have the same ids: were their rows still here, they would be somebody
 * else's.
 */
async function clear({ handle, orgId }: World): Promise<void> {
  for (const table of [sql`syncs`, sql`rotations`, sql`connections`])
    await handle.db.execute(sql`delete from keyferry.${table} where org_id = ${orgId}`);
}

const MAX_RUNS = 120;

/** Runs it whenever it is due, restarting it after the crash, until it rests. */
async function drive(playing: Play, hasMeanwhile: boolean): Promise<void> {
  const { world, injector, id } = playing;
  let isMeanwhileDone = !hasMeanwhile;
  for (let runs = 0; runs < MAX_RUNS; runs += 1) {
    await runOnce(playing);
    if (!isMeanwhileDone && injector.hit()) {
      isMeanwhileDone = true;
      playing.persons.push(...((await playing.scenario.meanwhile?.(world)) ?? []));
      playing.watch.addPersons(playing.persons);
    }
    await playing.runSyncs();
    if (await isAtRest(playing)) return;
    // A rotation that is never due again fails here, with the next run.
    await world.untilDue(id);
  }
  const { phase, statusMessage } = await world.row(id);
  const steps = (await world.rotations.steps(id, 30)).map((step) => `${step.phase}/${step.step}`);
  throw new Error(
    `it did not come to rest: phase ${phase}, ${statusMessage ?? 'no message'}, after ${steps.join(' ')}`,
  );
}

/** When the process dies in it, its lease runs out before the next run. */
async function runOnce({ world, injector, id }: Play): Promise<void> {
  try {
    await world.runOnce(id);
  } catch (error) {
    // A lost settlement ends the job without one, like a crash.
    if (!(error instanceof Crash)) throw error;
    injector.restart();
  }
}

/** Nothing to do but wait for the schedule, or for a person. */
async function isAtRest({ world, id, scenario }: Play): Promise<boolean> {
  const row = await world.row(id);
  // A run that died has not given its lease back; one that died after its settlement has.
  if (row.runToken !== null) return false;
  const {
    quarantine = [],
    suspects = [],
    intent,
    orphan,
  } = row.phaseState as Record<string, readonly unknown[] | undefined>;
  if (quarantine.length > 0 || suspects.length > 0 || intent || orphan) return false;
  if (typeof scenario.ends === 'object' && 'blocked' in scenario.ends) return row.rotationStatus === 'blocked';
  const isSoon = (at: Date | null) => at !== null && at.getTime() - world.clock.now().getTime() < DAY / 2;
  // After an outage of the database the status is as before, and the next run is due in a moment.
  const isBusy = isSoon(row.nextRotationAt) || isSoon(row.nextDueAt);
  return row.phase === 'idle' && !isBusy && row.rotationStatus !== 'running';
}

async function checkEnd({ world, scenario, watch, id, persons }: Play): Promise<void> {
  const row = await world.row(id);
  const status = `${row.rotationStatus} ${row.statusCode ?? ''}`;
  const atAws = Object.keys(world.keys());
  const known = (await world.rotations.keys(id)).filter((key) => key.state !== 'deleted').map((key) => key.accessKeyId);
  const unknown = atAws.filter((key) => !known.includes(key) && !persons.includes(key));
  require(unknown.length === 0, `unknown keys are left: ${unknown.join(', ')}`);
  const ours = atAws.filter((key) => !persons.includes(key));
  const published = await world.published();
  const { ends } = scenario;
  if (ends === 'revoked') {
    require(ours.length === 0, `keys of ours are left: ${ours.join(', ')}`);
    return;
  }
  if (ends === 'rotated') {
    require(row.rotationStatus === 'succeeded', `it ended as ${status}: ${row.statusMessage ?? ''}`);
    require(ours.length === 1 && ours[0] === published.accessKeyId, `keys at the end: ${JSON.stringify(world.keys())}`);
    require(scenario.isPublished === true ||
      published.accessKeyId !== watch.initial()?.accessKeyId, 'the key was not replaced');
    require(world.works(published), 'what is published does not work');
    return;
  }
  if ('kept' in ends) {
    require(row.statusCode === ends.kept, `it ended as ${status}`);
    require(ours.length === 1 &&
      ours[0] === watch.initial()?.accessKeyId, `keys at the end: ${JSON.stringify(world.keys())}`);
    return;
  }
  require(ends.blocked.includes(row.statusCode ?? ''), `it ended as ${status}`);
}

function require(condition: boolean, problem: string): void {
  if (!condition) throw new Error(problem);
}

interface Watch {
  begin(world: World, persons: readonly string[]): Promise<void>;
  addPersons(persons: readonly string[]): void;
  observe(publishedNow?: Pair): void;
  initial(): Partial<Pair> | undefined;
}

/** What must hold at every instant. */
function createWatch(scenario: Scenario): Watch {
  let world: World | undefined;
  let published: Partial<Pair> | undefined;
  let initial: Partial<Pair> | undefined;
  let startKeys: readonly string[] = [];
  const persons = new Map<string, string | undefined>();
  const everPublished = new Set<string>();
  return {
    initial: () => initial,
    begin: async (started, ids) => {
      initial = published = await started.published();
      startKeys = Object.keys(started.keys());
      for (const id of ids) persons.set(id, started.keys()[id]);
      world = started;
    },
    addPersons: (ids) => {
      for (const id of ids) if (!persons.has(id)) persons.set(id, world?.keys()[id]);
    },
    observe: (publishedNow) => {
      if (publishedNow) {
        published = publishedNow;
        everPublished.add(publishedNow.accessKeyId);
      }
      if (!world) return;
      checkPersons(world, persons);
      checkAdded(world, [...startKeys, ...everPublished, ...persons.keys()]);
      if (!scenario.isCutOff) checkHolders(world, published);
    },
  };
}

function checkPersons(world: World, persons: ReadonlyMap<string, string | undefined>): void {
  for (const [id, status] of persons) {
    const now = world.keys()[id];
    require(now === status, `a person's key changed from ${status ?? 'none'} to ${now ?? 'none'}`);
  }
}

function checkAdded(world: World, others: readonly string[]): void {
  const added = Object.entries(world.keys()).filter(([id, status]) => status === 'Active' && !others.includes(id));
  require(added.length <= 1, `${String(added.length)} keys were added at a time`);
}

function checkHolders(world: World, published: Partial<Pair> | undefined): void {
  if (published?.accessKeyId !== undefined) require(world.works(published), 'what the folder gives does not work');
  for (const [name, pair] of world.held) require(world.works(pair), `what the consumer of ${name} holds does not work`);
}
