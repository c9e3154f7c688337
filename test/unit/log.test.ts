import { expect, test } from 'vitest';

import { JobError } from '../../src/errors.ts';
import { describeError, maskKeyIds } from '../../src/observe/log.ts';

test('a log line tells access keys apart without their ids', () => {
  const message = 'Remove AKIAIOSFODNN7EXAMPLE (active) or ASIAY34FZKBOKMUTVV7A.';

  expect(maskKeyIds(message)).toBe('Remove AKIA…MPLE (active) or ASIA…VV7A.');
  expect(describeError(new JobError('KEY_FOREIGN', { message }))).toMatchObject({ message: maskKeyIds(message) });
});
