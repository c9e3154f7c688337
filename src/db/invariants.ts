/**
 * What must never be true of a subject at rest, found and repaired by one statement for each kind.
 * Each row that it finds is a defect of keyferry: it is made due, counted and alerted on, so that
 * the defect delays work by minutes and is not lost. Nothing here is part of the normal path.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Database } from './client.ts';
import { treeRevision, treeUpdatedAt } from './sync/tree.ts';
import { execute } from './statement.ts';
import { lockKeys } from './locks.ts';
import { wakes } from './engine/wake.ts';

/**
 * - `ahead`: an automatic subject, neither paused nor blocked, whose wish or folder is ahead of
 *   what was done, and which is not due
 * - `request`: an open request of a subject that is not due
 * - `phase`: a rotation in the middle of a cycle that is never due
 * - `lease`: a lease that ran out on a subject that is not due
 * - `leftover`: an open request or run of a subject that was deleted
 */
export type Invariant = 'ahead' | 'request' | 'phase' | 'lease' | 'leftover';
export type Repaired = Readonly<Record<Invariant, number>>;

/** A lease that ran out this long ago belongs to nobody. */
const DEAD_SECONDS = 120;

/** At rest: no run and no job has it. */
const isAtRest = sql`coalesce(greatest(t.dispatch_lease_until, t.run_lease_until) < now(), true)`;
/** Settlements that continue or retry keep the reason; one that is over leaves the schedule's. */
const isForgotten = sql`(t.next_due_at is null
  or (t.next_due_at > now() and t.due_reason = 'scheduled'))`;
const isAsked = sql`exists (select 1 from keyferry.requests r
  where r.subject_id = t.id and r.done_at is null)`;
const isDead = sql`least(t.dispatch_lease_until, t.run_lease_until) < now()
  - make_interval(secs => ${DEAD_SECONDS})
            and (t.next_due_at is null or t.next_due_at > now())`;
const isAhead = sql`t.wanted_revision > t.done_revision and ${isForgotten}`;

const broken: readonly { readonly table: SQL; readonly cases: SQL }[] = [
  {
    table: sql`keyferry.connections`,
    cases: sql`when ${isDead} then 'lease' when ${isAtRest} and ${isForgotten} and ${isAsked}
      then 'request'
          when ${isAtRest} and ${isAhead} then 'ahead'`,
  },
  {
    table: sql`keyferry.syncs`,
    cases: sql`when ${isDead} then 'lease' when ${isAtRest} and ${isForgotten} and ${isAsked}
      then 'request'
          when ${isAtRest} and t.is_auto_sync_enabled and t.paused_at is null
            and t.sync_status <> 'blocked' and (${isAhead}
              or (t.sync_status = 'succeeded' and t.next_due_at > now()
                and exists (select 1 from keyferry.folders f
                  where f.id = t.folder_id and ${treeRevision(sql`t`)} > t.synced_revision
                    and ${treeUpdatedAt(sql`t`)} > t.last_synced_at))) then 'ahead'`,
  },
  {
    table: sql`keyferry.rotations`,
    cases: sql`when ${isDead} then 'lease' when ${isAtRest} and ${isForgotten} and ${isAsked}
      then 'request'
          when ${isAtRest} and t.phase <> 'idle' and t.next_due_at is null and t.paused_at is null
            and t.rotation_status in ('pending', 'running', 'succeeded') then 'phase'
          when ${isAtRest} and t.paused_at is null and t.rotation_status <> 'blocked' and ${isAhead}
            then 'ahead'`,
  },
];

/**
 * Makes due what must not rest, closes what has no subject. Returns how many of each kind were
 * found; all 0 is how it should be.
 */
export async function repairInvariants(db: Database): Promise<Repaired> {
  const [syncs, rotations, connections] = await Promise.all(
    ['sync', 'rotate', 'validate'].map((kind) => repairSubjects(db, kind)),
  );
  const leftover = await closeLeftovers(db);
  const count = (invariant: Invariant) =>
    [syncs, rotations, connections].reduce((sum, found) => sum + (found?.get(invariant) ?? 0), 0);
  return { ahead: count('ahead'), request: count('request'), phase: count('phase'), lease: count('lease'), leftover };
}

async function repairSubjects(db: Database, kind: string): Promise<ReadonlyMap<string, number>> {
  const { table, cases } = broken[['validate', 'sync', 'rotate'].indexOf(kind)] ?? { table: sql``, cases: sql`` };
  const rows = await execute(
    db,
    sql`
      with guard as materialized (
        select pg_try_advisory_xact_lock(${lockKeys.invariants}, hashtext(${kind})) as held
      ),
      found as materialized (
        select t.id, t.xmin as row_version, case ${cases} end as invariant from ${table} t, guard
        where guard.held
      ),
      repaired as (
        update ${table} t set next_due_at = now(), due_reason = 'recovered'
        from found where found.invariant is not null and t.id = found.id
          and t.xmin = found.row_version
        returning found.invariant
      )
      select invariant, count(*)::int as n, (select ${wakes(kind)}) as woken from repaired
      group by invariant`,
  );
  return new Map(rows.map((row) => [String(row['invariant']), Number(row['n'])]));
}

async function closeLeftovers(db: Database): Promise<number> {
  const hasSubject = (id: SQL) => sql`(exists (select 1 from keyferry.syncs where id = ${id})
          or exists (select 1 from keyferry.rotations where id = ${id})
          or exists (select 1 from keyferry.connections where id = ${id})
          or exists (select 1 from keyferry.sources where folder_id = ${id}))`;
  const [row] = await execute(
    db,
    sql`
      with closed as (
        update keyferry.requests r set done_at = now()
        where r.done_at is null and not ${hasSubject(sql`r.subject_id`)} returning 1
      ),
      ended as (
        update keyferry.runs r
        set status = 'abandoned', finished_at = now(), error_code = 'LEASE_LOST',
          error_message = 'It was deleted while this run was under way.'
        where r.status = 'running' and not ${hasSubject(sql`r.subject_id`)} returning 1
      )
      select (select count(*) from closed)::int + (select count(*) from ended)::int as n`,
  );
  return Number(row?.['n'] ?? 0);
}
