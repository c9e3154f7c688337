/**
 * How keyferry takes part in traces: spans, and W3C's `traceparent` across PostgreSQL and the
 * queues. Without a collector (`telemetry.ts`, or an upstream application's SDK around the library)
 * all of it does nothing. A span holds operations, ids and outcomes; never a value, a name or the
 * text of an error.
 */
import {
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
  type SpanContext,
} from '@opentelemetry/api';

import { JobError } from '../errors.ts';

export type SpanAttributes = Readonly<Record<string, string | number | undefined>>;

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
} as const;

export interface SpanSettings {
  readonly name: string;
  readonly kind?: keyof typeof kinds;
  readonly attributes?: SpanAttributes;
  /** A `traceparent`; absent: what is active. */
  readonly parent?: string | undefined;
}

const tracer = trace.getTracer('keyferry');

/** Runs `work` in a span; its calls, and what they write, belong to it. */
export function inSpan<T>(settings: SpanSettings, work: () => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(settings.name, toOptions(settings), parentOf(settings), (span) => ended(span, work));
}

async function ended<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof JobError) span.setAttribute('error.type', error.code);
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** A span without a duration of its own. Returns its `traceparent`. */
export function recordSpan(settings: SpanSettings): string | null {
  const span = tracer.startSpan(settings.name, toOptions(settings), parentOf(settings));
  span.end();
  return toTraceparent(span.spanContext());
}

/** Adds to the active span. */
export function annotate(attributes: SpanAttributes): void {
  trace.getActiveSpan()?.setAttributes({ ...attributes });
}

export function currentTraceparent(): string | null {
  const active = trace.getActiveSpan();
  return active ? toTraceparent(active.spanContext()) : null;
}

function toOptions({ kind = 'internal', attributes }: SpanSettings) {
  return { kind: kinds[kind], ...(attributes && { attributes: { ...attributes } }) };
}

function parentOf({ parent }: SpanSettings): Context {
  const remote = parent === undefined ? undefined : parseTraceparent(parent);
  return remote ? trace.setSpanContext(ROOT_CONTEXT, remote) : context.active();
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

export function parseTraceparent(text: string): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = '0'] = TRACEPARENT.exec(text) ?? [];
  const spanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
  return isSpanContextValid(spanContext) ? spanContext : undefined;
}

export function toTraceparent({ traceId, spanId, traceFlags }: SpanContext): string | null {
  if (!isSpanContextValid({ traceId, spanId, traceFlags })) return null;
  return `00-${traceId}-${spanId}-0${String(traceFlags & TraceFlags.SAMPLED)}`;
}
