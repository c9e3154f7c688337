import { expect, it } from 'vitest';

import { isLoopback } from '../../../src/domain/servers/loopback.ts';

it.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.9.9.9', '127.255.255.255', '::1', '[::1]'])(
  '%s is this machine',
  (host) => {
    expect(isLoopback(host)).toBe(true);
  },
);

it.each(['127.0.0.1.evil.example', '127.999.1.1', '127.1', '0.0.0.0', '::', '[::]', '10.0.0.1', ''])(
  '%s is not this machine',
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);
