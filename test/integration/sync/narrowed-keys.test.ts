/**
 * A sync of a connection with an access key that is narrowed: the option and the check on the row
 * decide who writes.
 */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { narrowed } from '../../../src/domain/connection/narrowing.ts';
import { useStage } from '../../support/use-stage.ts';
import { ALL_ACTIONS, allow, createWorld, MINUTE, REGION, type World } from './world.ts';

const stage = useStage();

async function useKey(world: World, { isTried }: { readonly isTried: boolean }): Promise<void> {
  const user = { accountId: world.accountId, userName: 'deployer' };
  world.sandbox.createUser({ ...user, policy: allow([...ALL_ACTIONS, 'sts:GetFederationToken']) });
  const by = { method: 'access-key' as const, ...world.sandbox.createAccessKey(user) };
  const row = await world.connections.byId(world.connection.id);
  const description = { narrowAccessKey: true };
  const credentials = { are: 'replaced' as const, by };
  await world.connections.update(row, { description, credentials, via: 'operator', requestedBy: null });
  const checks = isTried ? [narrowed({ use: 'parameter-store', region: REGION, path: '/app/prod/' })] : [];
  await stage.handle.db.execute(sql`
    update keyferry.connections
    set status = 'valid', next_due_at = null, checks = ${JSON.stringify(checks)}::jsonb
    where id = ${row.id}`);
}

const writers = (world: World) =>
  world.sandbox.calls.list({ operation: 'PutParameter' }).map(({ principalArn }) => principalArn?.split(':').at(-1));

test('writes through the narrowed session once the use was tried, and drops it with the credentials', async () => {
  const world = await createWorld(stage);
  await useKey(world, { isTried: true });
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  expect((await world.runUntilDone(id)).outcome.status).toBe('succeeded');
  expect(writers(world)).toEqual([expect.stringMatching(/^federated-user\/keyferry-[0-9a-f]{23}$/)]);
  const user = { accountId: world.accountId, userName: 'deployer' };
  const by = { method: 'access-key' as const, ...world.sandbox.createAccessKey(user) };
  const row = await world.connections.byId(world.connection.id);
  await world.connections.update(row, {
    description: {},
    credentials: { are: 'replaced', by },
    via: 'operator',
    requestedBy: null,
  });
  await stage.handle.db.execute(
    sql`update keyferry.connections set status = 'valid', next_due_at = null where id = ${row.id}`,
  );
  await world.set({ A: '2' });
  world.clock.advance(2 * MINUTE);
  expect((await world.runUntilDone(id)).outcome.status).toBe('succeeded');
  const asked = world.sandbox.calls.list({ operation: 'GetFederationToken' }).map(({ accessKeyId }) => accessKeyId);
  expect(asked).toEqual([row.accessKeyId, by.accessKeyId]);
});

test('writes with the key itself as long as the use was not tried', async () => {
  const world = await createWorld(stage);
  await useKey(world, { isTried: false });
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  expect((await world.runUntilDone(id)).outcome.status).toBe('succeeded');
  expect(writers(world)).toEqual(['user/deployer']);
});
