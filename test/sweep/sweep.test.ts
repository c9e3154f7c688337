/**
 * `npm run test:sweep`: every fault of every scenario and destination. With SWEEP_EVERY=n only every n-th fault of each, where
 * each begins at another one: a sample that is the same in every run and leaves out no scenario. SWEEP_SEED moves it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStage, type Stage } from '../integration/sync/world.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { DESTINATIONS, type Destination } from './destinations.ts';
import type { Fault } from './faults.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { faultsOf, playCase } from './sweep.ts';

const EVERY = Number(process.env['SWEEP_EVERY'] ?? 1);
const SEED = Number(process.env['SWEEP_SEED'] ?? 0);
/** Only scenarios and destinations with this in their name. */
const NAME = process.env['SWEEP_NAME'] ?? '';
const HOUR_MS = 3_600_000;
/** Cases wait for the database most of the time. Each lane has one of its own, since a world moves its database's clock. */
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

const pairs = DESTINATIONS.flatMap((destination) => SCENARIOS.map((scenario) => [destination, scenario] as const))
  .map(
    ([destination, scenario], index) =>
      [`${destination.name}: ${scenario.name}`, { destination, scenario, index }] as const,
  )
  .filter(([name]) => name.includes(NAME));

test.each(pairs)(
  '%s survives every single fault',
  { timeout: HOUR_MS },
  async (_, { destination, scenario, index }) => {
    const [stage] = stages;
    if (!stage) throw new Error('No database is open.');
    const steps = await playCase(stage, { destination, scenario, fault: undefined });
    const faults = faultsOf(steps).filter((__, position) => position % EVERY === (SEED + index) % EVERY);
    const failures = await playAll({ destination, scenario }, faults, (fault) => steps[fault.index]?.name ?? '');
    total.faults += faults.length;
    total.survived += faults.length - failures.length;
    expect(failures).toEqual([]);
  },
);

async function playAll(
  kind: { readonly destination: Destination; readonly scenario: Scenario },
  faults: readonly Fault[],
  nameOf: (fault: Fault) => string,
): Promise<readonly string[]> {
  const queue = [...faults];
  const failures: string[] = [];
  const lane = async (stage: Stage): Promise<void> => {
    for (let fault = queue.shift(); fault !== undefined; fault = queue.shift()) {
      const problem = await playCase(stage, { ...kind, fault }).then(
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
