/** From a kind to what a run can do there. */
import type { KindId } from '../../../domain/destinations/names.ts';
import type { AnyKind } from '../../../domain/destinations/registry.ts';
import type { SyncWork } from '../work.ts';
import type { Destination } from './destination.ts';
import { createDocument } from './json-secret/destination.ts';
import { createParameters } from './parameter-store/destination.ts';
import { createSecrets } from './secrets-manager/destination.ts';

/** By kind; the compiler asks for each. */
const opened: { readonly [Id in KindId]: (work: SyncWork) => Destination } = {
  'parameter-store': (work) => createParameters(work, work.deps.openParameterStore(work.session)),
  'secrets-manager': (work) => createSecrets(work, work.deps.openSecretsManager(work.session)),
  'json-secret': (work) => createDocument(work, work.deps.openSecretsManager(work.session)),
};

export function openDestination(work: SyncWork, kind: AnyKind): Destination {
  return opened[kind.id](work);
}
