/**
 * `npm run audit`: fails on a known vulnerability in what keyferry needs at run time. Without an
 * answer from the registry it says so and does not fail: no advisories is not the same as none
 * known.
 */
import { spawnSync } from 'node:child_process';

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  encoding: 'utf8',
  shell: process.platform === 'win32',
});

/** npm prints warnings before its document, and another document when it fails. */
function parseReport(text) {
  try {
    return JSON.parse(text.slice(text.search(/^\{/m)));
  } catch {
    return {};
  }
}

const { vulnerabilities, message } = parseReport(stdout);
if (vulnerabilities === undefined) {
  console.log(
    `audit: no advisories could be had (${/^\d{3} [\w ]+/.exec(message ?? '')?.[0] ?? 'no answer'}); nothing was checked`,
  );
} else {
  const found = Object.values(vulnerabilities);
  for (const { name, severity, range } of found) console.log(`audit: ${severity} in ${name} ${range}`);
  console.log(`audit: ${found.length} vulnerable packages`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
