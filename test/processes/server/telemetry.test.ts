/** One trace from whoever asks to the last AWS call, as a collector receives it. */
import { randomBytes } from 'node:crypto';
import { context, propagation, trace } from '@opentelemetry/api';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ACCOUNT, startInstallation, type Installation } from '../../e2e/support/installation.ts';
import { hasRedis } from '../../support/backends.ts';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../../support/otlp-receiver.ts';
import { eventually } from '../../integration/engine/support.ts';

const SECRET = 'planted-value-of-a-secret';
const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
const SYNCS = '/api/v1/secret-syncs/aws-parameter-store';

/** A caller that traces. */
function startTrace() {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
}

describe.each(hasRedis ? (['redis', 'postgres'] as const) : (['postgres'] as const))('traces over %s', (queue) => {
  let receiver: OtlpReceiver;
  let installation: Installation;
  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '100' };
    installation = await startInstallation({ queue, environment });
    installation.trust('acme');
  }, 60_000);
  afterAll(async () => {
    await installation.stop();
    await receiver.close();
  }, 30_000);

  async function call(path: string, body: unknown, options: { method?: string; traceparent?: string } = {}) {
    const { method = 'POST', traceparent } = options;
    const authorization = `Bearer ${installation.tokenOf('acme')}`;
    const headers = { authorization, 'content-type': 'application/json', ...(traceparent && { traceparent }) };
    const answer = await fetch(`${installation.url}${path}`, { method, headers, body: JSON.stringify(body) });
    expect(answer.status).toBe(200);
    return (await answer.json()) as { appConnection: { id: string; status: string }; secretSync: { id: string } };
  }

  /** The names from the caller's span down to the first span of this name in its trace. */
  async function chainTo(name: string, caller: ReturnType<typeof startTrace>): Promise<readonly string[]> {
    const spans = await eventually(
      async () => receiver.spans().filter(({ traceId }) => traceId === caller.traceId),
      (found) => chain(found, name, caller.spanId) !== undefined,
    );
    return chain(spans, name, caller.spanId) ?? [];
  }

  function chain(spans: readonly ReceivedSpan[], name: string, rootId: string): readonly string[] | undefined {
    const names: string[] = [];
    let span = spans.find((one) => one.name === name);
    while (span) {
      names.unshift(span.name);
      if (span.parentSpanId === rootId) return names;
      const { parentSpanId } = span;
      span = spans.find(({ spanId }) => spanId === parentSpanId);
    }
    return undefined;
  }

  it('lead from an API request to the calls of the validation that it asked for', async () => {
    const caller = startTrace();
    const { appConnection } = await call(
      '/api/v1/app-connections/aws?wait=20',
      {
        name: 'prod-aws',
        region: 'eu-west-1',
        method: 'assume-role',
        credentials: { roleArn: `arn:aws:iam::${ACCOUNT}:role/keyferry` },
      },
      caller,
    );
    expect(appConnection.status).toBe('valid');
    expect(await chainTo('sts.AssumeRole', caller)).toEqual([
      'API connection.create',
      'dispatch validate',
      'process validate',
      'run validate',
      'sts.AssumeRole',
    ]);
    const assumed = receiver.spans().find(({ name }) => name === 'sts.AssumeRole');
    expect(assumed?.attributes).toEqual({
      'rpc.system': 'aws-api',
      'rpc.service': 'sts',
      'rpc.method': 'AssumeRole',
      'keyferry.outcome': 'ok',
    });
  });

  it('lead from a change of secrets to the write at AWS', async () => {
    const { keyferry } = installation;
    const { id: connectionId } = await keyferry.connections.get('prod-aws');
    await keyferry.secrets.set(place, { values: { DB_NAME: 'shop' } });
    const { secretSync } = await call(SYNCS, {
      name: 'api-parameters',
      ...place,
      connectionId,
      destinationConfig: { region: 'eu-west-1', path: '/shop/prod/' },
    });
    await eventually(
      async () => keyferry.runs.list(secretSync.id),
      (runs) => runs[0]?.status === 'succeeded',
    );
    const caller = startTrace();
    await call('/api/v1/folders/secrets', { ...place, secrets: { DB_HOST: SECRET } }, { method: 'PUT', ...caller });
    expect(await chainTo('ssm.PutParameter', caller)).toEqual([
      'API secrets.set',
      'dispatch sync',
      'process sync',
      'run sync',
      'ssm.PutParameter',
    ]);
  });

  it('lead from a call of the library, inside a span of the application, to the write at AWS', async () => {
    const { keyferry } = installation;
    // As an application does that traces itself.
    new NodeTracerProvider().register();
    try {
      const caller = await trace.getTracer('application').startActiveSpan('handle a request', async (span) => {
        await keyferry.secrets.set(place, { values: { DB_PORT: SECRET } });
        span.end();
        return { ...startTrace(), ...span.spanContext() };
      });
      const names = await chainTo('ssm.PutParameter', caller);
      expect(names).toEqual(['dispatch sync', 'process sync', 'run sync', 'ssm.PutParameter']);
    } finally {
      trace.disable();
      context.disable();
      propagation.disable();
    }
  });

  it('lead from a job of any BullMQ producer that traces to the run that it wakes', async () => {
    const { keyferry, queues } = installation;
    const { id: connectionId } = await keyferry.connections.get('prod-aws');
    await queues.check();
    const caller = startTrace();
    const metadata = JSON.stringify({ traceparent: caller.traceparent });
    await queues.queue('validate').add('validate', { connectionId }, { telemetry: { metadata } });
    // The job only records the wish; the tick dispatches the run that answers it.
    expect(await chainTo('run validate', caller)).toEqual([
      'process validate',
      'dispatch validate',
      'process validate',
      'run validate',
    ]);
    await queues.queue('validate').add('validate', { connectionId }, { telemetry: { metadata: 'not JSON' } });
    await eventually(
      async () => (await keyferry.runs.list(connectionId)).map(({ status }) => status),
      (statuses) => statuses.length >= 3 && statuses.every((status) => status === 'succeeded'),
    );
  });

  it('hold ids, operations and outcomes, and nothing else, like the metrics beside them', async () => {
    await installation.stop();
    expect(receiver.metricNames()).toEqual(
      expect.arrayContaining(['keyferry_runs_total', 'keyferry_run_duration_seconds', 'keyferry_connections']),
    );
    const names = new Set(receiver.spans().flatMap(({ attributes }) => Object.keys(attributes)));
    expect([...names].filter((name) => !/^(rpc|http|keyferry|bullmq)\.|^error\.type$/.test(name))).toEqual([]);
    const bytes = receiver.bytes();
    const forbidden = [
      SECRET,
      installation.tokenOf('acme'),
      'prod-aws',
      'api-parameters',
      'DB_HOST',
      '/shop/prod',
      'role/',
    ];
    expect(forbidden.filter((text) => bytes.includes(text))).toEqual([]);
  });
});
