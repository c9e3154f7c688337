import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { cleanData, cleanJob, cleanOptions, cleanReason, redact } from '../../../src/server/board/clean-job.ts';

const id = randomUUID();

describe('what the board shows of a job', () => {
  it('is ids, the reason, who asked and our own mark', () => {
    const data = { syncId: id, requestId: id, reason: 'requested', requestedBy: 'ci@shop', dispatched: true };
    expect(cleanData(data)).toEqual(data);
  });

  it('hides whatever else is in the data, and ids that are none', () => {
    expect(
      cleanData({ syncId: 'hunter2', password: 'hunter2', requestedBy: 'x'.repeat(40), nested: { a: 1 } }),
    ).toEqual({ hiddenFields: 4 });
    expect(cleanData('hunter2')).toEqual({});
  });

  it('is the public message of our errors and BullMQ’s own words, never a foreign text', () => {
    expect(cleanReason('AWS_THROTTLED: AWS throttled the call.')).toBe('AWS_THROTTLED: AWS throttled the call.');
    expect(cleanReason('job stalled more than allowable limit')).toBe('job stalled more than allowable limit');
    for (const foreign of ['insert into x values (hunter2)', 'NOT_A_CODE: hunter2', 'aws_throttled: hunter2']) {
      expect(cleanReason(foreign)).not.toContain('hunter2');
    }
  });

  it('keeps shapes of credentials out even of our own messages', () => {
    const secret = 'abcdEFGH1234abcdEFGH1234abcdEFGH12345678';
    expect(redact(`AWS_REJECTED: ${secret} and postgres://user:hunter2@host/db`)).toBe(
      'AWS_REJECTED: [redacted] and postgres:[redacted]host/db',
    );
    expect(redact('role arn:aws:iam::111122223333:role/keyferry')).toBe('role arn:aws:iam::111122223333:role/keyferry');
  });

  it('is numbers and switches of the options', () => {
    const options = {
      attempts: 1,
      priority: 2,
      jobId: 'hunter2',
      deduplication: { id: `sync-${id}` },
      telemetry: { metadata: 'hunter2' },
    };
    expect(cleanOptions(options)).toEqual({ attempts: 1, priority: 2, deduplication: { id: `sync-${id}` } });
    expect(cleanOptions({ deduplication: { id: 'hunter2' } })).toEqual({});
  });

  it('never holds a planted text, wherever a producer puts it', () => {
    const marker = 'PLANTED';
    const text = fc.string({ maxLength: 20 }).map((noise) => `${noise}${marker}${noise}`);
    const anything = fc.oneof(text, fc.record({ a: text, requestedBy: text, syncId: text }), fc.array(text));
    const job = fc.record({
      name: text,
      data: anything,
      opts: anything,
      progress: anything,
      returnvalue: anything,
      failedReason: text,
      stacktrace: fc.array(text),
    });
    fc.assert(
      fc.property(job, (raw) => {
        const { requestedBy: _shown, ...data } = cleanJob(raw).data as Record<string, unknown>;
        expect(JSON.stringify({ ...cleanJob(raw), data })).not.toContain(marker);
      }),
    );
  });
});
