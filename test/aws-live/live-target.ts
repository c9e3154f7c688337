/**
 * The contract suites' target in the live lane: every name begins with the run's prefix, every
 * client is guarded.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { createClients, createIamClient, type ClientConfig, type ContractTarget } from '../contract/target.ts';
import { guardClient, guardClients, type Observer } from './guard.ts';
import { IAM_PATH, type People } from './people.ts';
import type { Place } from './place.ts';

export interface LiveTarget extends ContractTarget {
  readonly prefix: string;
  readonly iamPath: string;
  readonly people: People;
}

export interface LiveTargetInput {
  readonly place: Place;
  readonly region: string;
  readonly accountId: string;
  /** `keyferry-live-` and the characters of this run. */
  readonly prefix: string;
  readonly observer: Observer;
}

export function createLiveTarget({ place, region, accountId, prefix, observer }: LiveTargetInput): LiveTarget {
  const configFor = (where: string, credentials: unknown): ClientConfig =>
    ({ region: where, credentials, ...(place.endpoint && { endpoint: place.endpoint }) }) as ClientConfig;
  const clientsIn = (where: string, credentials: unknown) =>
    guardClients(createClients(configFor(where, credentials)), prefix, observer);
  const admin = clientsIn(region, place.credentials);
  const iamPath = `${IAM_PATH}${prefix}/`;
  // Unguarded: the path keeps these within the run.
  const people = place.createPeople(createClients(configFor(region, place.credentials)).iam, iamPath);
  let names = 0;
  const uniqueName = (kind: string): string => `${prefix}-${kind}-${String((names += 1))}`;
  const settle = async <T>(made: T): Promise<T> => {
    await sleep(place.settleMs);
    return made;
  };
  return {
    accountId,
    region,
    prefix,
    iamPath,
    people,
    admin,
    adminIn: (other) => clientsIn(other, place.credentials),
    clientsFor: (credentials) => clientsIn(region, credentials),
    iamSignedFor: async (other) => {
      const endpoint = place.endpoint ?? 'https://iam.amazonaws.com';
      const iam = createIamClient({ ...configFor(other, place.credentials), endpoint });
      guardClient(iam, prefix, observer);
      return iam;
    },
    uniqueName,
    createUser: async (policy) => settle(await people.createUser(uniqueName('user'), policy)),
    createKey: async (userName) => settle(await people.createKey(userName)),
    createRole: async ({ trust, policy, maxSessionSeconds }) =>
      settle(
        await people.createRole({
          name: uniqueName('role'),
          trust,
          policies: policy ? [policy] : [],
          ...(maxSessionSeconds === undefined ? {} : { maxSessionSeconds }),
        }),
      ),
    kmsKeys: undefined,
    close: async () => undefined,
  };
}
