/**
 * `npm run test:sweep`: every fault of every scenario and destination, and of pulls of sources in
 * every situation. With SWEEP_EVERY=n only every n-th fault of each, where each begins at another
 * one: a sample that is the same in every run and leaves out no scenario. SWEEP_SEED moves it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStage, type Stage } from '../support/stage.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { DESTINATIONS } from './destinations.ts';
import type { Fault, Step } from './faults.ts';
import { PULL_SITUATIONS } from './pull-situations.ts';
import { playPull } from './pulls.ts';
import { SCENARIOS } from './scenarios.ts';
import { faultsOf, playCase } from './sweep.ts';

const EVERY = Number(process.env['SWEEP_EVERY'] ?? 1);
const SEED = Number(process.env['SWEEP_SEED'] ?? 0);
/** Only what has this in its name: a destination, a scenario, `pull from`. */
const NAME = process.env['SWEEP_NAME'] ?? '';
const HOUR_MS = 3_600_000;
/**
 * Cases wait for the database most of the time. Each lane has one of its own, since a world moves
 * its database's clock.
 */
const databases = Array.from({ length: 4 }, () => useTestDatabase());
let stages: readonly Stage[];
beforeAll(() => {
  stages = databases.map((database) => openStage(database().url));
});
const total = { faults: 0, survived: 0 };
afterAll(async () => {
  for (const stage of stages) await stage.close();
  console.log(`sweep: ${String(total.faults)} faults, ${String(total.survived)} survived`);
});

interface Sweep {
  readonly name: string;
  /** Returns the steps that a fault could hit. */
  play(stage: Stage, fault: Fault | undefined): Promise<readonly Step[]>;
}

const syncs = DESTINATIONS.flatMap((destination) =>
  SCENARIOS.map((scenario): Sweep => ({
    name: `${destination.name}: ${scenario.name}`,
    play: (stage, fault) => playCase(stage, { destination, scenario, fault }),
  })),
);
const pulls = (['http', 'infisical'] as const).flatMap((kind) =>
  PULL_SITUATIONS.filter(({ kinds = [kind] }) => kinds.includes(kind)).map((situation): Sweep => ({
    name: `pull from ${kind}: ${situation.name}`,
    play: (stage, fault) => playPull(stage, { kind, situation, fault }),
  })),
);
const sweeps = [...syncs, ...pulls]
  .map((sweep, index) => [sweep.name, { sweep, index }] as const)
  .filter(([name]) => name.includes(NAME));

test.each(sweeps)('%s survives every single fault', { timeout: HOUR_MS }, async (_, { sweep, index }) => {
  const [stage] = stages;
  if (!stage) throw new Error('No database is open.');
  const steps = await sweep.play(stage, undefined);
  const faults = faultsOf(steps).filter((__, position) => position % EVERY === (SEED + index) % EVERY);
  const failures = await playAll(sweep, faults, (fault) => steps[fault.index]?.name ?? '');
  total.faults += faults.length;
  total.survived += faults.length - failures.length;
  expect(failures).toEqual([]);
});

async function playAll(
  { play }: Sweep,
  faults: readonly Fault[],
  nameOf: (fault: Fault) => string,
): Promise<readonly string[]> {
  const queue = [...faults];
  const failures: string[] = [];
  const lane = async (stage: Stage): Promise<void> => {
    for (let fault = queue.shift(); fault !== undefined; fault = queue.shift()) {
      const problem = await play(stage, fault).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      if (problem !== undefined)
        failures.push(`${fault.mode} at step ${String(fault.index)}, ${nameOf(fault)}: ${problem}`);
    }
  };
  await Promise.all(stages.map(lane));
  return failures;
}
