import { afterAll, beforeAll } from 'vitest';

import { useTestDatabase } from './postgres.ts';
import { openStage, type Stage } from './stage.ts';

/**
 * For the top of a test file: a stage from before its first test to after its last, by default on
 * a database of its own. The test that reads it decides when it is needed: its parts are looked up
 * at each use.
 */
export function useStage(database = useTestDatabase()): Stage {
  let opened: Stage | undefined;
  beforeAll(() => {
    opened = openStage(database().url);
  });
  afterAll(() => opened?.close());
  const current = (): Stage => {
    if (opened === undefined) throw new Error('There is no stage before the first test begins.');
    return opened;
  };
  return {
    get databaseUrl() {
      return current().databaseUrl;
    },
    get handle() {
      return current().handle;
    },
    get encryption() {
      return current().encryption;
    },
    close: () => current().close(),
  };
}
