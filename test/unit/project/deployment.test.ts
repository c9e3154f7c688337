/**
 * docs/deployment.md: what a platform would refuse or misread is found here, since none of them
 * runs in our tests.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

import { variables } from '../../../src/config/config.ts';

const text = readFileSync(new URL('../../../docs/deployment.md', import.meta.url), 'utf8');
const block = (language: string): string => new RegExp(`\`\`\`${language}\n([^]*?)\n\`\`\``).exec(text)?.[1] ?? '';

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly securityContext: unknown;
  readonly resources: { readonly limits: { readonly memory: string } };
}
interface PodSpec {
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext: unknown;
  readonly containers: readonly Container[];
}
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: {
    readonly selector?: { readonly matchLabels?: unknown } & Readonly<Record<string, unknown>>;
    readonly template?: { readonly metadata?: { readonly labels?: unknown }; readonly spec: PodSpec };
  };
}

const documents = parseAllDocuments(block('yaml'));
const manifests = documents.map((document) => document.toJS() as Manifest);
const pods = manifests.flatMap(({ kind, spec }) => (spec?.template ? [{ kind, spec: spec.template.spec }] : []));
const containers = pods.flatMap(({ spec }) => spec.containers);
const SECRET = /PASSWORD|ENCRYPTION_KEYS|TOKEN|DATABASE_URL/;

describe('the manifests for Kubernetes', () => {
  it('are YAML of known kinds, each with one container', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(manifests.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual([
      'v1 ServiceAccount',
      'batch/v1 Job',
      'apps/v1 Deployment',
      'apps/v1 Deployment',
      'v1 Service',
    ]);
    expect(containers.map(({ args }) => args.join(' '))).toEqual(['migrate', 'worker', 'server']);
  });

  it('set only what keyferry knows, and no secret in plain text', () => {
    for (const { name, env } of containers) {
      for (const one of env) {
        expect.soft(variables, name).toContain(one.name);
        if (SECRET.test(one.name)) expect.soft(one.valueFrom, one.name).toBeDefined();
      }
    }
  });

  it('select the pods that they make, and reach the ports that these open', () => {
    for (const { kind, spec } of manifests)
      if (kind === 'Deployment') expect.soft(spec?.selector?.matchLabels).toEqual(spec?.template?.metadata?.labels);
    const labels = manifests.map(({ spec }) => spec?.template?.metadata?.labels);
    expect(labels).toContainEqual(manifests.at(-1)?.spec?.selector);
    const [, worker, server] = containers;
    expect(worker?.ports?.[0]?.containerPort).toBe(
      Number(worker?.env.find(({ name }) => name === 'KEYFERRY_WORKER_HTTP_PORT')?.value),
    );
    expect(server?.ports?.[0]?.containerPort).toBe(3010);
    for (const one of [worker, server]) {
      expect.soft(one?.readinessProbe?.httpGet).toMatchObject({ path: '/readyz', port: 'http' });
      expect.soft(one?.livenessProbe?.httpGet).toMatchObject({ path: '/healthz', port: 'http' });
    }
  });

  it('run without rights, with limits, and let a worker end its runs', () => {
    for (const { spec } of pods)
      expect.soft(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    for (const { name, securityContext, resources } of containers) {
      expect
        .soft(securityContext, name)
        .toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
      expect.soft(resources.limits.memory, name).toMatch(/Mi$/);
    }
    expect(pods[1]?.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(40);
  });
});

describe('the task definition for ECS', () => {
  it('sets only what keyferry knows, and asks the right role', () => {
    const { containerDefinitions } = JSON.parse(block('json')) as {
      containerDefinitions: [
        {
          environment: { name: string }[];
          secrets: { name: string }[];
          stopTimeout: number;
          healthCheck: { command: string[] };
        },
      ];
    };
    const [{ environment, secrets, stopTimeout, healthCheck }] = containerDefinitions;
    for (const { name } of [...environment, ...secrets]) expect.soft(variables).toContain(name);
    expect(environment.filter(({ name }) => SECRET.test(name))).toEqual([]);
    expect(healthCheck.command.slice(-3)).toEqual(['doctor', '--role', 'worker']);
    expect(stopTimeout).toBeGreaterThanOrEqual(40);
  });
});

it('the unit for systemd has sections and settings only, and lets a worker end its runs', () => {
  const lines = block('ini').split('\n').filter(Boolean);
  expect(lines.filter((line) => !/^(\[(Unit|Service|Install)\]|[A-Z][A-Za-z]+=.*)$/.test(line))).toEqual([]);
  expect(lines).toContain('TimeoutStopSec=40');
});
