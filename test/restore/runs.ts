/**
 * Runs of the scene's subjects, each with what must hold whatever it is for: what consumers hold
 * stays usable, strangers' things stay.
 */
import { sql } from 'drizzle-orm';

import { JobError } from '../../src/errors.ts';
import { BYSTANDER } from '../sweep/destinations.ts';
import { findConsumers, findKeys, HOUR, MINUTE, readAws, type Scene, TAKEN } from './scene.ts';

export interface Due {
  readonly kind: 'sync' | 'rotate';
  readonly id: string;
  readonly inMs: number;
}

/**
 * What is due first; undefined when nothing is. Of what is due now, the order is always the same.
 */
export async function findDue({ world, stage }: Scene): Promise<Due | undefined> {
  await world.clock.settled();
  const [row] = await stage.handle.db.execute<{ kind: Due['kind']; id: string; in_ms: string }>(sql`
    select kind, id, extract(epoch from due_at - now()) * 1000 as in_ms from (
      select 'sync' as kind, id, next_due_at as due_at, created_at
      from keyferry.syncs where org_id = ${world.orgId}
      union all
      select 'rotate', id, next_due_at, created_at
      from keyferry.rotations where org_id = ${world.orgId}
    ) subjects
    where due_at is not null
    order by greatest(due_at, now()), kind, created_at
    limit 1`);
  return row && { kind: row.kind, id: row.id, inMs: Math.max(0, Math.ceil(Number(row.in_ms))) };
}

/** Runs what is due within that time, at most so many runs. Returns how many there were. */
export async function runDue(
  scene: Scene,
  limits: { readonly runs: number; readonly withinMs: number },
): Promise<number> {
  let leftMs = limits.withinMs;
  for (let runs = 0; runs < limits.runs; runs += 1) {
    const due = await findDue(scene);
    if (!due || due.inMs > leftMs) return runs;
    leftMs -= due.inMs;
    await pass(scene, due.inMs);
    await runOne(scene, due);
  }
  return limits.runs;
}

/** Consumers sign something at least this often. */
const USE_EVERY_MS = 2 * HOUR;

/** Lets time pass, in which consumers use what they hold. */
export async function pass(scene: Scene, ms: number): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= USE_EVERY_MS) {
    scene.world.clock.advance(Math.min(leftMs, USE_EVERY_MS));
    if (leftMs < MINUTE) continue;
    const used = findConsumers(scene).filter((one) => one.works);
    const { stubborn } = scene.people;
    const pairs = new Map(used.map(({ pair }) => [pair.accessKeyId, pair]));
    if (stubborn && scene.rotation.works(stubborn)) pairs.set(stubborn.accessKeyId, stubborn);
    for (const pair of pairs.values()) await scene.rotation.use(pair);
  }
}

/** One run, between two looks at AWS. */
export async function runOne(scene: Scene, due: Pick<Due, 'kind' | 'id'>): Promise<void> {
  const before = look(scene);
  const outcome = await perform(scene, due);
  scene.story.push(`run ${due.kind}: ${outcome}`);
  compare(scene, before, due.kind);
}

async function perform(scene: Scene, { kind, id }: Pick<Due, 'kind' | 'id'>): Promise<string> {
  try {
    const outcome = kind === 'sync' ? (await scene.worker.runOnce(id)).outcome : await scene.rotation.runOnce(id);
    return 'code' in outcome ? `${outcome.status} ${outcome.code}` : outcome.status;
  } catch (error) {
    const isExpected =
      error instanceof Error && /is not due|could not be claimed|was not settled|no sync/.test(error.message);
    if (!isExpected) throw error;
    // A lease of the restored rows, or of a run that the failover cut off.
    scene.world.clock.advance(MINUTE);
    return error.message;
  }
}

interface Look {
  readonly consumers: ReturnType<typeof findConsumers>;
  readonly keys: ReturnType<typeof findKeys>;
  readonly strangers: string;
}

function look(scene: Scene): Look {
  return { consumers: findConsumers(scene), keys: findKeys(scene), strangers: strangersOf(scene) };
}

const strangersOf = (scene: Scene): string =>
  JSON.stringify(
    [...readAws(scene)].filter(
      ([name]) => name.endsWith(BYSTANDER) || (name.endsWith(`/${TAKEN}`) && !name.startsWith('json ')),
    ),
  );

function compare(scene: Scene, before: Look, kind: Due['kind']): void {
  const { problems, people, rotation } = scene;
  const after = look(scene);
  for (const consumer of before.consumers.filter((one) => one.works)) {
    const { prefix, pair } = consumer;
    const same = after.consumers.find((one) => one.prefix === prefix);
    if (kind === 'rotate' && !rotation.works(pair))
      problems.push(`a rotation took away the key ${pair.accessKeyId} that the consumer of ${prefix} holds`);
    if (kind === 'sync' && same && !same.works)
      problems.push(`a sync gave the consumer of ${prefix} a key that does not work`);
    if (kind === 'sync' && !same && !isMoved(scene, after, consumer))
      problems.push(`a sync took the pair away from the consumer of ${prefix}`);
  }
  for (const [accessKeyId, status] of people.keys) {
    const key = after.keys.find((one) => one.accessKeyId === accessKeyId);
    if (key?.status !== status) problems.push(`the key ${accessKeyId} that a person made is ${key?.status ?? 'gone'}`);
  }
  const { stubborn } = people;
  const wasUsable = before.keys.some((key) => key.accessKeyId === stubborn?.accessKeyId && key.status === 'Active');
  if (stubborn && wasUsable && !rotation.works(stubborn))
    problems.push(`the key ${stubborn.accessKeyId} was retired while a consumer used it`);
  if (before.strangers !== after.strangers)
    problems.push(`objects of others: ${before.strangers} became ${after.strangers}`);
}

/** A move or a removal that a person asked for. */
function isMoved({ people }: Scene, after: Look, { service }: Look['consumers'][number]): boolean {
  return people.removed.size > 0 || after.consumers.some((one) => one.service === service && one.works);
}

/** What people ask for may be refused, by name. */
export async function unlessRefused(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof JobError) || error.code === 'BUG_UNEXPECTED') throw error;
  }
}
