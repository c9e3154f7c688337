/**
 * The single-fault sweep of pulls: a job of another program is recorded as a wish, dispatched,
 * claimed, read and written. After the fault the world is healthy again, and everything runs until
 * it rests. Then the folder must hold what the source holds, or the brake must hold; and the
 * history must say of each change what it was, once.
 */
import type { Job } from 'bullmq';
import { JobError } from '../../src/errors.ts';
import { createLog } from '../../src/observe/log.ts';
import { createPull } from '../../src/workers/pull/pull.ts';
import { createRunPull } from '../../src/workers/pull/run-pull.ts';
import { fakeKinds, json, type FakeSource } from '../integration/sources/fake-sources.ts';
import { createSourceWorld, HOSTS } from '../integration/sources/world.ts';
import type { Stage } from '../support/stage.ts';
import { databaseClock, type DatabaseClock } from '../support/database-clock.ts';
import { createInjector, type Injector, type PullStores, type Step } from './faults.ts';
import { check, isEqual, momentOf, requireLasting, SECOND, statusOf, type Play, type PullCase } from './pull-checks.ts';
import type { PullSite, SourceKind } from './pull-situations.ts';

/** More pulls than any of these situations needs. */
const MAX_PULLS = 8;
/** Of the last pull, which finds nothing new: with a login where its worker is new. */
const LAST_REQUESTS: Readonly<Record<SourceKind, number>> = { http: 1, infisical: 2 };

/**
 * Throws, with the reasons, when something that must hold does not. Returns the steps that a fault
 * could hit.
 */
export async function playPull(stage: Stage, wanted: PullCase): Promise<readonly Step[]> {
  const [fake, other] = [await fakeKinds[wanted.kind].open(), await fakeKinds[wanted.kind].open()];
  const clock = await databaseClock(stage.databaseUrl);
  await clock.reset();
  const site = { kind: wanted.kind, world: await createSourceWorld(stage), fake, other };
  try {
    return await play(site, clock, wanted);
  } finally {
    await site.world.sources.unset(site.world.folder).catch(unlessGone);
    await fake.server.close();
    await other.server.close();
  }
}

function unlessGone(error: unknown): void {
  if (!(error instanceof JobError) || error.code !== 'SOURCE_NOT_FOUND') throw error;
}

async function play(site: PullSite, clock: DatabaseClock, wanted: PullCase): Promise<readonly Step[]> {
  const { situation, fault } = wanted;
  const injector = createInjector();
  const worker = openWorker(site, injector.wrapPulls(site.world));
  await arrange(site, { situation, worker, clock });
  const start = await momentOf(site);
  const isBlocked = situation.isBlocked === true;
  const expected = isBlocked ? start.values : (situation.expected ?? situation.source);
  const playing: Play = {
    ...site,
    ...wanted,
    clock,
    injector,
    start,
    expected,
    isBlocked,
    hasHappened: false,
    problems: [],
  };
  const hasAsked = await pullWithFault(playing, worker);
  const healthy = injector.isDead() || fault?.mode === 'overtaken' ? openWorker(site, site.world) : worker;
  if (!hasAsked) await attempt(playing, () => healthy.ask());
  await rest(playing, healthy);
  await pullAgain(playing, healthy);
  await check(playing);
  if (fault && !injector.wasHit()) playing.problems.push('the step was not reached');
  if (playing.problems.length > 0) throw new Error([...new Set(playing.problems)].join('; '));
  return [...injector.steps];
}

interface Arranging extends Pick<Play, 'situation' | 'clock'> {
  readonly worker: PullWorker;
}

async function arrange(site: PullSite, { situation, worker, clock }: Arranging): Promise<void> {
  const { kind, world, fake } = site;
  const byHand = Object.entries(situation.byHand ?? {}).map(([key, value]) => ({ key, value }));
  if (byHand.length > 0) await world.folders.change(world.folder, byHand, 'merge');
  await world.set(fakeKinds[kind].settings(fake.server.url));
  await pass({ clock }, SECOND);
  if (situation.pulled) {
    fake.values = situation.pulled;
    await worker.work();
    if (!isEqual(await world.values(), situation.pulled)) throw new Error('The source was not pulled before.');
  }
  fake.values = situation.source;
  situation.prepare?.(site);
}

interface PullWorker {
  /** Takes the job of another program. A second time it is the same job again. */
  ask(): Promise<unknown>;
  /** Queues what is due, and pulls it. */
  work(): Promise<void>;
}

/** With nothing in its memory. */
function openWorker({ world: { folder, orgId } }: PullSite, { folders, sources }: PullStores): PullWorker {
  const log = createLog({ level: 'silent' });
  const pull = createPull({ folders, sources, network: { hosts: HOSTS }, log });
  const runPull = createRunPull({ sources, pull, isGuarded: () => false });
  const deliver = (id: string, data: object) => {
    const job = { name: 'pull', id, data: { folderId: folder.id, ...data }, attemptsMade: 0, timestamp: 1 };
    // Shutting down: a statement that fails ends the job, instead of being tried until PostgreSQL
    // is back.
    return runPull({ log, onRun: () => undefined }, job as unknown as Job, AbortSignal.abort());
  };
  return {
    ask: () => deliver(`asked-${orgId}`, {}),
    async work() {
      const due = await sources.dispatch(100);
      for (const { id } of due) if (id === folder.id) await deliver('dispatched', { dispatched: true });
    },
  };
}

/** False when the job of the other program comes again, since it did not end. */
async function pullWithFault(playing: Play, worker: PullWorker): Promise<boolean> {
  const { injector, fake, fault } = playing;
  intercept(fake, injector);
  injector.arm(fault, {
    observe: () => undefined,
    overtake: async () => {
      injector.disarm();
      await letHappen(playing);
      await rest(playing, openWorker(playing, playing.world));
    },
  });
  const hasAsked = await attempt(playing, () => worker.ask());
  await attempt(playing, () => worker.work());
  injector.disarm();
  await requireLasting(playing);
  await letHappen(playing);
  return hasAsked;
}

function intercept(fake: FakeSource, { exchange }: Injector): void {
  fake.server.intercept = (request, response, answer) => {
    void exchange({
      name: `${request.method ?? ''} ${(request.url ?? '').split('?')[0] ?? ''}`,
      answer,
      answerLate: async (wait) => {
        const held = fake.values;
        await wait();
        const now = fake.values;
        fake.values = held;
        answer();
        fake.values = now;
      },
      drop: () => response.destroy(),
      refuse: (status) => {
        json(response, status, {});
      },
    });
  };
}

/** What the situation brings, once; by default a late answer is an old one. */
async function letHappen(playing: Play): Promise<void> {
  const { situation, fault, fake, start } = playing;
  if (playing.hasHappened) return;
  playing.hasHappened = true;
  if (situation.meanwhile) await situation.meanwhile(playing);
  else if (fault?.mode === 'late answer') {
    // What the brake held back is there again.
    fake.values = { ...(playing.isBlocked ? start.values : {}), ...fake.values, LATER: 'new' };
    Object.assign(playing, { expected: fake.values, isBlocked: false });
  }
  if (situation.isUnset === true) playing.end = await momentOf(playing);
}

/** A job that fails is normal here; false for it. */
async function attempt({ injector, problems }: Play, act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    const isReported = error instanceof JobError || (error instanceof Error && error.name === 'UnrecoverableError');
    const isUnexpected = !isReported || String(error).includes('BUG_');
    if (isUnexpected && !injector.isDead()) problems.push(String(error));
    return false;
  }
}

/** Pulls whatever is due, until only the schedule is left. */
async function rest(playing: Play, worker: PullWorker): Promise<void> {
  for (let pulls = 0; pulls < MAX_PULLS; pulls += 1) {
    const [row] = await statusOf(playing);
    if (!row || row.is_at_rest) return;
    await pass(playing, row.wait_ms);
    await attempt(playing, () => worker.work());
  }
  playing.problems.push(`no rest within ${String(MAX_PULLS)} pulls`);
}

async function pass({ clock }: Pick<Play, 'clock'>, ms: number): Promise<void> {
  clock.advance(ms);
  await clock.settled();
}

/** By its schedule: nothing is new since. */
async function pullAgain(playing: Play, worker: PullWorker): Promise<void> {
  const { kind, world, fake, other, problems } = playing;
  const [row] = await statusOf(playing);
  if (!row) return;
  const countRequests = () => fake.server.requests.length + other.server.requests.length;
  const [revision, requests] = [await world.revision(), countRequests()];
  await pass(playing, row.wait_ms);
  await attempt(playing, () => worker.work());
  if ((await world.revision()) !== revision) problems.push('a pull that finds nothing new made a revision');
  const made = countRequests() - requests;
  if (made < 1 || made > LAST_REQUESTS[kind]) problems.push(`the last pull made ${String(made)} requests`);
}
