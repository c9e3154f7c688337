import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { variables } from '../../../src/config/config.ts';
import { encryptionKeys } from '../../../src/config/values.ts';

interface Service {
  readonly image?: string;
  readonly user?: string;
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly read_only?: boolean;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly mem_limit?: string;
  readonly command?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly networks?: readonly string[];
  readonly network_mode?: string;
  readonly volumes?: readonly string[];
}

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const text = read('docker-compose.yml');
const { services } = parse(text, { merge: true }) as { services: Record<string, Service> };
const inSandbox = (service: Service): boolean => service.profiles?.includes('sandbox') ?? false;
const SECRET = /PASSWORD|ENCRYPTION_KEYS|TOKEN|SECRET|DATABASE_URL/;

function environmentOf(wanted: (service: Service) => boolean): [string, string | null][] {
  return Object.values(services)
    .filter(wanted)
    .flatMap((service) => Object.entries(service.environment ?? {}));
}

describe('docker-compose.yml', () => {
  it('has no default for any secret', () => {
    const secrets = environmentOf((service) => !inSandbox(service)).filter(([name]) => SECRET.test(name));
    expect(secrets.length).toBeGreaterThan(5);
    // Either refused when missing, or handed through from the caller's environment as it is.
    for (const [name, value] of secrets) expect.soft(value ?? '${:?}', name).toMatch(/\$\{[A-Z_]*:\?/);
    expect(text).not.toMatch(/\$\{[A-Z_]+:?-/);
  });

  it('says how each missing value is made, and the example lists them all', () => {
    const required = [...text.matchAll(/\$\{([A-Z_]+):\?([^}]*)\}/g)];
    for (const [, name, message] of required) {
      expect.soft(message, name).toMatch(/run: |choose /);
      expect.soft(read('.env.example'), name).toMatch(new RegExp(`^${name}=$`, 'm'));
    }
  });

  it('lists in the example what it only hands through', () => {
    const handed = environmentOf((service) => !inSandbox(service)).flatMap(([name, value]) =>
      value === null ? [name] : [],
    );
    const used = [...text.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name]) => name);
    const listed = [...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
    expect([...handed, ...used].filter((name) => !listed.includes(name))).toEqual([]);
  });

  it('hands every setting to worker or server', () => {
    const handed = [services.worker, services.server].flatMap((service) => Object.keys(service?.environment ?? {}));
    // The org of the command line, and the port inside the container.
    const meantElsewhere = ['KEYFERRY_ORG', 'KEYFERRY_HTTP_PORT'];
    expect(variables.filter((name) => !handed.includes(name)).sort()).toEqual(meantElsewhere.sort());
  });

  it('limits the memory of what always runs', () => {
    const { postgres, redis, worker, server } = services;
    for (const service of [postgres, redis, worker, server]) expect(service?.mem_limit).toMatch(/^\d+[mg]$/);
  });

  it('gives Redis a password that no list of processes shows', () => {
    const { redis, worker } = services;
    expect(worker?.environment?.REDIS_URL).toMatch(/^redis:\/\/:\$\{REDIS_PASSWORD:\?/);
    expect(redis?.command?.join('\n')).toMatch(/requirepass %s.*"\$\$REDISCLI_AUTH" > \/tmp\//);
    expect(redis?.command?.join('\n')).not.toMatch(/--requirepass|REDIS_PASSWORD/);
  });

  it('asks worker and server whether they are well, and lets nobody read their metrics without a token', () => {
    const { worker, server } = services;
    expect(worker?.healthcheck?.test?.join(' ')).toMatch(/bin\/keyferry\.js doctor --role worker$/);
    expect(worker?.environment?.KEYFERRY_WORKER_HTTP_PORT).toBeDefined();
    expect(server?.healthcheck?.test?.join(' ')).toMatch(/bin\/keyferry\.js doctor --role server$/);
    // The image cannot know which of them runs.
    expect(read('Dockerfile')).not.toMatch(/^HEALTHCHECK/m);
    for (const service of [worker, server]) expect(service?.environment?.KEYFERRY_METRICS_TOKEN).toMatch(/:\?/);
  });

  it('names a command that makes an encryption key without Node', () => {
    const [, command = ''] = /^# (echo .*openssl.*)$/m.exec(read('.env.example')) ?? [];
    const made = execFileSync('bash', ['-c', command], { encoding: 'utf8' }).trim();
    expect(encryptionKeys.safeParse(made).success).toBe(true);
    expect(read('docs/configuration.md')).toContain(command);
  });

  it('runs as a user that is given by number, which Kubernetes can check', () => {
    expect(read('Dockerfile').match(/^USER .*$/gm)).toEqual(['USER 1000:1000']);
  });

  it('publishes one port, on loopback', () => {
    const ports = Object.entries(services).flatMap(([name, service]) =>
      (service.ports ?? []).map((port) => [name, port]),
    );
    expect(ports).toEqual([['server', '127.0.0.1:3010:3010']]);
  });

  it('hardens every service', () => {
    for (const [name, service] of Object.entries(services)) {
      expect
        .soft(service, name)
        .toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
      // The one that may write into a fresh volume has no network at all.
      if (service.user === 'root') expect.soft(service.network_mode, name).toBe('none');
      else expect.soft(service.user, name).toMatch(/^(node|postgres|redis)$/);
    }
  });

  it('keeps the sandbox apart from everything real', () => {
    const real = environmentOf((service) => !inSandbox(service)).map(([, value]) => value);
    for (const [name, value] of environmentOf(inSandbox)) {
      expect.soft(value, name).not.toMatch(/\$\{/);
      if (SECRET.test(name)) expect.soft(real, name).not.toContain(value);
    }
    for (const [name, service] of Object.entries(services).filter(([, candidate]) => inSandbox(candidate))) {
      expect.soft(service.networks ?? ['sandbox'], name).toEqual(['sandbox']);
      for (const volume of service.volumes ?? []) expect.soft(volume, name).toMatch(/^sandbox-/);
    }
  });
});
