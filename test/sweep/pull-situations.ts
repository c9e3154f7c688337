/**
 * What a pull finds: the folder before, what the source holds when the faults come, and what must
 * be there in the end.
 */
import { newSourceShape } from '../../src/domain/sources.ts';
import { fakeKinds, type FakeInfisical, type FakeSource } from '../integration/sources/fake-sources.ts';
import type { SourceWorld } from '../integration/sources/world.ts';

export type Values = Readonly<Record<string, string>>;
export type SourceKind = keyof typeof fakeKinds;

export interface PullSite {
  readonly kind: SourceKind;
  readonly world: SourceWorld;
  readonly fake: FakeSource;
  /** Another source that can take its place. */
  readonly other: FakeSource;
}

export interface PullSituation {
  readonly name: string;
  /** Default: both. */
  readonly kinds?: readonly SourceKind[];
  /** In the folder before it has a source. */
  readonly byHand?: Values;
  /** What was pulled before; default: the faults hit the first pull. */
  readonly pulled?: Values;
  readonly source: Values;
  /** Right before the pull. */
  prepare?(site: PullSite): void;
  /** While the worker stands still; where it does not, after its pull and before the recovery. */
  meanwhile?(site: PullSite): Promise<unknown>;
  /** Default: what the source holds. */
  readonly expected?: Values;
  readonly isBlocked?: boolean;
  /** The folder has no source in the end, and holds what it held when that went. */
  readonly isUnset?: boolean;
}

const three = { A: '1', B: '2', C: '3' };
const many = (count: number): Values =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`KEY_${String(at)}`, String(at)]));

async function replace({ kind, world, other }: PullSite): Promise<void> {
  other.values = { A: 'other', B: 'other', C: 'other', D: 'other' };
  await world.sources.set(world.folder, newSourceShape.parse(fakeKinds[kind].settings(other.server.url)));
}

const change = { ...three, A: '9', D: '4' };

export const PULL_SITUATIONS: readonly PullSituation[] = [
  { name: 'first pull', source: three },
  { name: 'first pull into a folder that holds others', byHand: { OWN: 'x' }, source: three, isBlocked: true },
  { name: 'change', pulled: three, source: change },
  { name: 'removed secrets', pulled: many(40), source: many(28) },
  { name: 'nothing new', pulled: three, source: three },
  { name: 'empty answer', pulled: three, source: {}, isBlocked: true },
  { name: 'more removals than the brake lets through', pulled: many(40), source: many(27), isBlocked: true },
  {
    name: 'a revoked token',
    kinds: ['infisical'],
    pulled: three,
    source: change,
    prepare: ({ fake }) => {
      (fake as FakeInfisical).revoke();
    },
  },
  {
    name: 'source replaced meanwhile',
    pulled: three,
    source: change,
    meanwhile: replace,
    expected: { A: 'other', B: 'other', C: 'other', D: 'other' },
  },
  {
    name: 'source unset meanwhile',
    pulled: three,
    source: change,
    meanwhile: ({ world }) => world.sources.unset(world.folder),
    isUnset: true,
  },
];
