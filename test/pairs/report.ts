/** Prints the sum when all else has been printed: the last line of `npm run test:pairs`. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The file into which the test writes its sum. */
    pairsReport: string;
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-pairs-'));
  const report = join(directory, 'sum');
  project.provide('pairsReport', report);
  return async () => {
    console.log(await readFile(report, 'utf8').catch(() => 'pairs: none tried'));
    await rm(directory, { recursive: true });
  };
}
