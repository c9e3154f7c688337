/**
 * The outbox: which events are due, and how their delivery went. Of one subject and endpoint only
 * the oldest undelivered event is due, so that the order holds whoever delivers. An endpoint that
 * does not answer gets one event at a time, with growing pauses.
 */
import { sql, type SQL } from 'drizzle-orm';

import { isKmsFault } from '../domain/data-keys.ts';
import type { WebhookFormat } from '../domain/webhooks.ts';
import type { Database } from './client.ts';
import { isUndecryptable } from './cipher.ts';
import { type Encryption, webhookPlace } from './encryption.ts';
import { fromRow } from './rows.ts';
import { notifications } from './schema.ts';
import { execute } from './statement.ts';

export type NotificationRow = typeof notifications.$inferSelect;

export interface Endpoint {
  readonly url: string;
  readonly secret: string;
  readonly format: WebhookFormat;
}

/**
 * `webhookId` null: to the operator's endpoint. `endpoint` undefined: what is stored cannot be
 * decrypted.
 */
export interface DueNotification extends NotificationRow {
  readonly endpoint: Endpoint | undefined;
  /** Attempts of the endpoint in a row without an answer. */
  readonly failures: number;
}

export interface DeliveryFailure {
  readonly error: string;
  /** Until the next attempt; undefined: parked at once. */
  readonly pauseMs: number | undefined;
  /** Set when the endpoint gave no answer: nothing else is sent to it for so long. */
  readonly endpointPauseMs: number | undefined;
}

export interface ClaimQuery {
  /** Endpoints that this process is busy with; null is the operator's. */
  readonly busy: readonly (string | null)[];
  readonly hasOperator: boolean;
}

export type Outbox = ReturnType<typeof createOutbox>;

/** At once to one endpoint. */
const PER_ENDPOINT = 10;
/** Endpoints of one claim. */
const ENDPOINTS = 50;

export function createOutbox(db: Database, encryption: Encryption) {
  return {
    /** Takes due events for a minute. Those whose endpoint KMS does not open now stay due. */
    claim: async (query: ClaimQuery): Promise<readonly DueNotification[]> => {
      const rows = await execute(db, claiming(query));
      return (await Promise.all(rows.map((row) => toDue(encryption, row)))).filter((one) => one !== undefined);
    },
    delivered: async (row: NotificationRow): Promise<void> => {
      await execute(db, delivery(row));
    },
    /** Parks what has waited for three days. */
    failed: async (row: DueNotification, failure: DeliveryFailure): Promise<void> => {
      await execute(db, failedDelivery(row, failure));
    },
  };
}

/**
 * Rows: due events with their endpoints, oldest first. Locks: the rows taken, skipping those that
 * another server takes. Fence: a row is due again when its minute is over.
 */
export function claiming({ busy, hasOperator }: ClaimQuery): SQL {
  const others = JSON.stringify(busy.filter((id) => id !== null));
  const isOperatorFree = hasOperator && !busy.includes(null);
  const first = (ofEndpoint: SQL, limit: SQL) => sql`
    select n.id, n.webhook_id from keyferry.notifications n
    where ${ofEndpoint} and n.next_attempt_at <= now()
      and not exists (
        select from keyferry.notifications earlier
        where earlier.subject_id = n.subject_id and earlier.seq < n.seq
          and earlier.next_attempt_at is not null
          and earlier.webhook_id is not distinct from n.webhook_id
      )
    order by n.seq limit ${limit} for update of n skip locked`;
  return sql`
    with endpoints as materialized (
      select w.id, case when w.failures = 0 then ${PER_ENDPOINT}::int else 1 end as room
      from keyferry.webhooks w, lateral (
        -- In their order, which only the index has: those of an endpoint that is down may be most
        -- of the table.
        select from keyferry.notifications n
        where n.webhook_id = w.id and n.next_attempt_at <= now() order by n.seq limit 1
      ) due
      where (w.retry_at is null or w.retry_at <= now())
        and not ${isDoubtful}
        and not jsonb_exists(${others}::jsonb, w.id::text)
      -- Those that wait longest for their turn, or a few busy ones would keep the others out.
      order by w.last_delivered_at nulls first limit ${ENDPOINTS}
    ),
    taken as materialized (
      select found.* from endpoints e, lateral (
        -- The second limit is one that the plan knows, however many events wait: all rows would be
        -- read otherwise.
        select * from (${first(sql`n.webhook_id = e.id`, sql`e.room`)}) one
        limit ${sql.raw(String(PER_ENDPOINT))}
      ) found
    ),
    taken_of_operator as materialized (
      ${first(sql`${isOperatorFree} and n.webhook_id is null`, sql`${PER_ENDPOINT * 2}::int`)}
    )
    update keyferry.notifications n
    set attempts = n.attempts + 1, next_attempt_at = now() + interval '60 seconds'
    from (select * from taken union all select * from taken_of_operator) due
      left join keyferry.webhooks w on w.id = due.webhook_id
    where n.id = due.id
    returning n.*, w.org_id as _org_id, w.target as _target, w.format as _format,
      coalesce(w.failures, 0) as _failures`;
}

/**
 * Guarded, or a copy that no worker has checked yet: its events belong to the original, which
 * delivers them itself.
 */
const isDoubtful = sql`exists (
          select from keyferry.installation i
          where i.guard_reason is not null
            or i.database_name <> (select datname || '/' || oid from pg_database
              where datname = current_database())
        )`;

async function toDue(encryption: Encryption, row: Record<string, unknown>): Promise<DueNotification | undefined> {
  const notification = fromRow(notifications, row);
  try {
    const endpoint = await endpointOf(encryption, notification, row);
    return { ...notification, failures: Number(row._failures), endpoint };
  } catch (error) {
    if (isKmsFault(error)) return undefined;
    throw error;
  }
}

async function endpointOf(
  encryption: Encryption,
  { webhookId }: NotificationRow,
  row: Record<string, unknown>,
): Promise<Endpoint | undefined> {
  if (webhookId === null) return undefined;
  try {
    const place = webhookPlace({ orgId: String(row._org_id), id: webhookId });
    const target = JSON.parse(await encryption.decrypt(String(row._target), place)) as Pick<Endpoint, 'url' | 'secret'>;
    return { ...target, format: row._format as WebhookFormat };
  } catch (error) {
    // One endpoint whose key is missing must not keep the others waiting.
    if (isUndecryptable(error)) return undefined;
    throw error;
  }
}

/**
 * Writes the notification’s row and that of its webhook. The deliverer’s claim keeps others away.
 */
function delivery({ id, webhookId }: NotificationRow): SQL {
  return sql`
    with endpoint as (
      update keyferry.webhooks
      set failures = 0, retry_at = null, last_error = null, last_delivered_at = now()
      where id = ${webhookId}::uuid
    )
    update keyferry.notifications
    set delivered_at = now(), next_attempt_at = null, parked_at = null, last_error = null
    where id = ${id}`;
}

function failedDelivery(
  { id, webhookId, failures }: DueNotification,
  { error, pauseMs, endpointPauseMs }: DeliveryFailure,
): SQL {
  const isSilent = endpointPauseMs !== undefined;
  const after = (ms: number | undefined) => sql`now()
    + make_interval(secs => ${(ms ?? 0) / 1_000}::float8)`;
  const isOver = sql`(${pauseMs === undefined} or queued_at < now() - ${PARKED_AFTER})`;
  return sql`
    with endpoint as (
      update keyferry.webhooks set last_error = ${error},
        failures = case when ${isSilent} then ${failures + 1}::int else 0 end,
        retry_at = case when ${isSilent} then ${after(endpointPauseMs)} end
      where id = ${webhookId}::uuid
    ),
    -- What no attempt was made for: an endpoint that is down is asked for one event at a time.
    too_old as (
      update keyferry.notifications
      set parked_at = now(), next_attempt_at = null, last_error = coalesce(last_error, ${error})
      where webhook_id = ${webhookId}::uuid and id <> ${id} and ${isSilent}
        and next_attempt_at <= now() and queued_at < now() - ${PARKED_AFTER}
    )
    update keyferry.notifications set last_error = ${error},
      next_attempt_at = case when not ${isOver} then ${after(pauseMs)} end,
      parked_at = case when ${isOver} then now() end
    where id = ${id} and delivered_at is null`;
}

const PARKED_AFTER = sql`interval '3 days'`;
