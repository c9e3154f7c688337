/**
 * The single-fault sweep of syncs. A scenario is played once to count its steps, then once for
 * every step and way of going wrong. After the fault the world is healthy again, and everything
 * runs until it rests. Then what the status says must be true, and after one more run that is asked
 * for, AWS must hold what the folder holds.
 */
import { sql } from 'drizzle-orm';
import type { Stage } from '../support/stage.ts';
import { createWorld, MINUTE, type RunInput, type Worker, type World } from '../integration/sync/world.ts';
import { BYSTANDER, type Destination } from './destinations.ts';
import { Crash, createInjector, modesOf, type Fault, type Injector, type Step } from './faults.ts';
import type { Scenario } from './scenarios.ts';

export interface Case {
  readonly destination: Destination;
  readonly scenario: Scenario;
  /** undefined: everything goes well. */
  readonly fault: Fault | undefined;
}

/** More runs than any of these scenarios needs. */
const MAX_RUNS = 40;
/** A call that is still on its way is looked for by then. */
const LOOK_AGAIN_MS = 16 * MINUTE;

interface Play extends Case {
  readonly world: World;
  readonly syncId: string;
  readonly injector: Injector;
  readonly bystander: unknown;
  /** Keys that are at AWS and that the folder holds before and after. */
  readonly lasting: readonly string[];
  readonly problems: string[];
}

/**
 * Throws, with the reasons, when something that must hold does not. Returns the steps that a fault
 * could hit.
 */
export async function playCase(stage: Stage, wanted: Case): Promise<readonly Step[]> {
  const play = await arrange(stage, wanted);
  const { injector, problems } = play;
  await runWithFault(play);
  await checkBlame(play);
  const worker = injector.isDead() || wanted.fault?.mode === 'overtaken' ? play.world.anotherWorker() : play.world;
  const arrivesSoon = (wanted.fault?.index ?? 0) % 2 === 0;
  if (arrivesSoon) await injector.deliver();
  await wanted.scenario.between?.(play.world, play.syncId);
  await recover(play, worker);
  if (wanted.fault && !injector.wasHit()) problems.push('the step was not reached');
  if (problems.length > 0) throw new Error([...new Set(problems)].join('; '));
  return [...injector.steps];
}

/** All faults that a scenario can meet. */
export function faultsOf(steps: readonly Step[]): readonly Fault[] {
  return steps.flatMap((step, index) => modesOf(step).map((mode) => ({ index, mode })));
}

async function arrange(stage: Stage, { destination, scenario, fault }: Case): Promise<Play> {
  const injector = createInjector();
  const { wrap, wrapWork, wrapHandle } = injector;
  const world = await createWorld(stage, { wrap, wrapWork, wrapHandle });
  const folder = scenario.folder ?? { A: '1', B: '2' };
  await world.set(folder);
  await scenario.prepare?.(world);
  for (const [key, value] of Object.entries(scenario.foreign ?? {})) destination.putForeign(world, key, value);
  const isShared = destination.name !== 'a JSON secret' || scenario.foreign !== undefined;
  if (isShared && scenario.hasNoBystander !== true) destination.putForeign(world, BYSTANDER, 'of somebody else');
  const { id: syncId } = await world.createSync({
    ...destination.input,
    isAutoSyncEnabled: scenario.isManual !== true,
    syncOptions: scenario.options ?? {},
  });
  if (scenario.isFirstRun !== true) {
    await world.runUntilDone(syncId, scenario.isManual === true ? { request: 'sync' } : {});
    world.clock.advance(15 * MINUTE);
  }
  const before = destination.look(world, 'first');
  await scenario.change?.(world, syncId, destination);
  const lasting = Object.keys(before).filter((key) => key in scenario.expected || `NEW_${key}` in scenario.expected);
  const bystander = destination.bystander(world);
  return { destination, scenario, fault, world, syncId, injector, bystander, lasting, problems: [] };
}

async function runWithFault(play: Play): Promise<void> {
  const { world, syncId, injector, fault, scenario } = play;
  injector.arm(fault, {
    observe: (step) => {
      if (step.isMutation) checkLastCopies(play, step);
    },
    overtake: async () => {
      injector.disarm();
      await rest(play, world.anotherWorker(), { maxRuns: 4 });
    },
  });
  await ask(play, scenario.asks);
  await endOf(world.runOnce(syncId));
  injector.disarm();
}

/** As a person asks: the request makes the sync due. */
async function ask({ world, syncId }: Play, asked: RunInput | undefined): Promise<void> {
  if (asked?.request === undefined) return;
  const { orgId } = world;
  const { request: kind, parameters = {} } = asked;
  await world.requests.open({ orgId, kind, subjectId: syncId, parameters, actor: 'ann' });
}

/**
 * A run that its fault ended, and the verdict of a run that another one overtook, are not this
 * suite's business.
 */
async function endOf(run: Promise<unknown>): Promise<void> {
  try {
    await run;
  } catch (error) {
    const isOver = error instanceof Crash || /could not be claimed|was not settled/.test(String(error));
    if (!isOver && !(error instanceof Error && 'code' in error && error.code === 'LEASE_LOST')) throw error;
  }
}

/** An outage of PostgreSQL is nobody's fault: no connection, sync or entry says so. */
async function checkBlame({ world, problems }: Play): Promise<void> {
  const rows = await world.stage.handle.db.execute(sql`
    select 'connection' as what from keyferry.connections
    where status_code like 'DB%' or status <> 'valid'
    union all
    select 'sync' from keyferry.syncs where status_code like 'DB%'
    union all
    select 'entry' from keyferry.sync_entries where error_code like 'DB%'`);
  for (const { what } of rows) problems.push(`an outage marked a ${String(what)}`);
}

async function recover(play: Play, worker: Worker): Promise<void> {
  const { world, syncId, injector, scenario, problems } = play;
  await rest(play, worker, { maxRuns: MAX_RUNS });
  await injector.deliver();
  world.clock.advance(LOOK_AGAIN_MS);
  await rest(play, worker, { maxRuns: MAX_RUNS });
  await checkStatus(play);
  const isGone = !(await exists(play));
  if (isGone && scenario.isDeleted === true) return checkEnd(play);
  if (isGone) {
    problems.push('the sync is gone');
    return;
  }
  const asked: RunInput = scenario.asks?.request === 'remove' ? scenario.asks : { request: 'sync' };
  await ask(play, asked);
  const { outcome } = await worker.runUntilDone(syncId);
  if (scenario.isDeleted === true && (await exists(play))) problems.push('the sync is still there');
  if (outcome.status !== (scenario.status ?? 'succeeded')) problems.push(`a run that is asked for: ${outcome.status}`);
  await checkEnd(play);
}

/** Runs whatever is due, as the tick would, until only the schedule is left. */
async function rest(play: Play, worker: Worker, { maxRuns }: { readonly maxRuns: number }): Promise<void> {
  const { world, syncId, problems } = play;
  for (let runs = 0; runs < maxRuns; runs += 1) {
    if (!(await exists(play))) return;
    const row = await world.row(syncId);
    const isOpen = (await openRequests(play)) > 0;
    const isBehind = row.isAutoSyncEnabled && row.wantedRevision > row.doneRevision;
    const dueInMs = row.nextDueAt === null ? Infinity : row.nextDueAt.getTime() - world.clock.now().getTime();
    if (dueInMs === Infinity && (isOpen || isBehind) && row.pausedAt === null && row.syncStatus !== 'blocked') {
      problems.push('never due, and something is left to do');
      return;
    }
    if (dueInMs > 10 * MINUTE) return;
    world.clock.advance(Math.max(0, dueInMs));
    await endOf(worker.runOnce(syncId));
  }
  if (maxRuns === MAX_RUNS) problems.push(`no rest within ${String(maxRuns)} runs`);
}

async function exists({ world, syncId }: Play): Promise<boolean> {
  return world.row(syncId).then(
    () => true,
    () => false,
  );
}

async function openRequests({ world, syncId }: Play): Promise<number> {
  const rows = await world.stage.handle.db.execute(
    sql`select 1 from keyferry.requests where subject_id = ${syncId} and done_at is null`,
  );
  return rows.length;
}

/** `succeeded` without drift is said only of what is true. */
async function checkStatus(play: Play): Promise<void> {
  const { world, syncId, scenario, problems } = play;
  if ((await openRequests(play)) > 0) problems.push('a request stays open');
  if (!(await exists(play)) || scenario.asks?.request === 'remove') return;
  const { syncStatus, drift, wantedRevision, doneRevision } = await world.row(syncId);
  if (syncStatus !== 'succeeded' || drift !== 'none' || wantedRevision > doneRevision) return;
  const difference = findDifference(play);
  if (difference !== undefined) problems.push(`says succeeded without drift, but ${difference}`);
}

async function checkEnd(play: Play): Promise<void> {
  const { world, scenario, problems } = play;
  const difference = findDifference(play);
  if (difference !== undefined) problems.push(`in the end ${difference}`);
  if ((await openRequests(play)) > 0) problems.push('a request stays open');
  if (scenario.expectedFolder) {
    const { secrets } = await world.folders.read(world.folder.id);
    const held = Object.fromEntries(secrets.map((secret) => [secret.key, 'value' in secret ? secret.value : '?']));
    if (!isEqual(held, scenario.expectedFolder)) problems.push(`the folder holds ${JSON.stringify(held)}`);
  }
}

function findDifference({ world, destination, scenario, bystander }: Play): string | undefined {
  const place = scenario.place ?? 'first';
  const found = destination.look(world, place);
  if (!isEqual(found, scenario.expected)) return `AWS holds ${shorten(found)}`;
  const left = place === 'first' ? destination.look(world, 'moved') : destination.look(world, 'first');
  if (Object.keys(left).length > 0) return `${shorten(left)} is left behind`;
  if (!isEqual(destination.bystander(world), bystander)) return 'what belongs to somebody else was touched';
  return undefined;
}

function checkLastCopies({ world, destination, lasting, problems }: Play, step: Step): void {
  const present = [...Object.keys(destination.look(world, 'first')), ...Object.keys(destination.look(world, 'moved'))];
  const lost = lasting.filter((key) => !present.includes(key) && !present.includes(`NEW_${key}`));
  if (lost.length > 0) problems.push(`after ${step.name} no copy of ${lost.join(', ')} is left`);
}

function isEqual(one: unknown, other: unknown): boolean {
  const sorted = (value: unknown): string =>
    JSON.stringify(value, (_, part: unknown) =>
      typeof part === 'object' && part !== null && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    );
  return sorted(one) === sorted(other);
}

function shorten(found: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(found).map(([key, value]) => [key, value.slice(0, 12)])));
}
