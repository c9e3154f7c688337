/**
 * How a subject becomes due, in the `set` clause of an update. What is wanted of it is in
 * `wanted_revision`: a check also makes a subject due, but wants nothing.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Reason } from '../../domain/run.ts';
import { currentTraceparent } from '../../observe/trace.ts';

/**
 * Now, as a first attempt. `by`: who asked, null where nobody did; it is stored in the run's row.
 */
export function dueNow(reason: Reason, by: string | null): SQL {
  return sql`next_due_at = now(),
            attempt = 0,
            due_requested_by = ${by},
            ${dueBecause(reason)}`;
}

/** Now, unless it is paused, and without an end to its attempts. The row is `t`. */
export function dueUnlessPaused(reason: Reason): SQL {
  return sql`next_due_at = case when t.paused_at is null then now() end,
            ${dueBecause(reason)}`;
}

/**
 * For a caller that sets the time itself: the run that follows belongs to the trace of whoever
 * asked.
 */
export function dueBecause(reason: Reason): SQL {
  return sql`due_reason = ${reason},
            due_traceparent = ${currentTraceparent()}`;
}
