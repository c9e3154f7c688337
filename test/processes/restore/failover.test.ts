/**
 * A real failover: the standby takes over without the last commits, and its workers find out what
 * AWS holds.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createInstallation } from '../../../src/db/installation.ts';
import { createInstallationGuard } from '../../../src/db/installation-guard.ts';
import { migrate } from '../../../src/db/migrate.ts';
import { createLog } from '../../../src/observe/log.ts';
import type { EmbeddedPostgres } from '../../../src/sandbox/postgres.ts';
import { type InstallationWatch, startInstallationWatch } from '../../../src/workers/engine/installation-watch.ts';
import { databaseClock } from '../../support/database-clock.ts';
import { type Forwarder, startForwarder } from '../../support/forwarder.ts';
import { type Standby, startPrimary, startStandby } from '../../support/standby.ts';
import { openStage, type Stage } from '../../support/stage.ts';
import * as rotating from '../../integration/rotation/world.ts';
import { createWorld, DAY, MINUTE, type World } from '../../integration/sync/world.ts';
import { wrote } from '../../integration/restore/kinds.ts';

let primary: EmbeddedPostgres;
let standby: Standby;
/** The address that stays, as that of a proxy or a DNS name. */
let address: Forwarder;
let stage: Stage;

beforeAll(async () => {
  primary = await startPrimary();
  await migrate(primary.url);
  address = await startForwarder(primary.port, { host: '127.0.0.1', port: 0 });
  const url = new URL(primary.url);
  url.port = String(address.port);
  await databaseClock(url.href);
  standby = await startStandby(primary);
  stage = openStage(url.href);
});

afterAll(async () => {
  await stage.close();
  await address.close();
  await Promise.all([standby.stop(), primary.stop()]);
});

function startWatch(): Promise<InstallationWatch> {
  return startInstallationWatch({
    guard: createInstallationGuard(stage.handle.db),
    name: 'production',
    isGuardAsked: false,
    log: createLog({ level: 'silent' }),
    everyMs: 3_600_000,
  });
}

/** A folder with a value and a rotated pair, and two syncs that have written all of it. */
async function begin() {
  const world = await createWorld(stage);
  const { clock, sandbox, orgId } = world;
  const rotation = await rotating.furnish(stage, {}, { clock, sandbox, orgId, suffix: orgId.slice(4) });
  await change(rotation, 'DATA', 'old');
  const { id: rotationId } = await rotation.createRotation();
  await rotation.runUntilDone(rotationId);
  const { id: lost } = await world.createSync({ folderId: rotation.folderId });
  const { id: quiet } = await world.createSync({ destinationConfig: { region: 'eu-west-1', path: '/quiet/' } });
  await world.set({ CALM: 'same' });
  for (const id of [lost, quiet]) await world.runUntilDone(id);
  await world.set({ CALM: 'changed' });
  const { calls: usual } = await world.runUntilDone(quiet);
  sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/THEIRS', value: 'of somebody else' });
  clock.advance(31 * DAY);
  await clock.settled();
  return { world, rotation, rotationId, syncs: { lost, quiet }, usual };
}

async function change(rotation: rotating.World, key: string, value: string): Promise<void> {
  await rotation.folders.change(await rotation.folders.get(rotation.folderId), [{ key, value }], 'merge');
}

type Started = Awaited<ReturnType<typeof begin>>;

/** What the primary commits, and AWS holds, while nothing reaches the standby any more. */
async function commitLast({ world, rotation, rotationId, syncs }: Started): Promise<rotating.Pair> {
  await change(rotation, 'DATA', 'new');
  await rotation.runOnce(rotationId);
  await world.runUntilDone(syncs.lost);
  const pair = (await rotation.published()) as rotating.Pair;
  expect(world.parameters()).toMatchObject({ '/app/prod/DATA': 'new', '/app/prod/KEY_ID': pair.accessKeyId });
  return pair;
}

/** The primary is gone with what it had not sent. */
async function failOver({ clock }: World): Promise<void> {
  address.cut();
  await primary.stop();
  await standby.promote();
  address.leadTo(standby.port);
  address.mend();
  clock.advance(MINUTE);
  await clock.settled();
}

it('begins an epoch, looks once at each subject, and takes nothing from consumers', { timeout: 60_000 }, async () => {
  const watch = await startWatch();
  const started = await begin();
  const { world, rotation, rotationId, syncs, usual } = started;
  await watch.check();
  await standby.caughtUp();
  await standby.disconnect();
  const old = (await rotation.published()) as rotating.Pair;
  const inUse = await commitLast(started);
  expect(inUse.accessKeyId).not.toBe(old.accessKeyId);
  const before = await createInstallation(stage.handle.db).get();
  await failOver(world);

  const atAws = world.parameters('/');
  // The first run asks before the minute of the next look is over.
  const after = await watch.get();
  watch.stop();
  expect(watch.guardReason()).toBeUndefined();
  expect(after.timeline).toBe(Number(before.timeline) + 1);
  expect(after.epoch).toBe(before.epoch + 1);
  expect(await rotation.published()).toEqual(old);

  const worker = world.anotherWorker();
  for (const id of [syncs.lost, syncs.quiet]) {
    const ran = await worker.runUntilDone(id, { request: 'sync' });
    expect(wrote(ran.calls)).toEqual([]);
    expect(Object.keys(ran.calls).length).toBeGreaterThan(0);
  }
  expect(await rotation.runOnce(rotationId)).toMatchObject({ status: 'blocked', code: 'KEY_RESTORED' });
  expect(world.parameters('/')).toEqual(atAws);
  expect([rotation.works(old), rotation.works(inUse)]).toEqual([true, true]);
  expect((await world.entry(syncs.lost, 'DATA'))?.drift).toBe('later-write');

  // Only once: what has nothing to decide goes on by its ledger.
  await world.set({ CALM: 'changed again' });
  const { calls } = await worker.runUntilDone(syncs.quiet);
  expect(calls).toEqual(usual);
});
