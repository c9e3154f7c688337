/**
 * What `keyferry status` says of a queue that is down: work waits for it, although every subject
 * looks well.
 */
import { expect, it } from 'vitest';

import { describeStatus, needsAttention, type Status } from '../../../src/cli/status.ts';

const now = new Date('2026-01-31T12:00:00Z');
const well: Status = {
  ...{ org: 'acme', queue: 'redis', queueFault: null, guard: null, endpointOverrides: [], baseIdentities: [] },
  ...{ connections: [], syncs: [], rotations: [] },
  workers: { areRunning: true, lastSeenAt: now, workers: [] },
};
const message = 'Redis at db:6379 cannot be reached (ECONNREFUSED). Check REDIS_URL and that the server runs.';

it('says that the queue is down, and that nothing is lost', () => {
  const text = describeStatus({ ...well, queueFault: { code: 'QUEUE_UNAVAILABLE', message } }, now);
  expect(text).toContain(`QUEUE DOWN: ${message} Work waits in PostgreSQL until the queue is back.`);
  expect(describeStatus(well, now)).not.toContain('QUEUE');
});

it('wants attention then, for --exit-code', () => {
  expect(needsAttention(well)).toBe(false);
  expect(needsAttention({ ...well, queueFault: { code: 'QUEUE_UNAVAILABLE', message } })).toBe(true);
});
