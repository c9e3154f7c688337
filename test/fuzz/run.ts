/**
 * `npm run test:fuzz`: generated input through everything that reads input. Seeded: a failure
 * prints the seed and the smallest input; `FUZZ_SEED` runs it again. `FUZZ_RUNS` is the number of
 * inputs, 200,000 unless set.
 */
import { randomInt } from 'node:crypto';

import fc from 'fast-check';

import { JobError } from '../../src/errors.ts';
import { type Target, targets } from './targets.ts';

const runs = Number(process.env['FUZZ_RUNS'] ?? 200_000);
const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31));

/** One input that takes longer than this hangs the process for everybody. */
const LIMIT_MS = 2_000;

let inputs = 0;
let failures = 0;

console.log(`fuzz: seed ${String(seed)}`);
for (const target of targets) {
  const numRuns = Math.max(10, Math.ceil((runs * target.share) / 1_000));
  const result = await fc.check(property(target), { seed, numRuns });
  inputs += result.numRuns;
  if (!result.failed) {
    console.log(`  ${target.name}: ${String(result.numRuns)} inputs`);
    continue;
  }
  failures += 1;
  console.log(`  ${target.name}: FAILED\n${fc.defaultReportMessage(result) ?? ''}`);
}
console.log(`fuzz: ${String(inputs)} inputs, ${String(failures)} failures`);
process.exitCode = failures === 0 ? 0 : 1;

function property(target: Target) {
  return fc.asyncProperty(target.input, async (input) => {
    const startedAt = performance.now();
    try {
      await target.try(input);
    } catch (error) {
      if (!(error instanceof JobError)) throw error;
      if (error.code === 'BUG_UNEXPECTED') throw new Error(`BUG_UNEXPECTED: ${error.message}`, { cause: error.cause });
    }
    if (performance.now() - startedAt > LIMIT_MS) throw new Error(`took more than ${String(LIMIT_MS)} ms`);
  });
}
