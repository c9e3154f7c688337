/**
 * `npm run test:witness`: the whole product, as processes, against an emulator of AWS that others
 * wrote; everything at AWS is prepared and read with boto3.
 *
 *   tsx test/witness/run.ts [--short] [--endpoint URL] [--story PART-OF-A-NAME …]
 */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { STORIES } from './stories.ts';
import { tellStory, type CheckResult, type StoryOutcome } from './story.ts';
import { openWorld } from './world.ts';

const { values } = parseArgs({
  options: { short: { type: 'boolean' }, endpoint: { type: 'string' }, story: { type: 'string', multiple: true } },
});

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function printOutcome({ story, results, seconds }: StoryOutcome): void {
  const failures = results.filter(({ problem }) => problem !== undefined);
  const verdict = failures.length === 0 ? 'ok    ' : 'FAILED';
  print(`${verdict} ${story.name} (${story.queues}): ${String(results.length)} checks, ${seconds.toFixed(0)} s`);
  for (const { name, problem } of failures) {
    print(`       ${name}`);
    print(`         ${problem ?? ''}`);
  }
}

/**
 * The command line runs built programs several times faster than sources; what ships is what is
 * tried. Types are the check's business.
 */
function build(): void {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const copied = (path: string): boolean => !path.endsWith('.ts');
  rmSync(`${root}dist`, { recursive: true, force: true });
  cpSync(`${root}src`, `${root}dist`, { recursive: true, filter: copied });
  const { status } = spawnSync('npx', ['tsc', '-p', 'tsconfig.build.json', '--noCheck'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('The program could not be built.');
}

build();
const chosen = STORIES.filter(
  ({ name, lane }) =>
    (values.short !== true || lane === 'short') && (values.story?.some((part) => name.includes(part)) ?? true),
);
const world = await openWorld({ endpoint: values.endpoint }).catch((error: unknown) => {
  print(error instanceof Error ? error.message : String(error));
  process.exit(2);
});
const results: CheckResult[] = [];
try {
  for (const [index, story] of chosen.entries()) {
    const outcome = await tellStory(story, world, `w${String(index + 1)}`);
    results.push(...outcome.results);
    printOutcome(outcome);
  }
} finally {
  await world.close().catch((error: unknown) => {
    print(`not everything could be ended: ${String(error)}`);
  });
}
const failed = results.filter(({ problem }) => problem !== undefined).length;
print(`witness: ${String(results.length)} checks, ${String(results.length - failed)} passed`);
process.exitCode = failed === 0 && results.length > 0 ? 0 : 1;
// A story that broke may have left something open.
process.exit();
