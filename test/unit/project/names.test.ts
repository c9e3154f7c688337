/** One name, one type: a reader who meets a type in two rooms may assume that it is the same. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';
import { expect, test } from 'vitest';

/** Every source file is parsed: seconds, and more on a machine that is busy. */
const PARSING_MS = 60_000;
const SOURCE = fileURLToPath(new URL('../../../src/', import.meta.url));

/**
 * The sandbox models AWS and uses AWS's words: its `Session` or `PolicyDocument` is AWS's side of
 * ours.
 */
const paths = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !path.startsWith('sandbox'),
);

test('no exported type has the name of another', { timeout: PARSING_MS }, () => {
  const files = new Map<string, readonly string[]>();
  for (const path of paths) for (const name of exportedTypes(path)) files.set(name, [...(files.get(name) ?? []), path]);
  const twice = [...files].filter(([, found]) => found.length > 1);
  expect(files.size).toBeGreaterThan(200);
  expect(Object.fromEntries(twice)).toEqual({});
});

function exportedTypes(path: string): readonly string[] {
  const file = ts.createSourceFile(path, readFileSync(join(SOURCE, path), 'utf8'), ts.ScriptTarget.Latest);
  return file.statements
    .filter((one) => ts.isInterfaceDeclaration(one) || ts.isTypeAliasDeclaration(one))
    .filter((one) => one.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
    .map((one) => one.name.text);
}
