import { sql, type SQL } from 'drizzle-orm';

import { dueNow } from '../engine/due.ts';
import { readers } from './tree.ts';

/**
 * CTEs `readers`, `locked` and `due` for a statement that changes the folder in `moved`: the syncs
 * that read it and run by themselves become due, but for the sync that imported the change. They
 * are locked in the order of their ids first, in which a validation locks the dependents of its
 * connection. Needs `above_seen`.
 */
export function dueReaders(importingSyncId: string | null = null): SQL {
  return sql`${readers},
        locked as materialized (
          select t.id from keyferry.syncs t join readers using (id)
          where t.is_auto_sync_enabled and t.paused_at is null
          and t.id is distinct from ${importingSyncId}::uuid
          order by t.id for no key update of t
        ),
        due as (
          update keyferry.syncs t set
            wanted_revision = wanted_revision + 1,
            ${dueNow('changed', null)}
          from locked where t.id = locked.id
          returning t.id
        )`;
}
