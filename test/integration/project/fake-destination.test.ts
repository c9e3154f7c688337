/**
 * What a new destination takes: its names, its record, its code, and a line in two registries. The
 * compiler names each place that lacks it. The sources are changed in memory only.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const NAMES = 'src/domain/destinations/names.ts';
const REGISTRY = 'src/domain/destinations/registry.ts';
const OPEN = 'src/workers/sync/destinations/open.ts';

type Files = ReadonlyMap<string, string>;

function edited(path: string, edits: readonly (readonly [string, string])[]): readonly [string, string] {
  const text = edits.reduce(
    (before, [from, to]) => {
      expect(before).toContain(from);
      return before.replace(from, to);
    },
    readFileSync(join(ROOT, path), 'utf8'),
  );
  return [path, text];
}

const names = edited(NAMES, [
  ["'json-secret'] as const", "'json-secret', 'fake'] as const"],
  ["'aws-parameter-store'] as const", "'aws-parameter-store', 'aws-fake'] as const"],
  ["'ssm' | 'secretsmanager'", "'ssm' | 'secretsmanager' | 'fake'"],
  [
    'SyncDestination = ParameterStoreDestination',
    'SyncDestination = { readonly region: string; readonly shelf: string } | ParameterStoreDestination',
  ],
]);

const record = [
  'src/domain/destinations/fake.ts',
  `import { z } from 'zod';
import { quotaGroup } from '../quota-group.ts';
import { regionShape as region } from '../region-shape.ts';
import type { DestinationKind, PolicyScope, ScopePlace } from './destination.ts';

const config = z.strictObject({ region, shelf: z.string() });
interface FakeScope extends PolicyScope {
  readonly use: 'fake';
  readonly shelf: string;
}
const scope = (shelf: string, place: ScopePlace): FakeScope => ({ use: 'fake', ...place, shelf });

export const fake = {
  id: 'fake',
  destination: 'aws-fake',
  noun: 'fake',
  service: {
    name: 'fake',
    sid: 'KeyferryFakes',
    quotas: [[quotaGroup('fake', [4, 20, 5]), ['fake.Put']]],
    unbudgeted: [],
    accountWide: [],
    unprobeable: ['fake:Put'],
    canRestore: false,
  },
  config,
  mapping: undefined,
  nameField: { field: 'shelf', option: 'prefix', flag: '--prefix' },
  policyOption: { name: 'shelf', flags: '--shelf <shelf>', description: 'where', fallback: '' },
  holdsAllKeys: false,
  takesEmptyValues: false,
  samplesTags: false,
  settings: { hasTier: false, hasReplicas: false, hasMetadataTags: false },
  actions: { required: ['fake:Put'], optional: {}, probed: [], promoting: [] },
  namePrefix: ({ shelf }) => shelf,
  describe: ({ shelf }) => shelf,
  findNameProblem: () => undefined,
  findValueProblem: () => undefined,
  scope,
  isScope: (one) => 'shelf' in one,
  scopeOfPrefix: scope,
  resources: ({ shelf }) => [\`fake/\${shelf}*\`],
  describeScope: ({ shelf }) => shelf,
} as const satisfies DestinationKind<z.infer<typeof config>, FakeScope>;
`,
] as const;

const registry = edited(REGISTRY, [
  ['import { jsonSecret }', "import { fake } from './fake.ts';\nimport { jsonSecret }"],
  ["'json-secret': jsonSecret,", "'json-secret': jsonSecret,\n  fake,"],
  [
    "'aws-parameter-store': {",
    "'aws-fake': { cliName: 'fake', title: 'Fake', config: fake.config },\n  'aws-parameter-store': {",
  ],
]);

const code = [
  'src/workers/sync/destinations/fake/destination.ts',
  `import type { SyncJob } from '../../job.ts';
import { applyEach } from '../apply-each.ts';
import type { Destination } from '../destination.ts';

export function createFake(job: SyncJob): Destination {
  const writer = { concurrency: 1, write: () => Promise.resolve({ kind: 'created' as const }) };
  return {
    removalsPerCall: 1,
    inspect: () => Promise.resolve(new Map()),
    identify: (_names, inventory) => Promise.resolve(inventory),
    lookInside: () => Promise.resolve(undefined),
    check: (entries) => Promise.resolve(entries.map((entry) => ({ entry, drift: undefined }))),
    recover: () => Promise.resolve(),
    apply: (plan, { slice }) => applyEach({ job, slice, writer }, plan),
    remove: (entries) => Promise.resolve(entries.map(() => ({ kind: 'deleted' as const }))),
    readAll: () => Promise.resolve([]),
  };
}
`,
] as const;

/** How the permissions of its scope are tried. */
const probes = edited('src/aws/probes.ts', [
  [
    "  if ('prefix' in target)",
    "  if (target.use === 'fake') return { ...common, absent: `${target.shelf}${MARK}-${random}` };\n  if ('prefix' in target)",
  ],
]);

const open = edited(OPEN, [
  ['import { createDocument }', "import { createFake } from './fake/destination.ts';\nimport { createDocument }"],
  ["'json-secret': (job)", "fake: createFake,\n  'json-secret': (job)"],
]);

const parsed = new Map<string, ts.SourceFile>();

/** Sources with a type error when these files replace those on the disk, or are added to them. */
function findHoles(files: Files): readonly string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  const textOf = (path: string) => files.get(path.slice(ROOT.length));
  host.readFile = (path) => textOf(path) ?? readFile(path);
  host.fileExists = (path) => textOf(path) !== undefined || fileExists(path);
  host.directoryExists = () => true;
  const { getSourceFile } = host;
  host.getSourceFile = (path, version) => {
    const text = textOf(path);
    if (text !== undefined) return ts.createSourceFile(path, text, version);
    const file = parsed.get(path) ?? getSourceFile(path, version);
    if (file) parsed.set(path, file);
    return file;
  };
  const roots = ['src/main.ts', 'src/cli/bin.ts', 'src/index.ts'].map((path) => join(ROOT, path));
  const program = ts.createProgram(roots, options, host);
  const own = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(ROOT, 'src/')));
  // Only these can notice: checking all sources takes the unit lane as long as everything else in
  // it.
  return own
    .filter(({ fileName, text }) => /destinations\/|policy\/|sync\/target/.test(fileName + text))
    .filter((file) => program.getSemanticDiagnostics(file).length > 0)
    .map((file) => file.fileName.slice(ROOT.length));
}

test('a name makes the compiler ask for record and code', { timeout: 180_000 }, () => {
  expect(findHoles(new Map([names]))).toEqual(expect.arrayContaining([REGISTRY, OPEN]));
});

test('a record makes it ask for probes and code, and for nothing else', { timeout: 180_000 }, () => {
  expect([...findHoles(new Map([names, record, registry]))].sort()).toEqual(['src/aws/probes.ts', OPEN]);
});

test('a new destination takes at most six files', { timeout: 180_000 }, () => {
  const files = new Map([names, record, registry, code, open, probes]);
  expect(files.size).toBeLessThanOrEqual(6);
  expect(findHoles(files)).toEqual([]);
});
