/**
 * The sums of the status page and of the metrics, and the list of what needs a person. One pass
 * over each table.
 */
import { sql, type SQL } from 'drizzle-orm';

import { type Guard, type GuardReason, toGuard } from '../../domain/installation.ts';
import type { Kind } from '../../domain/run.ts';
import { type Workers, summarizeWorkers } from '../../domain/live-worker.ts';
import { toLiveWorkers } from '../live-workers.ts';
import { parseMoment } from '../moment.ts';
import { isStale } from '../source-staleness.ts';
import { parsedJson, textOrNull, type ReadAll } from '../read.ts';

export interface Overview {
  readonly connections: Readonly<Record<string, number>>;
  readonly syncs: Readonly<Record<string, number>>;
  readonly rotations: Readonly<Record<string, number>>;
  readonly drifted: number;
  /** Null while workers may change AWS. */
  readonly guard: Guard | null;
  readonly workers: Workers;
  /** Subjects that need a person: all that `attention` would list. */
  readonly troubled: number;
  readonly due: Readonly<Record<Kind, { readonly count: number; readonly oldestSeconds: number }>>;
  /** Of webhooks: not delivered yet, and not taken within three days. */
  readonly events: { readonly waiting: number; readonly parked: number };
  /** Folders whose sources are stale, the longest first. */
  readonly staleSources: readonly StaleSource[];
  /** The webhooks with parked events, those with most of them first. */
  readonly parkedAt: readonly { readonly orgId: string; readonly name: string; readonly parked: number }[];
}

export interface StaleSource {
  readonly orgId: string;
  readonly projectId: string;
  readonly environment: string;
  readonly secretPath: string;
  readonly statusCode: string | null;
  readonly statusMessage: string | null;
}

/** A subject that needs a person. */
export interface Attention {
  readonly kind: 'connection' | 'sync' | 'rotation';
  readonly id: string;
  readonly orgId: string;
  readonly name: string;
  readonly status: string;
  readonly statusCode: string | null;
  readonly statusMessage: string | null;
  readonly since: Date;
  /** What the first failing check of a connection advises. */
  readonly fix: string | null;
  /** Syncs and rotations that this connection blocks. They are not listed themselves. */
  readonly blocks: number;
}

/** A connection that lacks permissions denies what its syncs and rotations need. */
const isOfConnection = (table: SQL) => sql`(${table}.status_code like 'CONNECTION\\_%'
    or ${table}.status_code = 'AWS_ACCESS_DENIED')`;

/** A subject that only its connection blocks; the connection is listed instead. */
const isBlockedByConnection = (table: SQL) => sql`(
  ${isOfConnection(table)}
  and exists (select from keyferry.connections c
    where c.id = ${table}.connection_id and c.is_troubled))`;

const blockedBy = sql`(
  (select count(*) from keyferry.syncs s
    where s.is_troubled and s.connection_id = connections.id
      and ${isOfConnection(sql`s`)})
  + (select count(*) from keyferry.rotations r
    where r.is_troubled and r.connection_id = connections.id
      and ${isOfConnection(sql`r`)}))::int`;

const firstFix = sql`(select c->'fix'->>'advice' from jsonb_array_elements(checks) c
  where c->>'verdict' = 'fail' limit 1)`;

/** One pass over each table; the rest is added up here. */
export async function readOverview(all: ReadAll): Promise<Overview> {
  const drifted = sql`drift = 'drifted'`;
  const [row] = await all(sql`
    select
      ${countsOf(sql`keyferry.connections`, { status: sql`status`, drifted: sql`false` })} as
        connections,
      ${countsOf(sql`keyferry.syncs`, { status: sql`sync_status`, drifted })} as syncs,
      ${countsOf(sql`keyferry.rotations`, { status: sql`rotation_status`, drifted: sql`false` })} as
        rotations,
      ${dueOf(sql`keyferry.connections`)} as validate,
      ${dueOf(sql`keyferry.syncs`)} as sync,
      ${dueOf(sql`keyferry.rotations`)} as rotate,
      (select jsonb_build_object('waiting', count(*) filter (where next_attempt_at is not null),
          'parked', count(*) filter (where parked_at is not null))
        from keyferry.notifications
        where next_attempt_at is not null or parked_at is not null) as events,
      (select coalesce(jsonb_agg(to_jsonb(p)), '[]') from (
        select w.org_id as "orgId", w.name, count(*)::int as parked
        from keyferry.notifications n join keyferry.webhooks w on w.id = n.webhook_id
        where n.parked_at is not null group by w.id order by parked desc limit 10) p) as parked_at,
      (select coalesce(jsonb_agg(to_jsonb(o)), '[]') from (
        select f.org_id as "orgId", f.project_id as "projectId", f.environment,
          f.secret_path as "secretPath",
          s.status_code as "statusCode", s.status_message as "statusMessage"
        from keyferry.sources s join keyferry.folders f on f.id = s.folder_id
        where ${isStale} order by coalesce(last_pulled_at, created_at) limit 10) o) as
          stale_sources,
      (select to_jsonb(i) || jsonb_build_object('now', now())
        from keyferry.installation i) as installation`);
  const counts = (name: string) => parsedJson(row?.[name]) as readonly StatusCount[];
  const due = (name: string) => parsedJson(row?.[name]) as { count: number; oldestSeconds: number };
  const tables = [counts('connections'), counts('syncs'), counts('rotations')] as const;
  const sum = (field: 'drifted' | 'troubled') => tables.flat().reduce((total, count) => total + count[field], 0);
  const [ofConnections, ofSyncs, ofRotations] = tables;
  return {
    connections: byStatus(ofConnections),
    syncs: byStatus(ofSyncs),
    rotations: byStatus(ofRotations),
    drifted: sum('drifted'),
    guard: guardOf(parsedJson(row?.installation)),
    workers: workersOf(parsedJson(row?.installation)),
    troubled: sum('troubled'),
    events: parsedJson(row?.events) as Overview['events'],
    staleSources: parsedJson(row?.stale_sources) as Overview['staleSources'],
    parkedAt: parsedJson(row?.parked_at) as Overview['parkedAt'],
    due: { validate: due('validate'), sync: due('sync'), rotate: due('rotate') },
  };
}

function guardOf(installation: unknown): Guard | null {
  const row = installation as { id: string; guard_reason: GuardReason | null; guarded_at: string | null } | null;
  if (row === null) return null;
  const guardedAt = row.guarded_at === null ? null : parseMoment(row.guarded_at);
  return toGuard({ id: row.id, guardReason: row.guard_reason, guardedAt });
}

function workersOf(installation: unknown): Workers {
  const row = installation as { seen_at: string | null; workers: unknown; now: string } | null;
  if (row === null) return { areRunning: false, lastSeenAt: null, workers: [] };
  const countedAt = row.seen_at === null ? null : parseMoment(row.seen_at);
  return summarizeWorkers(toLiveWorkers(row.workers), countedAt, parseMoment(row.now));
}

interface StatusCount {
  readonly status: string;
  readonly n: number;
  readonly drifted: number;
  readonly troubled: number;
}

function byStatus(counts: readonly StatusCount[]): Readonly<Record<string, number>> {
  return Object.fromEntries(counts.map(({ status, n }) => [status, n]));
}

function countsOf(table: SQL, { status, drifted }: { readonly status: SQL; readonly drifted: SQL }): SQL {
  return sql`(select coalesce(jsonb_agg(to_jsonb(c)), '[]') from (
    select ${status} as status, count(*)::int as n,
      (count(*) filter (where ${drifted}))::int as drifted,
      (count(*) filter (where is_troubled))::int as troubled
    from ${table} group by 1) c)`;
}

/** Due and not yet taken by a run. */
function dueOf(table: SQL): SQL {
  return sql`(
    select jsonb_build_object('count', count(*)::int,
      'oldestSeconds', coalesce(extract(epoch from now() - min(next_due_at)), 0)::float)
    from ${table}
    where next_due_at <= now() and (run_lease_until is null or run_lease_until < now()))`;
}

export async function readAttention(all: ReadAll, limit: number): Promise<readonly Attention[]> {
  const ofConnection = { fix: firstFix, blocks: blockedBy, isShown: sql`true` };
  const ofUser = (table: SQL) => ({
    fix: sql`null::text`,
    blocks: sql`0`,
    isShown: sql`not ${isBlockedByConnection(table)}`,
  });
  const part = (kind: Attention['kind'], status: SQL, { fix, blocks, isShown }: ReturnType<typeof ofUser>) => sql`
    (select ${kind}::text as kind, id, org_id, name, ${status} as status, status_code,
      status_message,
        status_since, ${fix} as fix, ${blocks} as blocks
      from ${sql.raw(`keyferry.${kind}s`)}
      where is_troubled and ${isShown}
      order by status_since desc limit ${limit})`;
  const syncStatus = sql`case when sync_status in ('failed', 'blocked', 'partial') then sync_status
    else 'drifted' end`;
  const rows = await all(sql`
    ${part('connection', sql`status`, ofConnection)}
    union all ${part('rotation', sql`rotation_status`, ofUser(sql`rotations`))}
    union all ${part('sync', syncStatus, ofUser(sql`syncs`))}
    order by kind, status_since desc limit ${limit}`);
  return rows.map((row) => ({
    kind: row.kind as Attention['kind'],
    id: String(row.id),
    orgId: String(row.org_id),
    name: String(row.name),
    status: String(row.status),
    statusCode: textOrNull(row.status_code),
    statusMessage: textOrNull(row.status_message),
    since: parseMoment(row.status_since),
    fix: textOrNull(row.fix),
    blocks: Number(row.blocks),
  }));
}
