/**
 * `npm run test:witness`: the whole product, as processes, against an emulator of AWS that others wrote; everything at AWS is prepared and read with boto3.
 *
 *   tsx test/witness/run.ts [--short] [--endpoint URL] [--story NAME]
 */
import { parseArgs } from 'node:util';

import { STORIES } from './stories.ts';
import { tellStory, type CheckResult, type StoryOutcome } from './story.ts';
import { openWorld } from './world.ts';

const { values } = parseArgs({
  options: { short: { type: 'boolean' }, endpoint: { type: 'string' }, story: { type: 'string' } },
});

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function printOutcome({ story, results, seconds }: StoryOutcome): void {
  const failures = results.filter(isFailure);
  const verdict = failures.length === 0 ? 'ok    ' : 'FAILED';
  print(`${verdict} ${story.name} (${story.queues}): ${String(results.length)} checks, ${seconds.toFixed(0)} s`);
  for (const { name, problem, knownAs } of failures) {
    print(`       ${name}`);
    print(`         ${problem ?? `holds now: take ${knownAs ?? ''} out of the table`}`);
  }
}

/** Fails without being known, or is known and holds. */
function isFailure({ problem, knownAs }: CheckResult): boolean {
  return (problem === undefined) !== (knownAs === undefined);
}

const chosen = STORIES.filter(
  ({ name, lane }) =>
    (values.short !== true || lane === 'short') && (values.story === undefined || name.includes(values.story)),
);
const world = await openWorld({ endpoint: values.endpoint });
const results: CheckResult[] = [];
try {
  for (const [index, story] of chosen.entries()) {
    const outcome = await tellStory(story, world, `w${String(index + 1)}`);
    results.push(...outcome.results);
    printOutcome(outcome);
  }
} finally {
  await world.close();
}
const failed = results.filter(isFailure).length;
print(`witness: ${String(results.length)} checks, ${String(results.length - failed)} passed`);
process.exitCode = failed === 0 && results.length > 0 ? 0 : 1;
