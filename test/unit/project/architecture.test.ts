/** Every place that ARCHITECTURE.md names exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
const names = new Set(sources.map((path) => basename(path)));

const exists = (place: string): boolean =>
  existsSync(join(ROOT, place)) ||
  existsSync(join(ROOT, 'src', place)) ||
  (!place.includes('/') && names.has(place)) ||
  // As `workers/{validate,sync,rotate}/processor.ts`.
  (place.includes('{') && alternatives(place).every(exists));

function alternatives(place: string): readonly string[] {
  const [, before = '', choices = '', after = ''] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(place) ?? [];
  return choices.split(',').map((choice) => `${before}${choice}${after}`);
}

test('every file and folder of ARCHITECTURE.md exists', () => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8').replace(/^```$.*?^```$/gms, '');
  const quoted = [...text.matchAll(/`([^`\s]+)`/g)].map(([, place = '']) => place.replace('<kind>', 'parameter-store'));
  const places = quoted.filter((place) => /\.ts$|^[\w.-]+\/.*/.test(place));
  expect(places.length).toBeGreaterThan(60);
  expect(places.filter((place) => !exists(place))).toEqual([]);
});
