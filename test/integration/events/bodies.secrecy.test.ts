import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { createWebhooks } from '../../../src/db/webhooks.ts';
import { newWebhookShape } from '../../../src/domain/webhooks.ts';
import { toMessage, type Event } from '../../../src/server/webhook/message.ts';
import { useStage } from '../../support/use-stage.ts';
import * as rotating from '../rotation/world.ts';
import { createWorld, REGION } from '../sync/world.ts';

/** No event, in whatever form it is sent, holds a value that keyferry wrote. */
const stage = useStage();

const secret = `whsec_${Buffer.alloc(32, 4).toString('base64')}`;

async function sentOf(orgId: string): Promise<readonly string[]> {
  const rows = await stage.handle.db.execute(
    sql`select id, event, created_at as "createdAt", payload from keyferry.notifications
      where payload ->> 'orgId' = ${orgId}`,
  );
  return rows.flatMap((row) => {
    const event = { ...row, createdAt: new Date(String(row['createdAt'])) } as unknown as Event;
    return (['standard', 'slack'] as const).map((format) => toMessage(event, { secret, format }, new Date()).body);
  });
}

const listen = (orgId: string) =>
  createWebhooks(stage.handle.db, stage.encryption, { hosts: [] }).create(
    orgId,
    newWebhookShape.parse({ name: 'all', url: 'https://hooks.example.com/' }),
  );

test.each([
  ['parameters', {}],
  ['secrets', { destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'p/' } }],
  ['a JSON secret', { destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'p' } }],
] as const)('an event about %s holds no value', async (what, input) => {
  const world = await createWorld(stage);
  await listen(world.orgId);
  await world.set({ A: 'canary-of-a-value', B: 'canary-of-another' }, { A: { team: 'canary-of-metadata' } });
  const destination = what === 'parameters' ? {} : { destination: 'aws-secrets-manager' as const };
  const { id } = await world.createSync({ ...destination, ...input });
  await world.runUntilDone(id);
  await world.set({ B: null });
  await world.runUntilDone(id);

  const sent = await sentOf(world.orgId);
  expect(sent).toHaveLength(4);
  expect(sent.join()).not.toContain('canary');
});

test('an event about a rotation holds no secret access key', async () => {
  const world = await rotating.createWorld(stage);
  await listen(world.orgId);
  const { id } = await world.createRotation({ graceSeconds: 0, quietSeconds: 0, holdSeconds: 0 });
  await world.runUntilDone(id);
  const old = await world.published();
  await world.rotations.request(await world.row(id), {}, 'ann');
  await world.runUntilDone(id);
  const fresh = await world.published();

  const sent = (await sentOf(world.orgId)).join();
  expect(sent).toContain(fresh.accessKeyId);
  for (const pair of [old, fresh]) expect(sent).not.toContain(pair.secretAccessKey);
});
