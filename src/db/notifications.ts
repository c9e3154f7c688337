/**
 * What the webhook has to tell: trouble that began, changed or ended, each once. `notification_states` remembers what was told last; the
 * difference to the present state becomes rows of the outbox in the same statement, so that neither a crash nor a second server tells it twice or not at all.
 *
 *   (well) ── trouble begins ──► told ── its state changes ──► told ── well again ──► recovered ──► (well)
 *
 * A subject that is merely running or pending keeps what was told: a retry is no recovery.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';
import { fromRow } from './rows.ts';
import { notifications } from './schema-operations.ts';

export type NotificationRow = typeof notifications.$inferSelect;

export interface Notifications {
  /** Looks for news and puts them into the outbox; returns how many. Two at once: one does it. */
  detect(): Promise<number>;
  /** Takes due notifications for a minute. */
  claim(limit: number): Promise<readonly NotificationRow[]>;
  delivered(id: string): Promise<void>;
  /** `nextAttemptAt` null: given up. */
  failed(id: string, failure: { readonly error: string; readonly nextAttemptAt: Date | null }): Promise<void>;
}

/** Advisory lock key: one detection at a time. */
const GUARD_KEY = 731_195_310;
const KEPT = sql`interval '7 days'`;

export function createNotifications(db: Database): Notifications {
  return {
    detect: async () => Number((await execute(db, detection))[0]?.told ?? 0),
    claim: async (limit) => (await execute(db, claiming(limit))).map((row) => fromRow(notifications, row)),
    async delivered(id) {
      await execute(
        db,
        sql`update keyferry.notifications set delivered_at = now(), next_attempt_at = null, last_error = null where id = ${id}`,
      );
    },
    async failed(id, { error, nextAttemptAt }) {
      const next = nextAttemptAt?.toISOString() ?? null;
      await execute(
        db,
        sql`update keyferry.notifications set last_error = ${error}, next_attempt_at = ${next}::timestamptz where id = ${id} and delivered_at is null`,
      );
    },
  };
}

interface Topic {
  readonly topic: 'connection' | 'sync' | 'drift' | 'rotation';
  readonly table: SQL;
  readonly state: SQL;
  readonly isTrouble: SQL;
  readonly isWell: SQL;
}

/** What only waits for an invalid connection is not told besides it. */
const ownTrouble = sql`coalesce(status_code, '') not in ('CONNECTION_INVALID', 'CONNECTION_PENDING')`;

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
];

const facts = sql`id, org_id, name, status_code, status_message`;

/** All in trouble, by topic: few rows, found by the partial indexes. */
const troubled = sql.join(
  topics.map(
    ({ topic, table, state, isTrouble }) =>
      sql`select ${topic}::text as topic, ${state} as state, ${facts} from ${table} where is_troubled and ${isTrouble}`,
  ),
  sql` union all `,
);

/** All that are well, of those about whom something was told. */
const recovered = sql.join(
  topics.map(
    ({ topic, table, isWell }) => sql`
      select ${topic}::text as topic, 'recovered' as state, ${facts} from ${table}
      where ${isWell} and id in (select subject_id from keyferry.notification_states where topic = ${topic})`,
  ),
  sql` union all `,
);

const detection = sql`
  with guard as materialized (select pg_try_advisory_xact_lock(${GUARD_KEY}) as held),
  forgotten as (
    delete from keyferry.notifications where created_at < now() - ${KEPT} and next_attempt_at is null and (select held from guard)
  ),
  trouble as materialized (${troubled}),
  well as materialized (${recovered}),
  begun as (
    insert into keyferry.notification_states as known (subject_id, topic, state)
    select id, topic, state from trouble where (select held from guard)
    on conflict (subject_id, topic) do update set state = excluded.state, changed_at = now() where known.state <> excluded.state
    returning subject_id, topic
  ),
  ended as (
    delete from keyferry.notification_states known using well
    where known.subject_id = well.id and known.topic = well.topic and (select held from guard)
    returning known.subject_id, known.topic
  ),
  news as (
    select t.* from trouble t join begun b on b.subject_id = t.id and b.topic = t.topic
    union all
    select w.* from well w join ended e on e.subject_id = w.id and e.topic = w.topic
  ),
  told as (
    insert into keyferry.notifications (event, subject_id, payload)
    select
      case topic when 'drift' then 'sync' else topic end || '.' || case when topic = 'drift' and state = 'recovered' then 'drift-repaired' else state end,
      id,
      jsonb_build_object('orgId', org_id, 'kind', case topic when 'drift' then 'sync' else topic end, 'id', id, 'name', name, 'state', state,
        'code', case when state = 'recovered' then null when topic = 'drift' then 'SYNC_DRIFTED' else status_code end,
        'message', case when state = 'recovered' or topic = 'drift' then null else status_message end)
    from news returning 1
  )
  select count(*)::int as told from told`;

function claiming(limit: number): SQL {
  return sql`
    update keyferry.notifications set attempts = attempts + 1, next_attempt_at = now() + interval '60 seconds'
    where id in (
      select id from keyferry.notifications where next_attempt_at <= now() order by next_attempt_at limit ${limit} for update skip locked
    )
    returning *`;
}

async function execute(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    throw toDatabaseError(error);
  }
}
