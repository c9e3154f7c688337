/** Where a sync is moved to. */
import type { SyncChanges } from '../../../src/db/sync/syncs.ts';
import { syncOptions } from '../../../src/domain/sync/config.ts';
import { REGION } from './world.ts';

export const toPath = (path: string): SyncChanges => ({ destinationConfig: { region: REGION, path } });
export const toSchema = (keySchema?: string): SyncChanges => ({
  syncOptions: syncOptions.parse(keySchema === undefined ? {} : { keySchema }),
});
/** Has more levels than a parameter may have. */
export const TOO_DEEP = 'a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/{{secretKey}}';
