/**
 * Options of `sync create|update` that do nothing at a destination: refused by name instead of
 * ignored.
 */
import type { DestinationName } from '../domain/destinations/names.ts';
import { type AnyKind, destinations, kindsOf } from '../domain/destinations/registry.ts';
import { JobError } from '../errors.ts';
import type { Options } from './command.ts';

interface Conditional {
  readonly option: string;
  readonly flag: string;
  isUsedBy(kind: AnyKind): boolean;
}

const conditionals: readonly Conditional[] = [
  { option: 'mapping', flag: '--mapping', isUsedBy: (kind) => kind.mapping !== undefined },
  { option: 'prefix', flag: '--prefix', isUsedBy: (kind) => kind.nameField.option === 'prefix' },
  { option: 'secretName', flag: '--secret-name', isUsedBy: (kind) => kind.nameField.option === 'secretName' },
  { option: 'metadataAsTags', flag: '--metadata-as-tags', isUsedBy: (kind) => kind.settings.hasMetadataTags },
  { option: 'tier', flag: '--tier', isUsedBy: (kind) => kind.settings.hasTier },
  { option: 'recoveryDays', flag: '--recovery-days', isUsedBy: (kind) => kind.service.canRestore },
  { option: 'replicaRegion', flag: '--replica-region', isUsedBy: (kind) => kind.settings.hasReplicas },
];

/**
 * Throws PAYLOAD_INVALID that names every such option. An unknown mapping is left for the schema to
 * refuse.
 */
export function refuseIdleOptions(destination: DestinationName, mapping: string | undefined, options: Options): void {
  const [first, ...others] = kindsOf(destination);
  const kind = others.find((one) => one.mapping === mapping) ?? first;
  if (kind === undefined) return;
  const idle = conditionals.filter(({ option, isUsedBy }) => options[option] !== undefined && !isUsedBy(kind));
  if (idle.length === 0) return;
  const place = kind.mapping === undefined ? '' : ` with --mapping ${kind.mapping}`;
  const problems = idle.map(
    ({ flag }) => `${flag} has no effect with --to ${destinations[destination].cliName}${place}`,
  );
  throw new JobError('PAYLOAD_INVALID', { message: `${problems.join('; ')}. Leave it out.`, context: { problems } });
}
