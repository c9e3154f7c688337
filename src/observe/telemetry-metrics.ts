/**
 * The process's Prometheus metrics as OpenTelemetry's, under the same names: what is sent is what
 * `/metrics` shows, without the process's own vital signs.
 */
import { ValueType, type Attributes, type HrTime } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type DataPoint,
  type Histogram,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client';

export interface MetricSources {
  readonly registry: Registry;
  readonly resource: Resource;
  /** Fills in what is only read on a scrape. */
  refresh(): Promise<void>;
}

type Reading = MetricObjectWithValues<MetricValue<string> & { readonly metricName?: string }>;

interface Period {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
}

export function createMetricProducer({ registry, resource, refresh }: MetricSources): MetricProducer {
  const startTime = toHrTime(Date.now());
  return {
    async collect() {
      await refresh();
      const readings = (await registry.getMetricsAsJSON()) as Reading[];
      const period = { startTime, endTime: toHrTime(Date.now()) };
      const metrics = readings
        .filter(({ name, values }) => name.startsWith('keyferry_') && values.length > 0)
        .map((reading) => toMetric(reading, period));
      return { resourceMetrics: { resource, scopeMetrics: [{ scope: { name: 'keyferry' }, metrics }] }, errors: [] };
    },
  };
}

function toHrTime(ms: number): HrTime {
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1_000_000];
}

function toMetric(reading: Reading, period: Period): MetricData {
  const { name, help, values } = reading;
  const shared = {
    descriptor: { name, description: help, unit: name.endsWith('_seconds') ? 's' : '', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  // prom-client gives the type as its name, whatever its declarations say.
  const type = String(reading.type);
  if (type === 'histogram')
    return { ...shared, dataPointType: DataPointType.HISTOGRAM, dataPoints: toHistograms(values, period) };
  const dataPoints = values.map(({ labels, value }) => ({ ...period, attributes: { ...labels }, value }));
  return type === 'counter'
    ? { ...shared, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...shared, dataPointType: DataPointType.GAUGE, dataPoints };
}

/** prom-client lists a histogram as one value per bucket, cumulative, and its sum and count. */
function toHistograms(values: Reading['values'], period: Period): DataPoint<Histogram>[] {
  const groups = new Map<string, Reading['values']>();
  for (const value of values) {
    const { le: _, ...labels } = value.labels as Record<string, string | number>;
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return [...groups].map(([key, group]) => ({
    ...period,
    attributes: JSON.parse(key) as Attributes,
    value: toHistogram(group),
  }));
}

function toHistogram(values: Reading['values']): Histogram {
  const of = (suffix: string) => values.filter(({ metricName }) => metricName?.endsWith(suffix));
  const buckets = of('_bucket').map(({ labels, value }) => ({
    bound: Number((labels as Record<string, unknown>).le),
    value,
  }));
  const counts = buckets.map(({ value }, index) => value - (buckets[index - 1]?.value ?? 0));
  const boundaries = buckets.map(({ bound }) => bound).filter(Number.isFinite);
  return { buckets: { boundaries, counts }, sum: of('_sum')[0]?.value ?? 0, count: of('_count')[0]?.value ?? 0 };
}
