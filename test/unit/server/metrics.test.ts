import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

import { createMetrics } from '../../../src/observe/metrics.ts';

const kinds = {
  validate: { count: 1, oldestSeconds: 2 },
  sync: { count: 0, oldestSeconds: 0 },
  rotate: { count: 0, oldestSeconds: 0 },
};

function filled() {
  const metrics = createMetrics({ version: '1.2.3', hasProcessMetrics: false });
  metrics.runFinished({ kind: 'sync', status: 'succeeded', durationSeconds: 0.4, waitSeconds: 0.1 });
  metrics.awsCall({ service: 'ssm', operation: 'PutParameter', outcome: 'throttled' });
  metrics.tickFinished('sync', 3, new Date(5_000));
  metrics.leaseLost('rotate');
  metrics.setState({ connections: { valid: 2 }, syncs: { failed: 1 }, rotations: { pending: 1 }, due: kinds, events });
  metrics.setQueues([{ queue: 'sync', counts: { waiting: 4 } }]);
  return metrics;
}

/** Of webhooks. */
const events = { waiting: 3, parked: 1 };

const file = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

describe('metrics', () => {
  it('have names, types and help as promtool wants them', async () => {
    for (const { name, help, type } of await filled().registry.getMetricsAsJSON()) {
      expect(name).toMatch(/^keyferry_[a-z]+(_[a-z]+)*$/);
      expect([name, help.endsWith('.'), help.length > 10]).toEqual([name, true, true]);
      expect([name, name.endsWith('_total')]).toEqual([name, String(type) === 'counter']);
      if (/duration|wait|oldest|timestamp/.test(name)) expect(name).toMatch(/_seconds$/);
    }
  });

  it('carry labels from fixed sets only', async () => {
    const metrics = filled();
    metrics.runFinished({ kind: 'customer-42', status: 'arn:aws:iam::1', durationSeconds: 1 });
    metrics.awsCall({ service: 'https://evil', operation: 'failed query: secret', outcome: 'failed' });
    const text = await metrics.registry.metrics();
    expect(text).toContain('keyferry_runs_total{kind="other",status="other"} 1');
    expect(text).toContain('keyferry_aws_calls_total{service="other",operation="other",outcome="failed"} 1');
    const labels = new Set([...text.matchAll(/[{,]([a-z]+)="/g)].map((match) => match[1]));
    expect([...labels].sort()).toEqual([
      'kind',
      'le',
      'operation',
      'outcome',
      'queue',
      'service',
      'state',
      'status',
      'version',
    ]);
  });

  it('forget a state that is no longer there', async () => {
    const metrics = filled();
    metrics.setState({ connections: { invalid: 1 }, syncs: {}, rotations: {}, due: kinds, events });
    metrics.setQueues([]);
    const text = await metrics.registry.metrics();
    expect(text).not.toContain('keyferry_connections{status="valid"}');
    expect(text).not.toContain('keyferry_queue_jobs{');
    metrics.setState(undefined);
    expect(await metrics.registry.metrics()).not.toContain('keyferry_due{');
  });

  it('are all that the alert rules and the dashboard ask for', async () => {
    const known = new Set((await filled().registry.getMetricsAsJSON()).map(({ name }) => name));
    const asked = `${await file('ops/prometheus/alerts.yml')}${await file('ops/grafana/keyferry.json')}`;
    const names = [...asked.matchAll(/\bkeyferry_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) expect([...known]).toContain(name);
  });
});
