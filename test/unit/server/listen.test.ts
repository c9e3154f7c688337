import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';

import { Hono } from 'hono';
import { expect, it } from 'vitest';

import { listen } from '../../../src/server/listen.ts';

/** 10 s for the headers, and 2 s until somebody looks; the rest is for a busy machine. */
const LIMIT_MS = 25_000;

it('a socket that never ends its headers is closed', { timeout: LIMIT_MS + 5_000 }, async () => {
  const server = await listen(new Hono(), { host: '127.0.0.1', port: 0 });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  const startedAtMs = performance.now();
  socket.resume();
  socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  expect(performance.now() - startedAtMs).toBeLessThan(LIMIT_MS);
  await server.close();
});
