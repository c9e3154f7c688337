/** One destination's part of the API, and finding its syncs. */
import type { Context } from 'hono';

import type { SyncStatus, Within } from '../../db/status/queries.ts';
import { textOf, type Reference } from '../../domain/reference.ts';
import type { DestinationName } from '../../domain/destinations/names.ts';
import { JobError } from '../../errors.ts';
import type { Api, ApiOptions } from './env.ts';

export interface SyncApi {
  readonly api: Api;
  readonly options: ApiOptions;
  readonly destination: DestinationName;
  readonly base: string;
  /** `parameterStoreSync` or `secretsManagerSync`: the first word of its operations. */
  readonly noun: string;
  readonly tag: string;
}

/** Of the caller's org and of this destination: anything else does not exist. */
export async function findSync(
  c: Context,
  { options, destination, base }: SyncApi,
  reference: Reference & Within,
): Promise<SyncStatus> {
  const found = await options.queries.findSync(c.get('caller').orgId, reference, reference);
  if (found?.destination === destination) return found;
  throw new JobError('SYNC_NOT_FOUND', {
    message: `There is no sync ${textOf(reference)} of this kind in this org. List them with GET ${base}.`,
  });
}
