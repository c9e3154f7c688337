/**
 * The suites in which somebody else changes parameters, once more where PutParameter changes the type of a parameter.
 * By themselves they run where it refuses to. AWS's own sources contradict each other.
 */
import { describe } from 'vitest';

import { setDefaultBehaviour } from './world.ts';

setDefaultBehaviour({ parameterTypeChange: 'allowed' });

describe('drift', async () => {
  await import('./drift.test.ts');
});
describe('looks', async () => {
  await import('./looks.test.ts');
});
describe('meddling', async () => {
  await import('./meddling.test.ts');
});
describe('ownership', async () => {
  await import('./ownership.test.ts');
});
