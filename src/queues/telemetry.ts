/**
 * Traces through the queues: `bullmq-otel`, held to what belongs into a trace. BullMQ's own spans
 * for polling and lock keeping are left out, and of the rest only ids and counts go through: job
 * names, results and failure reasons are texts of others.
 */
import { ROOT_CONTEXT, type Context } from '@opentelemetry/api';
import type { Attributes, Span, Telemetry } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';

const wanted = /^(add|process) /;
const kept: ReadonlySet<string> = new Set([
  'bullmq.queue.name',
  'bullmq.queue.operation',
  'bullmq.job.id',
  'bullmq.job.attempts.made',
]);

export type QueueTelemetry = Telemetry<Context>;

export function createQueueTelemetry(): QueueTelemetry {
  const { tracer, contextManager } = new BullMQOtel({ tracerName: 'bullmq' });
  return {
    tracer: {
      startSpan: (name, options, parent?: Context) =>
        wanted.test(name) ? withoutTexts(tracer.startSpan(name, options, parent)) : silent,
    },
    contextManager: {
      with: (active: Context, work) => contextManager.with(active, work),
      active: () => contextManager.active(),
      root: () => ROOT_CONTEXT,
      getMetadata: (active: Context) => contextManager.getMetadata(active),
      fromMetadata(active: Context, metadata) {
        try {
          return contextManager.fromMetadata(active, metadata);
        } catch {
          // From an outside producer: a bad one must not keep its job from running.
          return active;
        }
      },
    },
  };
}

function withoutTexts(span: Span<Context>): Span<Context> {
  return {
    ...silent,
    setSpanOnContext: (active) => span.setSpanOnContext(active),
    setAttributes: (attributes) => {
      span.setAttributes(pick(attributes));
    },
    addEvent: (name) => {
      span.addEvent(name);
    },
    end: () => {
      span.end();
    },
  };
}

function pick(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => kept.has(name)));
}

const nothing = () => undefined;

const silent: Span<Context> = {
  setSpanOnContext: (active) => active,
  setAttribute: nothing,
  setAttributes: nothing,
  addEvent: nothing,
  recordException: nothing,
  end: nothing,
};
