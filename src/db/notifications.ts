/**
 * Events that no run settles: problems that begin, change or end, and dates that come near, each
 * reported once. `notification_states` remembers what was reported last; the difference from the
 * present state becomes rows of the outbox in the same statement, so that neither a crash nor a
 * second server can send an event twice or lose it.
 *
 *   (well) ── trouble begins ──► told ── changes ──► told ── well again ──► recovered ──► (well)
 *
 * A subject that is merely running or pending keeps its last report: a retry is not a recovery.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Database } from './client.ts';
import { queued } from './events.ts';
import { sourceSubjects } from './source-staleness.ts';
import { execute } from './statement.ts';
import { lockKeys } from './locks.ts';

export interface Notifications {
  /**
   * Detects changes and puts them into the outbox; returns how many rows. Of two concurrent calls
   * one does it.
   */
  detect(): Promise<number>;
}

const KEPT = sql`interval '7 days'`;
const PARKED_KEPT = sql`interval '30 days'`;

/** `hasOperator`: whether the operator has an endpoint, too. */
export function createNotifications(db: Database, { hasOperator }: { readonly hasOperator: boolean }): Notifications {
  const statement = detectionFor({ hasOperator });
  return { detect: async () => Number((await execute(db, statement))[0]?.told ?? 0) };
}

interface Topic {
  readonly topic: 'connection' | 'sync' | 'drift' | 'rotation' | 'source';
  readonly table: SQL;
  readonly state: SQL;
  readonly isTrouble: SQL;
  readonly isWell: SQL;
}

/** A subject that only waits for an invalid connection is not reported in addition to it. */
const ownTrouble = sql`coalesce(status_code, '') not in ('CONNECTION_INVALID',
  'CONNECTION_PENDING')`;

const topics: readonly Topic[] = [
  {
    topic: 'connection',
    table: sql`keyferry.connections`,
    state: sql`status`,
    isTrouble: sql`status = 'invalid'`,
    isWell: sql`status = 'valid'`,
  },
  {
    topic: 'sync',
    table: sql`keyferry.syncs`,
    state: sql`sync_status`,
    isTrouble: sql`sync_status in ('failed', 'blocked', 'partial') and ${ownTrouble}`,
    isWell: sql`sync_status = 'succeeded'`,
  },
  {
    topic: 'drift',
    table: sql`keyferry.syncs`,
    state: sql`drift`,
    isTrouble: sql`drift = 'drifted'`,
    isWell: sql`drift = 'none'`,
  },
  {
    topic: 'rotation',
    table: sql`keyferry.rotations`,
    state: sql`rotation_status`,
    isTrouble: sql`rotation_status in ('failed', 'blocked') and ${ownTrouble}`,
    isWell: sql`rotation_status = 'succeeded'`,
  },
  {
    topic: 'source',
    table: sourceSubjects,
    state: sql`'stale'::text`,
    isTrouble: sql`true`,
    isWell: sql`not is_troubled`,
  },
];

const SOON = sql`interval '1 day'`;

/** In the format of all other times in a message. */
function isoText(moment: SQL): SQL {
  return sql`to_char(${moment} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;
}

const facts = sql`id, org_id, name, status_code, status_message`;

/** All that need a person, by topic: few rows, found by the partial indexes. */
const troubled = sql.join(
  topics.map(
    ({ topic, table, state, isTrouble }) =>
      sql`select ${topic}::text as topic, ${state} as state, ${facts} from ${table}
        where is_troubled and ${isTrouble}`,
  ),
  sql` union all `,
);

/** All that are healthy again, of those that were reported. */
const recovered = sql.join(
  topics.map(
    ({ topic, table, isWell }) => sql`
      select ${topic}::text as topic, 'recovered' as state, ${facts} from ${table}
      where ${isWell} and id in (select subject_id from keyferry.notification_states
        where topic = ${topic})`,
  ),
  sql` union all `,
);

/**
 * For orgs with endpoints: dates that come near. `state` names the key or date, so that each is
 * reported once.
 */
const timed = sql`
  select 'retiring-soon'::text as topic,
    string_agg(k.access_key_id, ',' order by k.access_key_id) as state,
    r.id, r.org_id, r.name, jsonb_build_object(
      'userName', r.user_name, 'activeAccessKeyId', r.active_access_key_id,
      'keys', jsonb_agg(jsonb_build_object('accessKeyId', k.access_key_id,
        'retireAfter', ${isoText(sql`k.retire_after`)})
        order by k.access_key_id)) as facts
  from (select distinct org_id from keyferry.webhooks) o
    join keyferry.rotations r on r.org_id = o.org_id
    join keyferry.rotation_keys k on k.rotation_id = r.id
  where r.phase = 'quiet' and k.state = 'retiring' and k.retire_after < now() + ${SOON}
  group by r.id
  union all
  select 'overdue', r.next_rotation_at::text, r.id, r.org_id, r.name, jsonb_build_object(
      'userName', r.user_name, 'activeAccessKeyId', r.active_access_key_id,
      'dueAt', ${isoText(sql`r.next_rotation_at`)})
  from (select distinct org_id from keyferry.webhooks) o
  join keyferry.rotations r on r.org_id = o.org_id
  where r.phase = 'idle' and r.next_rotation_at < now() - ${SOON}`;

/**
 * The message about each subject in the common table expressions `troubles`, `coming` and `begun`.
 */
const news = sql`news as materialized (
    select
      case topic when 'drift' then 'sync' else topic end || '.'
        || case when topic = 'drift' and state = 'recovered' then 'drift-repaired'
          else state end as event,
      org_id, id as subject_id, name,
      jsonb_build_object('orgId', org_id,
        'kind', case topic when 'drift' then 'sync' else topic end, 'id', id, 'name', name,
        'state', state,
        'code', case when state = 'recovered' then null when topic = 'drift' then 'SYNC_DRIFTED'
          else status_code end,
        'message', case when state = 'recovered' or topic = 'drift' then null
          else status_message end) as payload,
      0 as position, true as is_trouble
    from troubles
    union all
    select 'rotation.' || c.topic, c.org_id, c.id, c.name,
      jsonb_build_object('orgId', c.org_id, 'kind', 'rotation', 'id', c.id, 'name', c.name)
        || c.facts, 0, false
    from coming c join begun b on b.subject_id = c.id and b.topic = c.topic
  )`;

/**
 * Rows: one, with how many were reported. Locks and fence: an advisory one, so that two at once do
 * not report twice. Also deletes from the outbox what is past its retention, and what deleted
 * endpoints left.
 */
const detectionFor = ({ hasOperator }: { readonly hasOperator: boolean }): SQL => sql`
  with guard as materialized (select pg_try_advisory_xact_lock(${lockKeys.notifications}) as held),
  forgotten as (
    delete from keyferry.notifications n where (select held from guard) and (
      (n.next_attempt_at is null
        and n.created_at < now()
        - case when n.parked_at is null then ${KEPT} else ${PARKED_KEPT} end)
      or (n.webhook_id is not null
        and not exists (select from keyferry.webhooks w where w.id = n.webhook_id))
    )
  ),
  trouble as materialized (${troubled}),
  well as materialized (${recovered}),
  coming as materialized (${timed}),
  begun as (
    insert into keyferry.notification_states as known (subject_id, topic, state)
    select present.id, present.topic, present.state
    from (select id, topic, state from trouble
      union all select id, topic, state from coming) present
    where (select held from guard)
    on conflict (subject_id, topic) do update set state = excluded.state, changed_at = now()
    where known.state <> excluded.state
    returning subject_id, topic
  ),
  ended as (
    delete from keyferry.notification_states known using well
    where known.subject_id = well.id and known.topic = well.topic and (select held from guard)
    returning known.subject_id, known.topic
  ),
  troubles as (
    select t.* from trouble t join begun b on b.subject_id = t.id and b.topic = t.topic
    union all
    select w.* from well w join ended e on e.subject_id = w.id and e.topic = w.topic
  ),
  ${news},
  ${queued(sql`select * from news`)},
  to_operator as (
    insert into keyferry.notifications (event, subject_id, payload)
    select event, subject_id, payload from news where is_trouble and ${hasOperator}
    returning 1
  )
  select (select count(*) from queued)::int + (select count(*) from to_operator)::int as told`;
