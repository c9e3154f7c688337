/** No comment and no SQL is wider than a reader takes in at a glance. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { wideLines } from './wide-lines.ts';

/** Every file is parsed: seconds, and more on a machine that is busy. */
const PARSING_MS = 120_000;
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

const files = ['src', 'test', 'bench', 'scripts', 'bin'].flatMap((room) =>
  readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ts|js|mjs)$/.test(path))
    .map((path) => join(room, path)),
);

it('comments and SQL have at most 100 columns', { timeout: PARSING_MS }, () => {
  expect(files.length).toBeGreaterThan(1000);
  const wide = files.flatMap((path) =>
    wideLines(path, readFileSync(join(ROOT, path), 'utf8')).map(
      ({ kind, line }) => `${path}:${String(line)} (${kind})`,
    ),
  );
  expect(wide).toEqual([]);
});

const LONG = 'word '.repeat(25).trim();
const kinds = (text: string) => wideLines('some.ts', text).map(({ kind, line }) => `${kind} ${String(line)}`);

it.each([
  ['a block', `/** ${LONG} */\nconst a = 1;\n`, 1],
  ['one line of a block', `/**\n * Short.\n * ${LONG}\n */\nconst a = 1;\n`, 3],
  ['a line', `const a = 1;\n// ${LONG}\nconst b = 2;\n`, 2],
  ['the end of a line', `const a = 1; // ${LONG}\n`, 1],
  ['the last line of a file', `const a = 1;\n// ${LONG}\n`, 2],
  ['the inside of embedded code', `const a = \`\${\n  // ${LONG}\n  String(1)\n}\`;\n`, 2],
])('a comment that is too wide is found: %s', (_, text, line) => {
  expect(kinds(text)).toEqual([`comment ${String(line)}`]);
});

it.each([
  ['a tagged template', `const a = sql\`select ${LONG}\`;\n`, 1],
  ['a line of it', `const a = sql\`\n  select 1\n  from ${LONG}\`;\n`, 3],
  ['a client', `await handle.client\`select ${LONG}\`;\n`, 1],
  ['a statement that is handed on', `await run(\`select ${LONG}\`);\n`, 1],
  ['its comment', `const a = sql\`\n  -- the run's ${LONG}\n  select 1\`;\n`, 2],
  ['SQL beside embedded code', `const a = sql\`select \${${'b'.repeat(100)}} from c\`;\n`, 1],
])('SQL that is too wide is found: %s', (_, text, line) => {
  expect(kinds(text)).toEqual([`SQL ${String(line)}`]);
});

it.each([
  ['code', `const a = f(${'b, '.repeat(40)}c); // short\n`.replace(' // short', '')],
  ['text', `const a = '${LONG}';\nconst b = \`${LONG}\`;\n`],
  ['code behind SQL', `const a = f(sql\`select 1\`, ${'b, '.repeat(40)}c);\n`],
  ['quoted text of SQL', `const a = sql\`\n  '${LONG}'\`;\n`],
  ['embedded code that is one word', `const a = sql\`\n  \${${'b'.repeat(100)}}\`;\n`],
  ['a directive', `// eslint-disable-next-line ${LONG}\nconst a = 1;\n`],
])('what cannot be broken, or is the formatter’s, may be wide: %s', (_, text) => {
  expect(kinds(text)).toEqual([]);
});
