/**
 * Events for consumers: common table expressions of the statement that makes the event true, so
 * that neither a crash nor a second server can send it twice or lose it. A row of the outbox is
 * written for each endpoint of the org that wants the event; if none does, nothing is written.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { EventKind } from '../domain/webhooks.ts';
import { textArray } from './engine/subjects.ts';

/** Servers listen here for events to deliver. */
export const EVENTS_CHANNEL = 'keyferry_events';

/** Longest list of changes in one event; more become several events in a row. */
const CHANGES_PER_EVENT = 500;

/** On the endpoint `w`. A name holds no `%` and no backslash. */
const wants = (event: SQL, name: SQL): SQL => sql`(
  (w.events is null or exists (
    select from jsonb_array_elements_text(w.events) kind
    where ${event} like replace(kind, '*', '%')))
  and (w.name_pattern is null
    or ${name} like replace(replace(w.name_pattern, '_', '\\_'), '*', '%')))`;

/** Whether an endpoint wants this event about the row `s`. */
export function isWanted(event: EventKind): SQL {
  return sql`exists (
    select from keyferry.webhooks w
    where w.org_id = s.org_id and ${wants(sql`${event}::text`, sql`s.name`)}
  )`;
}

/**
 * For an entry that is stored again. `excluded.is_told` is false where the entry was ever written
 * and an endpoint wants the event.
 */
export const staysTold = sql`keyferry.sync_entries.is_told and (excluded.is_told or not (
          (excluded.written_at is not null
            and excluded.written_at is distinct from keyferry.sync_entries.written_at)
          or (excluded.deleted_at is not null
            and excluded.deleted_at is distinct from keyferry.sync_entries.deleted_at)))`;

/**
 * `source`: rows of event, org_id, subject_id, name, payload, and the position among events of one
 * subject.
 */
export function queued(source: SQL): SQL {
  return sql`queued as (
        insert into keyferry.notifications (event, subject_id, webhook_id, payload)
        select news.event, news.subject_id, w.id, news.payload
        from (${source}) news join keyferry.webhooks w on w.org_id = news.org_id
        where ${wants(sql`news.event`, sql`news.name`)}
        order by news.subject_id, news.position
        returning pg_notify(${EVENTS_CHANNEL}, '')
      )`;
}

/**
 * What sync runs changed at AWS, reported once. `runs`: rows of id (the sync), run_id. Includes
 * changes of an earlier run that died after writing. Names, versions and places; never a value.
 */
export function changedEntries(runs: SQL): SQL {
  return sql`untold as materialized (
        select runs.run_id, found.* from (${runs}) runs, lateral (
          select e.id as entry_id, e.sync_id, e.remote_name, e.key, e.region, e.account_id,
            e.service, e.remote_version,
            e.deleted_at is not null as is_deleted
          from keyferry.sync_entries e where e.sync_id = runs.id and not e.is_told
          order by e.remote_name, e.key limit 1000000
        ) found
      ),
      told as (
        update keyferry.sync_entries e set is_told = true
        where e.id = any(array(select entry_id from untold))
      ),
      ${queued(sql`
          select 'sync.changed'::text as event, s.org_id, s.id as subject_id, s.name,
            jsonb_build_object(
              'orgId', s.org_id, 'kind', 'sync', 'id', s.id, 'name', s.name,
              'destination', s.destination,
              'runId', parts.run_id, 'part', parts.part,
              'parts', max(parts.part) over (partition by s.id),
              'changes', parts.changes) as payload,
            parts.part as position
          from (
            select sync_id, run_id, part, jsonb_agg(jsonb_build_object(
                'change', case when is_deleted then 'deleted' else 'written' end,
                'name', remote_name, 'key', nullif(key, ''),
                'version', case when not is_deleted then remote_version end,
                'service', service, 'accountId', account_id, 'region', region
              ) order by remote_name, key) as changes
            from (
              select untold.*,
                1 + (row_number() over (partition by sync_id order by remote_name, key) - 1)
                  / ${CHANGES_PER_EVENT}::int as part
              from untold
            ) numbered
            group by sync_id, run_id, part
          ) parts join keyferry.syncs s on s.id = parts.sync_id`)}`;
}

/**
 * Keys of the rotation in `subject` (id) that this statement makes inactive or deletes, and that
 * consumers may have held.
 */
export function retiredKeys(accessKeyIds: readonly string[]): SQL {
  return queued(sql`
          select 'rotation.retired'::text as event, r.org_id, r.id as subject_id, r.name,
            jsonb_build_object(
              'orgId', r.org_id, 'kind', 'rotation', 'id', r.id, 'name', r.name,
              'userName', r.user_name,
              'accessKeyId', k.access_key_id,
              'activeAccessKeyId', r.active_access_key_id) as payload,
            k.access_key_id as position
          from subject join keyferry.rotations r on r.id = subject.id
            join keyferry.rotation_keys k on k.rotation_id = r.id
          where k.access_key_id = any(${textArray(accessKeyIds)}::text[])
            and k.state in ('active', 'retiring')`);
}

/** The pair that the statement puts into the folder `moved` (id). */
export function publishedPair(
  rotationId: string,
  { accessKeyId, revision }: { accessKeyId: string; revision: number },
): SQL {
  return queued(sql`
          select 'rotation.published'::text as event, r.org_id, r.id as subject_id, r.name,
            jsonb_build_object(
              'orgId', r.org_id, 'kind', 'rotation', 'id', r.id, 'name', r.name,
              'userName', r.user_name,
              'accessKeyId', ${accessKeyId}::text, 'revision', ${revision}::bigint,
              'secrets', jsonb_build_array(r.secrets_mapping ->> 'accessKeyId',
                r.secrets_mapping ->> 'secretAccessKey'),
              'projectId', f.project_id, 'environment', f.environment,
              'secretPath', f.secret_path) as payload,
            0 as position
          from moved join keyferry.folders f on f.id = moved.id
          join keyferry.rotations r on r.id = ${rotationId}`);
}
