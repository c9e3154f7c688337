/**
 * The three kinds of destinations that a restore is tried on, and how a test reads what is there.
 */
import { REGION, type SyncInput, type World } from '../sync/world.ts';

export type RestoredKind = readonly [string, SyncInput, (world: World, key: string) => string | undefined];

function secretValue(world: World, name: string): string | undefined {
  const found = world.sandbox.inspect.secret({ ...world.at, name });
  return found === undefined || found.deletedAt !== undefined ? undefined : found.value;
}

export const jsonSecret: RestoredKind = [
  'a JSON secret',
  {
    destination: 'aws-secrets-manager',
    destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod' },
  },
  (world, key) => (JSON.parse(secretValue(world, 'prod') ?? '{}') as Record<string, string>)[key],
];

export const kinds: readonly RestoredKind[] = [
  ['parameters', {}, (world, key) => world.sandbox.inspect.parameter({ ...world.at, name: `/app/prod/${key}` })?.value],
  [
    'secrets',
    {
      destination: 'aws-secrets-manager',
      destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
    },
    (world, key) => secretValue(world, `prod/${key}`),
  ],
  jsonSecret,
];

/** Its members carry no tags. */
export const isDocument = ({ destinationConfig }: SyncInput): boolean =>
  destinationConfig !== undefined && 'secretName' in destinationConfig;

/** Calls that wrote something. */
export const wrote = (calls: Readonly<Record<string, number>>): readonly string[] =>
  Object.keys(calls).filter((name) => !/\.(Get|Describe|List|BatchGet|Decrypt)/.test(name));
