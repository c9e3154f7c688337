/**
 * What an application compiles against: the declarations that `index.d.ts` leads to. They stand on
 * their own, so that neither a table nor a dependency becomes a part of the interface, and an
 * application may check them (`skipLibCheck: false`).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';
import { beforeAll, expect, test } from 'vitest';

import { createTemporaryDirectory } from '../../support/temporary-directory.ts';

/** All of the library is parsed: seconds, and more on a machine that is busy. */
const COMPILING_MS = 180_000;
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SOURCE = join(ROOT, 'src');

interface Declaration {
  readonly text: string;
  /** As written: `./x.ts`, or the name of a package. */
  readonly imports: readonly string[];
}

/** By path below `src`, without an extension. */
let declarations: ReadonlyMap<string, Declaration>;

beforeAll(() => {
  declarations = declarationsFrom('index');
}, COMPILING_MS);

test('the declarations of the library lead to no table, no store and no package', () => {
  const found = [...declarations].flatMap(([path, { imports }]) =>
    imports.filter((name) => !name.startsWith('.')).map((name) => `${path} imports ${name}`),
  );
  expect(found).toEqual([]);
  const inner = [...declarations.keys()].filter(
    (path) => !/^(index|errors|client\/types\/|config\/encryption-key|domain\/)/.test(path),
  );
  expect(inner).toEqual([]);
  expect(declarations.size).toBeGreaterThan(10);
});

test('every member of the library’s types is documented', () => {
  const bare = [...declarations].flatMap(([path, { text }]) =>
    path.startsWith('client/types/') ? undocumented(text).map((name) => `${path}: ${name}`) : [],
  );
  expect(bare).toEqual([]);
});

test('an application that checks all declarations compiles', { timeout: COMPILING_MS }, async () => {
  const application = await createTemporaryDirectory('application');
  install(application);
  const problems = problemsOf(application, { 'main.ts': applicationText, 'wrong.ts': wrongText });
  expect(problems.filter((problem) => !problem.startsWith('wrong.ts'))).toEqual([]);
  const wrong = problems.map((problem) => /TS\d+/.exec(problem)?.[0]);
  expect(wrong).toEqual(['TS2353', 'TS2339', 'TS2339']);
});

const applicationText = `
import { connect, JobError, type Client, type CreateSync, type Keyferry, type RunRecord, type Sync } from 'keyferry';

const keyferry: Keyferry = await connect({ databaseUrl: 'postgres://h/d', encryptionKeys: 'k:…', org: 'acme' });
const client: Client = keyferry.as({ org: 'other' });
const { connection, requestId } = await client.connections.create({
  name: 'prod',
  credentials: { method: 'assume-role', roleArn: 'arn:aws:iam::111122223333:role/keyferry' },
});
await client.secrets.set({ projectId: 'p', environment: 'prod', secretPath: '/' }, { values: { A: 'b', OLD: null } });
const wanted: CreateSync = {
  name: 'api',
  connection: connection.name,
  source: { projectId: 'p', environment: 'prod', secretPath: '/' },
  destination: 'aws-parameter-store',
  destinationConfig: { region: 'eu-central-1', path: '/app/' },
  syncOptions: { include: ['DB_*'], recoveryDays: 'force' },
};
const sync: Sync = await client.syncs.create(wanted);
const rotation = await client.rotations.create({
  name: 'key',
  connection: connection.id,
  target: { projectId: 'p', environment: 'prod', secretPath: '/' },
  userName: 'app',
  rotationIntervalDays: 30,
  secretsMapping: { accessKeyId: 'ID', secretAccessKey: 'KEY' },
});
const run: RunRecord = await client.runs.wait(requestId, { timeoutMs: 1_000, signal: new AbortController().signal });
const published = await client.runs.wait(rotation.requestId);
const seconds: number = rotation.graceSeconds;
const at: Date | null = sync.lastSyncedAt;
const [past] = await client.history.runs({ subject: sync.name });
const text: string = past?.subjectName ?? connection.status;
try {
  await client.syncs.run(sync.id, { confirmDeletions: run.counts?.deleted ?? 1 });
} catch (error) {
  if (error instanceof JobError && error.code === 'SYNC_STILL_OWNED') console.error(error.publicMessage, error.disposition);
}
console.log(published.status, seconds, at, text);
await keyferry.close();

// Names that applications import already.
export { generateEncryptionKey } from 'keyferry';
export type { Connection, ConnectOptions, CreateConnection, CreateRotation, ErrorCode, FolderPath } from 'keyferry';
export type { FolderSource, PullSource, Rotation, RunSync, SetSecrets, SetSource, UpdateConnection } from 'keyferry';
export type { UpdateRotation, UpdateSync, WaitOptions } from 'keyferry';
`;

/**
 * A field that is not there, a ciphertext, and a lease: the types say what the library takes and
 * gives, no more.
 */
const wrongText = `
import type { Client, Connection, CreateConnection, Sync } from 'keyferry';

declare const client: Client;
declare const connection: Connection;
declare const sync: Sync;
const credentials = { method: 'access-key', accessKeyId: 'a', secretAccessKey: 'b' } as const;
const wanted: CreateConnection = { name: 'prod', credentials, colour: 'red' };
await client.connections.create(wanted);
console.log(connection.secretAccessKey, sync.runToken);
`;

function declarationsFrom(start: string): ReadonlyMap<string, Declaration> {
  const program = ts.createProgram([join(SOURCE, `${start}.ts`)], {
    ...settingsOf('tsconfig.json'),
    noEmit: false,
    allowImportingTsExtensions: true,
    declaration: true,
    emitDeclarationOnly: true,
  });
  const found = new Map<string, Declaration>();
  const waiting = [start];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue;
    const text = declarationOf(program, join(SOURCE, `${path}.ts`));
    const imports = importsOf(text);
    found.set(path, { text, imports });
    const here = dirname(join(SOURCE, path));
    const own = imports.filter((name) => name.startsWith('.'));
    waiting.push(...own.map((name) => relative(SOURCE, join(here, name)).replace(/\.ts$/, '')));
  }
  return found;
}

function declarationOf(program: ts.Program, path: string): string {
  let text = '';
  const write = (_: string, written: string) => {
    text = written;
  };
  program.emit(program.getSourceFile(path), write, undefined, true);
  if (text === '') throw new Error(`There is no declaration of ${path}.`);
  return text;
}

function importsOf(text: string): readonly string[] {
  const { importedFiles, referencedFiles, typeReferenceDirectives } = ts.preProcessFile(text);
  return [...importedFiles, ...referencedFiles, ...typeReferenceDirectives].map(({ fileName }) => fileName);
}

/** Interfaces, types and their members without a comment of their own. */
function undocumented(text: string): readonly string[] {
  const file = ts.createSourceFile('declaration.d.ts', text, ts.ScriptTarget.Latest, true);
  const bare: string[] = [];
  const visit = (node: ts.Node): void => {
    const isSpoken = ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isTypeElement(node);
    if (isSpoken && ts.getJSDocCommentsAndTags(node).length === 0) bare.push(node.name?.getText() ?? '?');
    ts.forEachChild(node, visit);
  };
  visit(file);
  return bare;
}

/** As a package manager would, without any dependency. */
function install(application: string): void {
  const folder = join(application, 'node_modules/keyferry');
  for (const [path, { text }] of declarations) {
    const file = join(folder, 'dist', `${path}.d.ts`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const read = ts.readConfigFile(join(ROOT, 'package.json'), (path) => ts.sys.readFile(path));
  writeFileSync(join(folder, 'package.json'), JSON.stringify(read.config));
}

/** `main.ts:3: TS2353 …`, of all files of the program. */
function problemsOf(application: string, texts: Readonly<Record<string, string>>): readonly string[] {
  writeFileSync(join(application, 'package.json'), '{ "type": "module" }');
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(application, name), text);
  const paths = Object.keys(texts).map((name) => join(application, name));
  const program = ts.createProgram(paths, {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  });
  return ts.getPreEmitDiagnostics(program).map(({ code, messageText, file, start = 0 }) => {
    const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1;
    const text = ts.flattenDiagnosticMessageText(messageText, ' ');
    return `${relative(application, file?.fileName ?? '')}:${String(line)}: TS${String(code)} ${text}`;
  });
}

function settingsOf(name: string): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, name), (path) => ts.sys.readFile(path)) as { config: unknown };
  return ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, ROOT).options;
}
