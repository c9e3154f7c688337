/** A row that others always change first. */
import { expect, test } from 'vitest';

import type { Database } from '../../../src/db/client.ts';
import { untilAsSeen } from '../../../src/db/engine/subjects.ts';
import { publish } from '../../../src/db/rotation/publication.ts';
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

test('of a publication waits with the code of contention, and calls nobody to the server', async () => {
  let revision = 0;
  const execute = () => Promise.resolve([{ held: true, revision: String((revision += 1)) }]);
  const db = { execute } as unknown as Database;
  const encryption = { encrypt: () => Promise.resolve('sealed') };
  const fence = { rotation: { id: 'r', secretsMapping: {} }, runId: 'run', now: new Date() };
  const toTransition = () => ({ phase: 'quiet', state: {} });
  const pair = { accessKeyId: 'AKIA', secretAccessKey: 'secret' };

  const published = publish(
    { db, encryption } as never,
    fence as never,
    { toTransition, pair, connection: undefined } as never,
  );

  await expect(published).rejects.toMatchObject({ code: 'DB_CONTENDED', disposition: 'snooze', retryAfterMs: 5_000 });
});
