import { describe, expect, it } from 'vitest';

import { requireStorable } from '../../../src/domain/storable-text.ts';
import { cutText, isStorable } from '../../../src/domain/text.ts';
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
    expect(publicMessage).toBe(`${'x'.repeat(254)}…`);
    expect(new JobError('AWS_REJECTED', { message: 'a\u0000b' }).message).toBe('a\ufffdb');
  });
});

describe('text that is cut', () => {
  it.each([
    ['abc', 2, 'ab'],
    ['abc', 3, 'abc'],
    ['a😀', 2, 'a'],
    ['a😀', 3, 'a😀'],
    ['😀😀', 3, '😀'],
    ['😀', 1, ''],
    ['', 4, ''],
  ])('%j to %i units is %j', (text, maxLength, expected) => {
    expect(cutText(text, maxLength)).toBe(expected);
  });

  it('is still storable, wherever the cut falls', () => {
    const text = '1😀2é😀😀3';
    for (let length = 1; length <= text.length; length += 1) expect(isStorable(cutText(text, length))).toBe(true);
  });
});
