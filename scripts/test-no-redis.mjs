/**
 * `npm run test:no-redis`: the tests without any Redis, and in plain words what that leaves out.
 */
import { spawnSync } from 'node:child_process';

const NOTICE = `
Run without Redis. Left out:
  - the Redis half of every test of the queues (their PostgreSQL half ran)
  - the tests of Redis itself: outages, restarts, a full server, Cluster
\`npm test\`, \`npm run test:processes\` and \`npm run test:replays\` run them all.
`;

const projects = ['unit', 'integration', 'processes', 'replays'].flatMap((name) => ['--project', name]);
const { status } = spawnSync('vitest', ['run', ...projects, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, KEYFERRY_TEST_NO_REDIS: '1' },
  shell: process.platform === 'win32',
});
console.log(NOTICE);
process.exitCode = status ?? 1;
