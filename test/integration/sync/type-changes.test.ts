/**
 * The suites in which somebody else changes parameters, once more where PutParameter changes the
 * type of a parameter. By themselves they run where it refuses to. AWS's own sources contradict
 * each other.
 */
import { afterAll, describe, vi } from 'vitest';

// Files of tests share their modules: those of these suites are loaded anew, and no other file gets
// them.
vi.resetModules();
afterAll(() => {
  vi.resetModules();
});

const { setDefaultBehaviour } = await import('./world.ts');
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
