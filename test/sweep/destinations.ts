/**
 * The three places that a sync can write to, as the sweep sees them: what is there, read from the
 * sandbox.
 */
import type { KindId } from '../../src/domain/destinations/names.ts';
import { REGION, type SyncInput, type World } from '../integration/sync/world.ts';

export type Place = 'first' | 'moved';

export interface Destination {
  readonly name: string;
  readonly input: SyncInput;
  readonly movedConfig: NonNullable<SyncInput['destinationConfig']>;
  /** Key → value of what is in the place, without what `putForeign` made for `BYSTANDER`. */
  look(world: World, place: Place): Readonly<Record<string, string>>;
  /** Somebody else writes the object of this key. */
  putForeign(world: World, key: string, value: string): void;
  /** An object beside ours that no run may touch: what it is now. */
  bystander(world: World): unknown;
}

/** The key of an object in the same place that belongs to somebody else. */
export const BYSTANDER = 'BYSTANDER';

const PATHS: Readonly<Record<Place, string>> = { first: '/app/prod/', moved: '/moved/' };
const PREFIXES: Readonly<Record<Place, string>> = { first: 'prod/', moved: 'moved/' };
const DOCUMENTS: Readonly<Record<Place, string>> = { first: 'prod-all', moved: 'moved-all' };

const parameters: Destination = {
  name: 'parameters',
  input: { destination: 'aws-parameter-store', destinationConfig: { region: REGION, path: PATHS.first } },
  movedConfig: { region: REGION, path: PATHS.moved },
  look: (world, place) => withoutBystander(world.parameters(PATHS[place]), PATHS[place]),
  putForeign: (world, key, value) => {
    world.sandbox.foreign.putParameter({ ...world.at, name: PATHS.first + key, value });
  },
  bystander: (world) => world.sandbox.inspect.parameter({ ...world.at, name: PATHS.first + BYSTANDER }),
};

const secrets: Destination = {
  name: 'secrets',
  input: {
    destination: 'aws-secrets-manager',
    destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: PREFIXES.first },
  },
  movedConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: PREFIXES.moved },
  look: (world, place) => withoutBystander(world.secrets(PREFIXES[place]), PREFIXES[place]),
  putForeign: (world, key, value) => {
    world.sandbox.foreign.putSecret({ ...world.at, name: PREFIXES.first + key, value });
  },
  bystander: (world) => world.sandbox.inspect.secret({ ...world.at, name: PREFIXES.first + BYSTANDER }),
};

const document: Destination = {
  name: 'a JSON secret',
  input: {
    destination: 'aws-secrets-manager',
    destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: DOCUMENTS.first },
  },
  movedConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: DOCUMENTS.moved },
  look: (world, place) => withoutBystander(readDocument(world, place), ''),
  putForeign: (world, key, value) => {
    const merged = { ...readDocument(world, 'first'), [key]: value };
    world.sandbox.foreign.putSecret({ ...world.at, name: DOCUMENTS.first, value: JSON.stringify(merged) });
  },
  bystander: (world) => readDocument(world, 'first')[BYSTANDER],
};

function readDocument(world: World, place: Place): Record<string, string> {
  const found = world.sandbox.inspect.secret({ ...world.at, name: DOCUMENTS[place] });
  return found && !found.deletedAt ? (JSON.parse(found.value ?? '{}') as Record<string, string>) : {};
}

function withoutBystander(found: Readonly<Record<string, string | undefined>>, prefix: string): Record<string, string> {
  const entries = Object.entries(found).map(([name, value]) => [name.slice(prefix.length), value ?? ''] as const);
  return Object.fromEntries(entries.filter(([key]) => key !== BYSTANDER));
}

/** A new kind is swept, and held to the same conformance table, as soon as it is here. */
const destinationsByKind: { readonly [Id in KindId]: Destination } = {
  'parameter-store': parameters,
  'secrets-manager': secrets,
  'json-secret': document,
};

export const DESTINATIONS: readonly Destination[] = Object.values(destinationsByKind);
