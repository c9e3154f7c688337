import { expect, test } from 'vitest';

import { createLineFormat } from '../../src/cli/terminal-log.ts';
import { JobError } from '../../src/errors.ts';
import { createLog, describeError, type Log, maskKeyIds } from '../../src/observe/log.ts';

test('a log line tells access keys apart without their ids', () => {
  const message = 'Remove AKIAIOSFODNN7EXAMPLE (active) or ASIAY34FZKBOKMUTVV7A.';

  expect(maskKeyIds(message)).toBe('Remove AKIA…MPLE (active) or ASIA…VV7A.');
  expect(describeError(new JobError('KEY_FOREIGN', { message }))).toMatchObject({ message: maskKeyIds(message) });
});

async function logged(environment: Record<string, string>, write: (log: Log) => void): Promise<string> {
  const format = await createLineFormat(environment);
  const lines: string[] = [];
  write(createLog({ level: 'info' }, { write: (line) => void lines.push(format(line)) }));
  return lines.join('');
}

test('a line for a terminal has time, level, message and fields, and hides what the JSON hides', async () => {
  const screen = await logged({ NO_COLOR: '1' }, (log) => {
    log.debug('not at this level');
    log.warn({ sync: 'api', password: 'planted', err: new JobError('KEY_FOREIGN', { message: 'Its text.' }) }, 'slow');
  });

  expect(screen).toMatch(
    /^\[\d\d:\d\d:\d\d\] WARN: slow \{.*"sync":"api".*"code":"KEY_FOREIGN","message":"Its text\.".*\}\n$/,
  );
  expect(screen).toContain('"password":"[redacted]"');
});

test.each([
  [{}, true],
  [{ NO_COLOR: '1' }, false],
  [{ TERM: 'dumb' }, false],
])('%j decides whether a line has colours', async (environment, hasColor) => {
  const screen = await logged(environment, (log) => {
    log.info('started');
  });
  expect(screen.includes('\u001b[')).toBe(hasColor);
});

test('what a text from outside would tell the terminal stays in the text', async () => {
  const screen = await logged({ NO_COLOR: '1' }, (log) => {
    log.info('a\u001b[2Jb\u009b31mc');
  });
  expect(screen).toContain('a?[2Jb?31mc');
});
