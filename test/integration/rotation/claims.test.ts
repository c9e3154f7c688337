/** What two workers do with one rotation at once. */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { createWork } from '../../../src/db/engine/work.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld } from './world.ts';

const stage = useStage();

test('of two workers that claim one rotation, one runs', async () => {
  const world = await createWorld(stage);
  const { id } = await world.createRotation();
  await stage.handle.db.execute(
    sql`update keyferry.rotations set dispatch_lease_until = now() + interval '1 minute'
      where id = ${id}`,
  );
  const work = createWork(stage.handle.db);

  const claims = await Promise.all(
    [1, 2].map(() => work.claim('rotate', { subjectId: id, runId: crypto.randomUUID(), jobId: undefined })),
  );

  expect(claims.filter((claim) => claim !== undefined)).toHaveLength(1);
});
