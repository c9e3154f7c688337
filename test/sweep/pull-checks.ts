/**
 * What must hold after a pull with a fault, read from the folder, the source's row and the history.
 */
import { sql } from 'drizzle-orm';
import type { DatabaseClock } from '../support/database-clock.ts';
import type { Fault, Injector } from './faults.ts';
import type { PullSite, PullSituation, SourceKind, Values } from './pull-situations.ts';

export interface PullCase {
  readonly kind: SourceKind;
  readonly situation: PullSituation;
  /** undefined: everything goes well. */
  readonly fault: Fault | undefined;
}

export interface Play extends PullSite, PullCase {
  readonly clock: DatabaseClock;
  readonly injector: Injector;
  readonly problems: string[];
  /** When the faults come. */
  readonly start: Moment;
  /** After the source went. */
  end?: Moment;
  expected: Values;
  /** By the brake. */
  isBlocked: boolean;
  hasHappened: boolean;
}

interface Moment {
  readonly values: Values;
  readonly revision: number;
  readonly history: Readonly<Record<string, number>>;
  readonly requests: number;
}

/** A row is due, and a lease is over, once its moment has passed. */
export const SECOND = 1_000;
/** Of all pulls of a case. */
const MAX_REQUESTS = 8;

interface Status {
  readonly is_at_rest: boolean;
  readonly wait_ms: number;
  readonly status: string;
}

export async function statusOf({ world }: Play): Promise<readonly Status[]> {
  const rows = await world.db.execute(sql`
    select status, ${SECOND}
      + greatest(0, extract(epoch from greatest(next_due_at, lease_until) - now())::float8 * 1000)
      as wait_ms,
      lease_until is null and asked = answered and failures = 0
        and next_due_at > now() as is_at_rest
    from keyferry.sources where folder_id = ${world.folder.id}`);
  return rows as unknown as readonly Status[];
}

export async function momentOf({ world, fake, other }: PullSite): Promise<Moment> {
  const [history = {}] = await world.db.execute(sql`
    select
      (select count(*)::int from keyferry.runs r
        where r.subject_id = f.id and r.finished_at is null) as open_runs,
      (select count(*)::int from keyferry.runs r where r.subject_id = f.id
        and (r.counts ->> 'updated')::int + (r.counts ->> 'deleted')::int > 0) as changing,
      (select coalesce(sum((r.counts ->> 'deleted')::int), 0)::int from keyferry.runs r
        where r.subject_id = f.id) as deleted,
      (select count(*)::int from keyferry.requests q where q.subject_id = f.id) as requests,
      (select count(*)::int from keyferry.requests q
        where q.subject_id = f.id and q.done_at is null) as open_requests,
      (select count(*)::int from keyferry.requests q where q.subject_id = f.id
        and not exists (select from keyferry.runs r where r.id = q.run_id)) as unanswered
    from keyferry.folders f where f.id = ${world.folder.id}`);
  return {
    values: await world.values(),
    revision: await world.revision(),
    history: history as Readonly<Record<string, number>>,
    requests: fake.server.requests.length + other.server.requests.length,
  };
}

/** What was there, and stays in the end, was never gone. */
export async function requireLasting({ world, start, expected, problems, situation }: Play): Promise<void> {
  const held = Object.keys(await world.values());
  const lost = Object.keys(start.values).filter((key) => !held.includes(key) && key in expected);
  if (lost.length > 0 && situation.isUnset !== true) problems.push(`${lost.join(', ')} was removed`);
}

export async function check(playing: Play): Promise<void> {
  const { situation, start, end, problems } = playing;
  const now = await momentOf(playing);
  const [row] = await statusOf(playing);
  const since = (name: string) => (now.history[name] ?? 0) - (start.history[name] ?? 0);
  const expected = end?.values ?? playing.expected;
  if (!isEqual(now.values, expected)) problems.push(`the folder holds ${JSON.stringify(now.values)}`);
  const wantedStatus = situation.isUnset === true ? undefined : playing.isBlocked ? 'blocked' : 'succeeded';
  if (row?.status !== wantedStatus) problems.push(`the source is ${row?.status ?? 'gone'}`);
  const revisions = now.revision - start.revision;
  const mostRevisions = situation.meanwhile ? 2 : isEqual(start.values, expected) ? 0 : 1;
  if (revisions > mostRevisions) problems.push(`${String(revisions)} revisions for one change`);
  if (since('changing') !== revisions)
    problems.push(`${String(since('changing'))} runs say that they changed something`);
  const gone = Object.keys(start.values).filter((key) => !(key in now.values)).length;
  if (since('deleted') !== gone) problems.push(`the history counts ${String(since('deleted'))} removals`);
  if (since('open_runs') > 0) problems.push('a run has not ended');
  if (since('open_requests') > 0) problems.push('a request stays open');
  if (since('requests') !== 1 && situation.isUnset !== true)
    problems.push(`one job became ${String(since('requests'))} requests`);
  if (since('unanswered') > 0 && situation.isUnset !== true) problems.push('a request ended without its run');
  const requests = now.requests - start.requests;
  if (requests > MAX_REQUESTS) problems.push(`${String(requests)} requests to the source`);
}

export function isEqual(one: Values, other: Values): boolean {
  const sorted = (values: Values): string => JSON.stringify(Object.entries(values).sort());
  return sorted(one) === sorted(other);
}
