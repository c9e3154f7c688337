import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { renderPage } from '../../../bench/peers/page.ts';
import type { Results } from '../../../bench/peers/results.ts';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

it('docs/benchmarks.md says what was measured, and nothing else', () => {
  const results = JSON.parse(read('bench/peers/results.json')) as Results;
  // Written anew by `npm run bench -- peers --write`.
  expect(read('docs/benchmarks.md')).toBe(renderPage(results));
});
