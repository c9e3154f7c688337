/** A row that others always change first. */
import { expect, test } from 'vitest';

import { untilAsSeen } from '../../../src/db/engine/subjects.ts';
import { statusOf } from '../../../src/domain/http-status.ts';
import { isOutage } from '../../../src/domain/snooze.ts';
import { toJobError } from '../../../src/errors.ts';

test('is no outage of PostgreSQL, and may be tried again', async () => {
  let races = 0;
  const lost = () => Promise.resolve(void (races += 1));

  const error = toJobError(await untilAsSeen(lost).catch((thrown: unknown) => thrown));

  expect([error.code, error.disposition, isOutage(error), statusOf(error.code)]).toEqual([
    'DB_CONTENDED',
    'snooze',
    false,
    503,
  ]);
  expect(races).toBe(20);
});
