/**
 * Tries credentials that a person offers immediately, outside of the queue: part of the composition
 * root.
 */
import type { AwsAccess } from './aws/session.ts';
import type { TryCredentials } from './client/context.ts';
import type { Config } from './config/config.ts';
import { tenancyOf, type OpenStores } from './stores.ts';

export interface TrialParts {
  readonly config: Config;
  readonly stores: OpenStores;
  aws(): Promise<AwsAccess>;
}

export function tryCredentials({ aws, stores, config }: TrialParts): TryCredentials {
  return async (row, offer) => {
    const [{ tryCandidate }, { createProbes }, { createConnectionStatus }, { createTrials }] = await Promise.all([
      import('./workers/validate/candidate.ts'),
      import('./aws/probes.ts'),
      import('./db/connection-status.ts'),
      import('./db/trials.ts'),
    ]);
    const { db } = stores.database;
    const [status, trials] = [createConnectionStatus(db), createTrials(db)];
    return tryCandidate(
      { aws: await aws(), probes: createProbes(), status, trials, ...tenancyOf(config, stores) },
      row,
      offer,
    );
  };
}
