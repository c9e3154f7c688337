/**
 * Fills the gauges that are read from PostgreSQL and from the queues, then prints the registry.
 * During an outage those are left out; the counters are still served.
 */
import type { Queue } from 'bullmq';

import type { StatusQueries } from '../db/status/queries.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics, QueueReading, StateReading } from '../observe/metrics.ts';

export interface MetricsSources {
  readonly metrics: Metrics;
  readonly status: StatusQueries | undefined;
  readonly queues: readonly Queue[];
  readonly log: Log;
}

const LIMIT_MS = 3_000;

export async function renderMetrics(sources: MetricsSources): Promise<string> {
  await refreshMetrics(sources);
  return sources.metrics.registry.metrics();
}

export async function refreshMetrics({ metrics, status, queues, log }: MetricsSources): Promise<void> {
  const [state, readings] = await Promise.all([
    status === undefined ? undefined : readOr(undefined, status.overview(), log),
    Promise.all(queues.map((queue) => readOr(undefined, readQueue(queue), log))),
  ]);
  metrics.setState(state satisfies StateReading | undefined);
  metrics.setQueues(readings.filter((reading) => reading !== undefined));
}

async function readQueue(queue: Queue): Promise<QueueReading> {
  const counts = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'completed', 'failed');
  return { queue: queue.name, counts };
}

/** A scraper waits ten seconds at most: what does not answer in three is left out. */
async function readOr<T>(otherwise: undefined, reading: Promise<T>, log: Log): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, LIMIT_MS, otherwise);
  });
  try {
    return await Promise.race([reading, limit]);
  } catch (error) {
    log.warn({ err: error }, 'metrics are incomplete');
    return otherwise;
  } finally {
    clearTimeout(timer);
  }
}
