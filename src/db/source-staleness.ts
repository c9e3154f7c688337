/** When the source of a folder counts as stale: for the command, the events and the status page. */
import { sql } from 'drizzle-orm';

/**
 * Not read for three times its schedule, and at least a quarter of an hour. On the columns of
 * `keyferry.sources`.
 */
export const isStale = sql`(
  coalesce(last_pulled_at, created_at) < now()
    - make_interval(secs => greatest(3 * every_seconds, 900)))`;

/** All sources as subjects of events. */
export const sourceSubjects = sql`(
  select s.folder_id as id, s.org_id, f.project_id || '/' || f.environment || f.secret_path as name,
    s.status_code, s.status_message, ${isStale} as is_troubled
  from keyferry.sources s join keyferry.folders f on f.id = s.folder_id) sources`;
