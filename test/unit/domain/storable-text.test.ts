import { describe, expect, it } from 'vitest';

import { requireStorable } from '../../../src/domain/storable-text.ts';
import { JobError } from '../../../src/errors.ts';
import { parsePayload } from '../../../src/queues/payload.ts';

const bad = ['\u0000', 'a\u0000b', '\ud83d', 'x\ude00', '\ude00\ud83d'];

describe('text that PostgreSQL cannot hold', () => {
  it.each(bad)('is refused at any depth, with the name of the field: %j', (text) => {
    expect(() => {
      requireStorable({ a: [{ b: text }] });
    }).toThrow('a.0.b holds a character that cannot be stored');
    expect(() => {
      requireStorable({ [text]: 1 });
    }).toThrow('a field name of input');
    expect(() => parsePayload('validate', 'validate', { connectionId: 'x', requestedBy: text })).toThrow(
      'data.requestedBy holds',
    );
  });

  it('is nothing else', () => {
    requireStorable({ text: 'ä 😀 \u0001 \ufffd \n', none: null, when: new Date(), then: () => '\u0000' });
  });

  it('never stands in a message, also where it was cut', () => {
    const { publicMessage } = new JobError('AWS_REJECTED', { message: `${'x'.repeat(254)}😀\u0000` });
    expect(publicMessage).toBe(`${'x'.repeat(254)}\ufffd…`);
    expect(new JobError('AWS_REJECTED', { message: 'a\u0000b' }).message).toBe('a\ufffdb');
  });
});
