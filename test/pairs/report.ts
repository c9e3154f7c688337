/** Prints the sum when all else has been printed: the last line of `npm run test:pairs`. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The file to which each test appends a line: how many it tried, and how many hold. */
    pairsReport: string;
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-pairs-'));
  const report = join(directory, 'sum');
  project.provide('pairsReport', report);
  return async () => {
    console.log(sumOf(await readFile(report, 'utf8').catch(() => '')));
    await rm(directory, { recursive: true });
  };
}

function sumOf(report: string): string {
  if (report === '') return 'pairs: none tried';
  const lines = report
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  const sum = (at: number) => String(lines.reduce((total, line) => total + (line[at] ?? 0), 0));
  return `pairs: ${sum(0)} tried, ${sum(1)} hold`;
}
