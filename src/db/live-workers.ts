/**
 * The worker processes of this installation, kept in its row: each reports itself every few
 * seconds. Shown to people; nothing depends on it.
 */
import { sql } from 'drizzle-orm';

import type { LiveWorker, WorkerReport } from '../domain/live-worker.ts';
import { isKind } from '../domain/run.ts';
import type { Database } from './client.ts';
import { execute } from './statement.ts';
import { parseMoment } from './moment.ts';

export type LiveWorkers = ReturnType<typeof createLiveWorkers>;

export function createLiveWorkers(db: Database) {
  return {
    /** `id` is the process's own: a container that starts again has the name of the one before. */
    report: async (id: string, report: WorkerReport): Promise<void> => {
      await execute(db, reportStatement(id, report));
    },
    /** It ended in order. Locks the one row; nothing happens to a worker that was dropped. */
    stopped: async (id: string): Promise<void> => {
      await execute(
        db,
        sql`
          update keyferry.installation i
          set workers = jsonb_set(i.workers, array[${id}::text, 'stoppedAt'], to_jsonb(now()))
          where i.workers ? ${id}::text`,
      );
    },
  };
}

/**
 * Returns nothing. Locks the one row for the length of the statement, which is the fence between
 * two reports. Drops workers that reported nothing for an hour, and the previous one of the same
 * name.
 */
function reportStatement(id: string, report: WorkerReport) {
  return sql`
    update keyferry.installation i
    set workers = (
        select coalesce(jsonb_object_agg(one.key, one.value), '{}')
        from jsonb_each(i.workers) one
        where (one.value ->> 'seenAt')::timestamptz > now() - interval '1 hour'
          and one.value ->> 'name' <> ${report.name}::text
      )
      || jsonb_build_object(${id}::text,
        jsonb_build_object('startedAt', coalesce(i.workers -> ${id}::text -> 'startedAt',
          to_jsonb(now())))
        || ${JSON.stringify(report)}::jsonb
        || jsonb_build_object('seenAt', now()))`;
}

/** Of the row's column; the latest start first. */
export function toLiveWorkers(stored: unknown): readonly LiveWorker[] {
  const found = Object.values((stored ?? {}) as Readonly<Record<string, Stored>>).map(toLiveWorker);
  return found.sort((one, other) => other.startedAt.getTime() - one.startedAt.getTime());
}

/** As `reportStatement` wrote it. */
type Stored = Readonly<Record<string, unknown>>;

function toLiveWorker(one: Stored): LiveWorker {
  const queues = (one.queues as readonly unknown[]).map(String).filter(isKind);
  return {
    name: String(one.name),
    version: String(one.version),
    queues,
    running: one.running as LiveWorker['running'],
    startedAt: parseMoment(one.startedAt),
    seenAt: parseMoment(one.seenAt),
    stoppedAt: one.stoppedAt === undefined ? null : parseMoment(one.stoppedAt),
  };
}
