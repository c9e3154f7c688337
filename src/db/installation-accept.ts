/** What the acceptance of a database changes, as one statement. */
import { sql, type SQL } from 'drizzle-orm';

import type { Acceptance } from '../domain/installation.ts';
import { dueNow } from './engine/due.ts';

export interface Acceptor {
  readonly actor: string;
  readonly as: Acceptance;
  /** Of a clone: its new name. */
  readonly name: string | undefined;
}

/**
 * A whole millisecond, so that every reader compares alike, and after everything on record: the
 * clock of the server that took over may be behind the one that wrote the rows.
 */
export const epochStart = sql`date_trunc('milliseconds', greatest(
          now(),
          (select max(greatest(created_at, compared_at)) from keyferry.syncs),
          (select max(greatest(created_at, compared_at)) from keyferry.rotations),
          (select max(created_at) from keyferry.rotation_keys)
        )) + interval '1 millisecond'`;

const acceptances: Readonly<Record<Acceptance, SQL>> = {
  moved: sql``,
  restored: sql`,
        epoch = i.epoch + 1,
        epoch_started_at = ${epochStart}`,
  clone: sql`,
        id = gen_random_uuid(),
        epoch = 1,
        epoch_started_at = null`,
};

/**
 * Returns the installation as accepted. Locks its row, and every row that it makes due or gives up.
 * Refused by `where` when the guard is gone: somebody else accepted first.
 */
export function acceptStatement(server: SQL, { as, actor, name }: Acceptor): SQL {
  const given = sql`${name ?? null}::text`;
  const accepted = as === 'clone' ? given : sql`coalesce(${given}, i.name)`;
  return sql`
    with server as materialized (${server}),
    accepted as (
      update keyferry.installation i
      set guard_reason = null,
        guarded_at = null,
        counter = i.counter + 1,
        system_identifier = server.system_identifier,
        database_name = server.database_name,
        timeline = server.timeline,
        name = ${accepted}${acceptances[as]}
      from server
      where i.guard_reason is not null
      returning i.*
    ),${as === 'clone' ? givenUp : released}
    audited as (
      insert into keyferry.audit_log (actor, via, action, subject, request_id, status_code)
      select ${actor}, 'cli', ${`installation.accept-${as}`}, accepted.id::text,
        gen_random_uuid()::text, 200
      from accepted
    )
    select accepted.*, to_jsonb(server) as _server, now() as _now
    from accepted, server`;
}

/**
 * What the guard held back becomes due. What the backup still wanted deleted may have been deleted,
 * and made again, since: it is asked for again.
 */
const released = sql`
    closed_requests as (
      update keyferry.requests t
      set done_at = now()
      from accepted
      where t.done_at is null
        and (
          t.kind = 'remove'
          or t.parameters ->> 'command' = 'revoke'
          or t.parameters ->> 'emergency' = 'true'
          or t.parameters ->> 'revokeNow' = 'true'
        )
    ),
    released_syncs as (
      update keyferry.syncs t
      set ${dueNow('recovered', null)}
      from accepted
      where t.status_code = 'DB_GUARDED'
        and t.paused_at is null
    ),
    released_rotations as (
      update keyferry.rotations t
      set ${dueNow('recovered', null)}
      from accepted
      where t.status_code = 'DB_GUARDED'
        and t.paused_at is null
    ),`;

/**
 * A clone owns nothing and does nothing by itself: the original continues. Its folders and
 * connections stay usable. A rotation treats the keys it knows as foreign. Webhooks are called by
 * the original only.
 */
const givenUp = sql`
    paused_syncs as (
      update keyferry.syncs t
      set paused_at = now(),
        next_due_at = null,
        progress = null,
        synced_revision = null,
        synced_version = null,
        sync_status = 'pending',
        status_code = null,
        status_message = null,
        drift = 'unknown'
      from accepted
    ),
    forgotten_entries as (
      delete from keyferry.sync_entries using accepted
    ),
    forgotten_tombstones as (
      delete from keyferry.tombstones using accepted
    ),
    paused_rotations as (
      update keyferry.rotations t
      set paused_at = now(),
        next_due_at = null,
        phase = 'idle',
        phase_state = '{}',
        active_access_key_id = null,
        rotation_status = 'pending',
        status_code = null,
        status_message = null
      from accepted
    ),
    foreign_keys as (
      update keyferry.rotation_keys t
      set state = 'foreign'
      from accepted
      where t.state <> 'deleted'
    ),
    closed_requests as (
      update keyferry.requests t
      set done_at = now()
      from accepted
      where t.done_at is null
    ),
    forgotten_events as (
      delete from keyferry.notifications t using accepted where t.webhook_id is not null
    ),
    forgotten_webhooks as (
      delete from keyferry.webhooks using accepted
    ),`;
