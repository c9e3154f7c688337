import { expect, test } from 'vitest';

import { refusalAtEdge } from '../../../src/network/public-lookup.ts';

test.each([
  ['https://10.0.0.1/', 'its address is not public'],
  ['https://169.254.169.254/latest', 'its address is not public'],
  ['https://[::ffff:10.0.0.1]/', 'its address is not public'],
  ['https://127.0.0.1/', 'its host is the machine of keyferry itself'],
  ['http://example.com/', 'it must begin with https://'],
  ['https://example.com/', undefined],
  ['https://8.8.8.8/', undefined],
  ['http://10.0.0.7/', undefined],
])('%s', (url, refusal) => {
  expect(refusalAtEdge(url, ['10.0.0.7'])).toBe(refusal);
});
