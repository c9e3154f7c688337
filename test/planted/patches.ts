/**
 * Planted defects: each patch in this folder brings one fixed defect back, and names the suite that
 * must notice. The header stands above the diff:
 *
 *   Finding: A1
 *   Defect: one sentence
 *   Suite: npx vitest run --project unit test/unit/some.test.ts -t "part of the test's name"
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface PlantedPatch {
  /** Without `.patch`. */
  readonly name: string;
  readonly path: string;
  readonly finding: string;
  readonly defect: string;
  /** As the header has it; patches with the same text share a suite. */
  readonly suite: string;
}

export interface SuiteCommand {
  readonly environment: Readonly<Record<string, string>>;
  /** After `vitest`. */
  readonly arguments: readonly string[];
  readonly files: readonly string[];
}

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

export function readPatches(): readonly PlantedPatch[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.patch'))
    .sort()
    .map((file) => readPatch(join(FOLDER, file), file.slice(0, -'.patch'.length)));
}

function readPatch(path: string, name: string): PlantedPatch {
  const [head = ''] = readFileSync(path, 'utf8').split(/^diff --git /m);
  const field = (title: string): string => {
    const value = new RegExp(`^${title}: (\\S.*)$`, 'm').exec(head)?.[1];
    if (value === undefined) throw new Error(`${name}.patch has no line "${title}: …" above its diff.`);
    return value.trim();
  };
  return { name, path, finding: field('Finding'), defect: field('Defect'), suite: field('Suite') };
}

const SUITE = /^((?:[A-Z_]+=\S+ )*)npx vitest (run --project .+)$/;

/** Vitest only: its report tells a test that failed from a file that did not load. */
export function parseSuite(suite: string): SuiteCommand {
  const [, settings = '', command = ''] = SUITE.exec(suite) ?? [];
  if (command === '') throw new Error(`Not a suite that the runner can judge: ${suite}`);
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
  const pairs = settings.split(' ').filter((text) => text !== '');
  return {
    environment: Object.fromEntries(pairs.map((pair) => [pair.split('=')[0] ?? '', pair.split('=')[1] ?? ''])),
    arguments: words,
    files: words.filter((word) => word.endsWith('.test.ts')),
  };
}
