/** `npm run check`: every step, in order of cost, even when an earlier one fails, then one line for each. */
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
];

const wanted = process.argv.slice(2);
const results = STEPS.filter(([name]) => wanted.length === 0 || wanted.includes(name)).map(([name, command, flags]) => {
  const startedAt = Date.now();
  const { status } = spawnSync(command, flags, { stdio: 'inherit', shell: process.platform === 'win32' });
  return { name, passed: status === 0, seconds: ((Date.now() - startedAt) / 1000).toFixed(1) };
});

for (const { name, passed, seconds } of results) {
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
}
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
