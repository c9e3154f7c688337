/**
 * keyferry stays small on purpose (docs/adr/0011-small-on-purpose.md): what it has to keep working,
 * and how long its parts are.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Command } from 'commander';
import { getTableName } from 'drizzle-orm';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

import { createProgram } from '../../../src/cli/program.ts';
import { variables } from '../../../src/config/config.ts';
import * as schema from '../../../src/db/schema.ts';

/** Every source file is parsed: seconds, and more on a machine that is busy. */
const PARSING_MS = 60_000;
const program = await createProgram();
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(ROOT, 'src', path), 'utf8') }));

describe('the budget', () => {
  it('of commands is 68', () => {
    const count = (command: Command): number =>
      command.commands.length === 0 ? 1 : command.commands.reduce((sum, sub) => sum + count(sub), 0);
    expect(count(program)).toBeLessThanOrEqual(68);
  });

  it('of tables is 22', () => {
    expect(new Set(Object.values(schema).map((table) => getTableName(table))).size).toBeLessThanOrEqual(22);
  });

  it('of settings is 26', () => {
    const own = variables.filter((name) => name.startsWith('KEYFERRY_') && !name.endsWith('_FILE'));
    expect(own.length).toBeGreaterThan(10);
    expect(own.length).toBeLessThanOrEqual(26);
  });

  it('of AWS clients is 5', () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const clients = Object.keys(dependencies).filter((name) => name.startsWith('@aws-sdk/client-'));
    expect(clients.length).toBeLessThanOrEqual(5);
  });
});

describe('the length', () => {
  it('of files is at most 220 lines for nine of ten', () => {
    const lengths = sources.map(({ text }) => text.split('\n').length - 1);
    expect(atShare(lengths, 0.9)).toBeLessThanOrEqual(220);
  });

  it('of functions is at most 40 lines for 99 of a hundred', { timeout: PARSING_MS }, () => {
    expect(atShare(sources.flatMap(functionLengths), 0.99)).toBeLessThanOrEqual(40);
  });
});

function atShare(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

/** From the first line to the last, comments and inner functions included. */
function functionLengths({ path, text }: { path: string; text: string }): readonly number[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lengths: number[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const line = (position: number): number => file.getLineAndCharacterOfPosition(position).line;
      lengths.push(line(node.end) - line(node.getStart()) + 1);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return lengths;
}
