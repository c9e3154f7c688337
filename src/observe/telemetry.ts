/**
 * OpenTelemetry's SDK: collects the spans of `trace.ts` and the metrics, and sends both over OTLP.
 * Loaded only where OTEL_EXPORTER_OTLP_ENDPOINT is set; the other OTEL_ variables (headers, service
 * name, sampler) are read by the SDK itself. What cannot be sent is dropped: work never waits for
 * it.
 */
import {
  diag,
  DiagLogLevel,
  trace,
  type Context,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { Registry } from 'prom-client';

import type { Log } from './log.ts';
import { createMetricProducer } from './telemetry-metrics.ts';
import { parseTraceparent, toTraceparent } from './trace.ts';

export interface TelemetrySettings {
  /** Of the collector; `/v1/traces` and `/v1/metrics` are added. */
  readonly endpoint: string;
  readonly version: string;
  readonly registry: Registry;
  /** Fills in the metrics that are only read on a scrape. */
  refreshMetrics(): Promise<void>;
  readonly log: Log;
}

export interface Telemetry {
  /** Sends what is left, for two seconds at most. */
  close(): Promise<void>;
}

const METRICS_EVERY_MS = 30_000;
const SEND_LIMIT_MS = 5_000;
const CLOSE_LIMIT_MS = 2_000;
const WARN_EVERY_MS = 60_000;

export function startTelemetry(settings: TelemetrySettings): Telemetry {
  const resource = resourceFromAttributes({ 'service.name': 'keyferry', 'service.version': settings.version }).merge(
    detectResources({ detectors: [envDetector] }),
  );
  const to = (path: string) => ({
    url: `${settings.endpoint.replace(/\/+$/, '')}/v1/${path}`,
    timeoutMillis: SEND_LIMIT_MS,
  });
  const traces = new NodeTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(to('traces')))],
  });
  traces.register({ propagator });
  const metrics = new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter(to('metrics')),
        exportIntervalMillis: METRICS_EVERY_MS,
        exportTimeoutMillis: SEND_LIMIT_MS,
        metricProducers: [
          createMetricProducer({ registry: settings.registry, resource, refresh: settings.refreshMetrics }),
        ],
      }),
    ],
  });
  reportTrouble(settings.log);
  return { close: () => withinLimit(Promise.allSettled([traces.shutdown(), metrics.shutdown()])) };
}

async function withinLimit(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_LIMIT_MS);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}

/** The SDK's message may hold what the collector answered; that it fails is enough. */
function reportTrouble(log: Log): void {
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  const ignore = () => undefined;
  const error = (): void => {
    if (performance.now() - warnedAtMs < WARN_EVERY_MS) return;
    warnedAtMs = performance.now();
    log.warn('traces or metrics could not be sent to OTEL_EXPORTER_OTLP_ENDPOINT; they are dropped');
  };
  diag.setLogger({ error, warn: ignore, info: ignore, debug: ignore, verbose: ignore }, DiagLogLevel.ERROR);
}

/** W3C's `traceparent` alone: baggage and `tracestate` would carry foreign text into the queues. */
const propagator: TextMapPropagator = {
  inject(active: Context, carrier: unknown, setter: TextMapSetter) {
    const spanContext = trace.getSpanContext(active);
    const traceparent = spanContext && toTraceparent(spanContext);
    if (traceparent) setter.set(carrier, 'traceparent', traceparent);
  },
  extract(active: Context, carrier: unknown, getter: TextMapGetter) {
    const [text] = [getter.get(carrier, 'traceparent')].flat();
    const spanContext = typeof text === 'string' ? parseTraceparent(text) : undefined;
    return spanContext ? trace.setSpanContext(active, spanContext) : active;
  },
  fields: () => ['traceparent'],
};
