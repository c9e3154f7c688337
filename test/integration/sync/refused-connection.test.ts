/** AWS refuses the connection before any validation has noticed. */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, MINUTE, type World } from './world.ts';

const stage = useStage();

async function validated(world: World, minutesAgo: number): Promise<void> {
  await stage.handle.db.execute(sql`
    update keyferry.connections
    set last_validated_at = now() - make_interval(mins => ${minutesAgo}), next_due_at = null
    where id = ${world.connection.id}`);
}

async function isDue(world: World, withinMinutes = 0): Promise<boolean> {
  const [row] = await stage.handle.db.execute(sql`
    select next_due_at <= now() + make_interval(mins => ${withinMinutes}) as due
    from keyferry.connections
    where id = ${world.connection.id}`);
  return row?.['due'] === true;
}

test('the connection is validated at once, and within the hour when a validation has just found it good', async () => {
  const world = await createWorld(stage);
  world.sandbox.setRoleTrust({
    accountId: world.accountId,
    roleName: 'sync',
    trustPolicy: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }],
    },
  });
  await world.set({ A: '1' });
  const { id } = await world.createSync();
  await validated(world, 60);
  const ran = await world.runUntilDone(id);
  expect(ran.outcome).toMatchObject({ status: 'blocked', code: 'CONNECTION_ACCESS_DENIED' });
  expect(await isDue(world)).toBe(true);

  await validated(world, 1);
  world.clock.advance(MINUTE);
  await world.runUntilDone(id, { request: 'sync' });
  expect(await isDue(world)).toBe(false);
  expect(await isDue(world, 60)).toBe(true);
});
