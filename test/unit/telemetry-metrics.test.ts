import { emptyResource } from '@opentelemetry/resources';
import { DataPointType } from '@opentelemetry/sdk-metrics';
import { describe, expect, it } from 'vitest';

import { createMetrics } from '../../src/observe/metrics.ts';
import { createMetricProducer } from '../../src/observe/telemetry-metrics.ts';

async function collect(metrics: ReturnType<typeof createMetrics>) {
  const { registry } = metrics;
  const producer = createMetricProducer({ registry, resource: emptyResource(), refresh: () => Promise.resolve() });
  const { resourceMetrics } = await producer.collect();
  const all = resourceMetrics.scopeMetrics[0]?.metrics ?? [];
  return (name: string) => all.find((metric) => metric.descriptor.name === name);
}

describe('metrics over OTLP', () => {
  it('are the same as in Prometheus’s text: counters, gauges, and histograms by bucket', async () => {
    const metrics = createMetrics({ version: '1.2.3', hasProcessMetrics: false });
    metrics.runFinished({ kind: 'sync', status: 'succeeded', durationSeconds: 0.02 });
    metrics.runFinished({ kind: 'sync', status: 'succeeded', durationSeconds: 1_000 });
    const metric = await collect(metrics);
    expect(metric('keyferry_runs_total')).toMatchObject({
      dataPointType: DataPointType.SUM,
      isMonotonic: true,
      dataPoints: [{ value: 2, attributes: { kind: 'sync', status: 'succeeded' } }],
    });
    const duration = metric('keyferry_run_duration_seconds');
    expect(duration).toMatchObject({
      descriptor: { unit: 's' },
      dataPoints: [{ attributes: { kind: 'sync' }, value: { sum: 1_000.02, count: 2 } }],
    });
    const { buckets } = duration?.dataPoints[0]?.value as {
      buckets: { boundaries: readonly number[]; counts: readonly number[] };
    };
    expect([buckets.boundaries.length, buckets.counts.length]).toEqual([15, 16]);
    expect(buckets.boundaries.map((bound, index) => [bound, buckets.counts[index]])).toContainEqual([0.025, 1]);
    expect(buckets.counts.at(-1)).toBe(1);
    expect(metric('keyferry_build_info')).toMatchObject({
      dataPointType: DataPointType.GAUGE,
      dataPoints: [{ value: 1, attributes: { version: '1.2.3' } }],
    });
  });

  it('leave out what nobody has measured', async () => {
    const metric = await collect(createMetrics({ version: '0', hasProcessMetrics: true }));
    expect([metric('keyferry_runs_total'), metric('nodejs_heap_size_used_bytes')]).toEqual([undefined, undefined]);
  });
});
