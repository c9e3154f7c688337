/** The page about settings names every variable that the program reads, and no other. */
import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { variables } from '../../../src/config/config.ts';

const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
const inTables = page.split('\n').filter((line) => line.startsWith('| `'));

it('names every variable that is read', () => {
  expect(variables.filter((name) => !inTables.some((line) => line.includes(`\`${name}\``)))).toEqual([]);
});

it('names no variable of ours that is not read', () => {
  const named = inTables.flatMap((line) => line.match(/`KEYFERRY_[A-Z_]+`/g) ?? []).map((one) => one.slice(1, -1));
  expect(named.filter((name) => !variables.includes(name))).toEqual([]);
});
