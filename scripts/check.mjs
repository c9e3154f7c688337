/**
 * `npm run check [STEP…]`: every step, in order of cost, even when an earlier one fails, then one
 * line for each. `npm run check:quick`: what is cheap, and the unit tests.
 */
import { spawnSync } from 'node:child_process';

const STEPS = [
  ['format', 'prettier', ['--check', '--log-level=warn', '.']],
  ['lint', 'eslint', ['--max-warnings=0', '.']],
  ['types', 'tsc', ['--project', '.']],
  ['types of the build', 'tsc', ['--project', 'tsconfig.build.json', '--noEmit']],
  [
    'arrows',
    'depcruise',
    ['--config', '.dependency-cruiser.cjs', '--output-type', 'err', 'src', 'test', 'bench', 'bin'],
  ],
  ['knip', 'knip', ['--no-config-hints']],
  ['commit messages', 'node', ['scripts/commit-bodies.mjs']],
];

const QUICK = ['format', 'types', 'arrows'];
const UNIT_TESTS = ['unit tests', 'vitest', ['run', '--project', 'unit']];

function chosenSteps(wanted) {
  if (wanted.length === 0) return STEPS;
  if (wanted.includes('--quick')) return [...STEPS.filter(([name]) => QUICK.includes(name)), UNIT_TESTS];
  return STEPS.filter(([name]) => wanted.includes(name));
}

const results = chosenSteps(process.argv.slice(2)).map(([name, command, flags]) => {
  const startedAt = Date.now();
  const { status } = spawnSync(command, flags, { stdio: 'inherit', shell: process.platform === 'win32' });
  return { name, passed: status === 0, seconds: ((Date.now() - startedAt) / 1000).toFixed(1) };
});

for (const { name, passed, seconds } of results) {
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
}
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
