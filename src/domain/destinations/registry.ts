/**
 * All kinds of destinations, and how one is found: by a sync's config, by a ledger row, by a scope.
 */
import type { z } from 'zod';

import { unionBy } from '../union-by.ts';
import type { DestinationKind, RegionalConfig, PolicyScope, ServiceFacts } from './destination.ts';
import { jsonSecret } from './json-secret.ts';
import { type DestinationName, destinationNames, type DestinationService, type KindId, kindIds } from './names.ts';
import { parameterStore } from './parameter-store.ts';
import { secretsManager } from './secrets-manager.ts';

export const kinds = {
  'parameter-store': parameterStore,
  'secrets-manager': secretsManager,
  'json-secret': jsonSecret,
} as const satisfies { readonly [Id in KindId]: DestinationKind<RegionalConfig, PolicyScope> };

/** What a policy or a session for a sync is narrowed to. */
export type DestinationScope = ReturnType<(typeof kinds)[KindId]['scope']>;
/**
 * A kind whose config and scopes are those of one sync; `kindOf` and `kindOfScope` find the right
 * one.
 */
export type AnyKind = DestinationKind<RegionalConfig, DestinationScope>;

/** Every kind, in the order of printed policies and of the command line. */
export const allKinds: readonly AnyKind[] = kindIds.map((id) => kinds[id]);

/** What rows, API and command line know as one destination. */
export const destinations = {
  'aws-secrets-manager': {
    cliName: 'secrets-manager',
    title: 'Secrets Manager',
    config: unionBy('mappingBehavior', [secretsManager.config, jsonSecret.config]),
  },
  'aws-parameter-store': { cliName: 'parameter-store', title: 'Parameter Store', config: parameterStore.config },
} as const satisfies {
  readonly [Name in DestinationName]: { readonly cliName: string; readonly title: string; readonly config: z.ZodType };
};

export type DestinationConfig = z.infer<(typeof destinations)[DestinationName]['config']>;

export interface DestinationOfSync {
  readonly destination: DestinationName;
  readonly destinationConfig: DestinationConfig;
}

export function kindsOf(destination: DestinationName): readonly AnyKind[] {
  return allKinds.filter((kind) => kind.destination === destination);
}

/** The kind of a sync. Its config was parsed by the schema of its destination. */
export function kindOf({ destination, destinationConfig }: DestinationOfSync): AnyKind {
  const mapping = mappingOf(destinationConfig);
  return only(kindsOf(destination).filter((kind) => kind.mapping === mapping));
}

export function mappingOf(config: RegionalConfig): unknown {
  return 'mappingBehavior' in config ? config.mappingBehavior : undefined;
}

/**
 * The kind of the objects that a ledger row stands for. `isMember`: the row is part of an object
 * that holds all keys.
 */
export function kindOfEntry(service: DestinationService, options: { readonly isMember: boolean }): AnyKind {
  const ofService = allKinds.filter((kind) => kind.service.name === service);
  return ofService.find((kind) => kind.holdsAllKeys === options.isMember) ?? only(ofService);
}

export function kindOfScope(scope: PolicyScope): AnyKind {
  return only(allKinds.filter((kind) => destinations[kind.destination].cliName === scope.use && kind.isScope(scope)));
}

function only(found: readonly AnyKind[]): AnyKind {
  const [kind] = found;
  if (kind === undefined || found.length > 1) throw new Error(`A destination is of ${found.length} kinds.`);
  return kind;
}

/** By the name of `--to` and of `keyferry policy`. */
export function findDestination(cliName: string): DestinationName | undefined {
  return destinationNames.find((name) => destinations[name].cliName === cliName);
}

export const services: readonly ServiceFacts[] = [...new Set(allKinds.map((kind) => kind.service))];

export function serviceFacts(name: DestinationService): ServiceFacts | undefined {
  return services.find((service) => service.name === name);
}
