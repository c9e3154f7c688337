import fc from 'fast-check';
import { expect, test } from 'vitest';

import { changeDocument, memberValue, parseDocument, printDocument } from '../../../src/domain/sync/document.ts';

const change = (set: Readonly<Record<string, string>>, remove: readonly string[] = []) => ({
  set: new Map(Object.entries(set)),
  remove: new Set(remove),
});

test('members of others keep their text: order, numbers, escapes', () => {
  const text =
    '{ "big": 12345678901234567890, "float":1.10, "nested": {"a":[1,"}",{"b":"\\"]"}]}, "esc": "a\\u0041\\n" ,"ours":"1"}';
  const changed = printDocument(changeDocument(parseDocument(text)!, change({ ours: '2', new: '3' })));
  expect(changed).toBe(
    '{"big":12345678901234567890,"float":1.10,"nested":{"a":[1,"}",{"b":"\\"]"}]},"esc":"a\\u0041\\n","ours":"2","new":"3"}',
  );
});

test.each(['', 'text', '[1]', '"s"', 'null', '1', '{', '{"a":1'])('%s is no document', (text) => {
  expect(parseDocument(text)).toBeUndefined();
});

test('strings are values as they are, anything else is its JSON', () => {
  const document = parseDocument('{"s":"a\\"b","n":1.50,"o":{"x": 1},"__proto__":"p"}')!;
  expect(['s', 'n', 'o', '__proto__', 'none'].map((key) => memberValue(document, key))).toEqual([
    'a"b',
    '1.50',
    '{"x": 1}',
    'p',
    undefined,
  ]);
});

test('any JSON object is read and printed as itself', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.integer({ min: 0, max: 4 }), (object, indent) => {
      const document = parseDocument(JSON.stringify(object, null, indent));
      expect(JSON.parse(printDocument(document!))).toEqual(JSON.parse(JSON.stringify(object)));
    }),
  );
});

test('a change sets and removes exactly what it names', () => {
  const objects = fc.dictionary(fc.string(), fc.string());
  fc.assert(
    fc.property(objects, objects, fc.array(fc.string()), (before, set, remove) => {
      const changed = changeDocument(parseDocument(JSON.stringify(before))!, change(set, remove));
      const kept = Object.entries(before).filter(([key]) => !remove.includes(key));
      expect(new Map(Object.entries(JSON.parse(printDocument(changed)) as object))).toEqual(
        new Map([...kept, ...Object.entries(set)]),
      );
    }),
  );
});
