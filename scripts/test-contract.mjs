/** `npm run test:contract [-- --endpoint URL]`: the suites of the AWS ports on the sandbox and, with an endpoint, on that emulator too. */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({ options: { endpoint: { type: 'string' } }, allowPositionals: true });
const endpoint = values.endpoint === undefined ? {} : { KEYFERRY_TEST_ENDPOINT: values.endpoint };
const { status } = spawnSync('vitest', ['run', '--project', 'contract', ...positionals], {
  stdio: 'inherit',
  env: { ...process.env, ...endpoint },
  shell: process.platform === 'win32',
});
process.exitCode = status ?? 1;
