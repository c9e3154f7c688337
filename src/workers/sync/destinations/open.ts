/** From a kind to what a run can do there. */
import type { KindId } from '../../../domain/destinations/names.ts';
import type { AnyKind } from '../../../domain/destinations/registry.ts';
import type { SyncJob } from '../job.ts';
import type { Destination } from './destination.ts';
import { createDocument } from './json-secret/destination.ts';
import { createParameters } from './parameter-store/destination.ts';
import { createSecrets } from './secrets-manager/destination.ts';

/** By kind; the compiler asks for each. */
const opened: { readonly [Id in KindId]: (job: SyncJob) => Destination } = {
  'parameter-store': (job) => createParameters(job, job.deps.openParameterStore(job.session)),
  'secrets-manager': (job) => createSecrets(job, job.deps.openSecretsManager(job.session)),
  'json-secret': (job) => createDocument(job, job.deps.openSecretsManager(job.session)),
};

export function openDestination(job: SyncJob, kind: AnyKind): Destination {
  return opened[kind.id](job);
}
