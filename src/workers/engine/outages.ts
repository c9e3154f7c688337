/**
 * The servers that a worker depends on, each with one alarm: whoever meets an outage reports it
 * here, and the tick, which uses both servers every few seconds, finds out when it is over. With
 * the queues in PostgreSQL both are one server and one alarm.
 */
import { isOutage } from '../../domain/snooze.ts';
import { JobError, toJobError } from '../../errors.ts';
import { createAlarm } from '../../observe/alarm.ts';
import type { Log } from '../../observe/log.ts';
import type { QueueBackend } from '../../queues/backend.ts';

export interface Outages {
  /**
   * Returns whether the error is an outage of one of the servers; it is logged then, at its first
   * occurrence.
   */
  noticeOutage(error: unknown): boolean;
  /** A queue worker failed at its own work. Returns whether the queue is out. */
  queueFailed(error: unknown): Promise<boolean>;
  /** The tick's round ended well, so PostgreSQL works. */
  roundEnded(): Promise<void>;
}

export interface OutagesInput {
  readonly backend: Pick<QueueBackend, 'engine' | 'check'>;
  readonly log: Log;
  readonly quietMs?: number | undefined;
}

/** Longer than the pauses of what is repeated during an outage. */
const QUIET_MS = 10_000;

export function createOutages({ backend, log, quietMs = QUIET_MS }: OutagesInput): Outages {
  const alarmOf = (server: string) =>
    createAlarm({
      log,
      raised: `${server} cannot be used; all work waits for it`,
      lowered: `${server} can be used again`,
      quietMs,
    });
  const database = alarmOf('PostgreSQL');
  const queue = backend.engine === 'redis' ? alarmOf('Redis') : database;
  let checking: Promise<boolean> | undefined;

  const isQueueOut = () =>
    backend.check().then(
      () => false,
      (error: unknown) => {
        queue.raise(error);
        return true;
      },
    );
  /** Many fail at once: they share one check. */
  const checkQueue = () =>
    (checking ??= isQueueOut().finally(() => {
      checking = undefined;
    }));

  return {
    noticeOutage(raw) {
      const error = toJobError(raw);
      if (!isOutage(error)) return false;
      (error.code === 'QUEUE_UNAVAILABLE' ? queue : database).raise(error);
      return true;
    },
    async queueFailed(error) {
      if (!queue.isRaised) return checkQueue();
      queue.raise(new JobError('QUEUE_UNAVAILABLE', { cause: error }));
      return true;
    },
    async roundEnded() {
      if (database !== queue) database.lower();
      if (queue.isRaised && !(await checkQueue())) queue.lower();
    },
  };
}
