/**
 * `npm run test:chaos -- delivery` in small: a worker process ended by SIGKILL in the middle of its
 * work, and everything done in the end, once.
 */
import { expect, it, onTestFinished } from 'vitest';

import { pause, World } from '../../chaos/delivery-world.ts';
import { hasRedis } from '../../support/backends.ts';

it('an installation loses nothing and does nothing twice when its worker is killed', async () => {
  const world = await World.open({ engine: hasRedis ? 'redis' : 'postgres', accounts: 3, syncs: 12, rotations: 1 });
  onTestFinished(() => world.close());
  const worker = await world.startWorker();
  await world.requestRotations();
  await world.addOutsideJobs(20);
  await world.changeSecrets();
  await pause(150 + Math.random() * 300);
  await worker.kill();
  await world.expireLeases();
  const last = await world.startWorker();
  await world.rest(90_000);
  await world.stopWorker(last);
  expect(await world.judge({ repeatsPerParameter: 1 })).toEqual([]);
  expect(world.tally).toMatchObject({ lost: 0, duplicated: 0 });
}, 180_000);
