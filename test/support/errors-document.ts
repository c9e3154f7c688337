/**
 * `docs/errors.md` as generated: `npx tsx test/support/errors-document.ts > docs/errors.md`
 * regenerates it.
 */
import { pathToFileURL } from 'node:url';

import { errorTable } from '../../src/errors.ts';

const dispositions = { retry: 'retries', snooze: 'waits without spending an attempt', fail: 'stops' } as const;

export function renderErrors(): string {
  const rows = Object.entries(errorTable).map(
    ([code, entry]) =>
      `| \`${code}\` | ${dispositions[entry.disposition]} | ${entry.message} ${entry.meaning} | ${entry.nextStep} |`,
  );
  return [
    '# Errors',
    '',
    'Every error that leaves keyferry has one of these codes: in `status_code` and `error_code` columns, in Bull Board, in the API and on the command line.',
    'Messages name the object, the missing permission or the setting; they never hold a value.',
    'Fields, such as `confirmDeletions: N`, are those of API and library; the command line shows its flags in their place.',
    '',
    '| code | the run | what happened | what to do |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.stdout.write(renderErrors());
