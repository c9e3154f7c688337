import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR } from './world.ts';

const stage = useStage();

const html = '<html><body>Blocked by the firewall</body></html>';

test.each([
  ['an empty 403', 403, '', {}],
  ['an empty 400', 400, '', {}],
  ['a 403 page', 403, html, { 'content-type': 'text/html' }],
  ['a 404 page', 404, html, { 'content-type': 'text/html' }],
  ['a 200 page', 200, html, { 'content-type': 'text/html' }],
  ['a 302', 302, '', { location: 'https://portal.invalid/' }],
  ['a JSON 403 of others', 403, '{"error":"blocked"}', { 'content-type': 'application/json' }],
] as const)('%s from a proxy in between blames no sync and no connection', async (_what, statusCode, body, headers) => {
  let isBlocked = false;
  const world = await createWorld(stage, {
    wrapHandle: (handle) => (request) =>
      isBlocked ? Promise.resolve({ status: statusCode, headers, body } as never) : handle(request),
  });
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  const connection = await world.connections.byId(world.connection.id);
  await world.set({ A: '2' });
  isBlocked = true;

  for (const isNewSession of [false, true]) {
    if (isNewSession) world.clock.advance(2 * HOUR);
    const { outcome } = await world.runOnce(id);
    expect(outcome).toMatchObject({ status: 'retry', error: { code: 'AWS_UNREACHABLE', disposition: 'retry' } });
  }
  expect(await world.connections.byId(world.connection.id)).toEqual(connection);

  isBlocked = false;
  expect((await world.runUntilDone(id)).outcome).toMatchObject({ status: 'succeeded', counts: { updated: 1 } });
});
