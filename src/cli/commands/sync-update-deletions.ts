/** Changes of a sync after which its next run deletes objects at AWS. Pure. */
import type { Sync } from '../../client/types/sync.ts';
import type { Options } from '../command.ts';
import { describeTarget } from '../sync-report.ts';

type Target = Pick<
  Sync,
  'name' | 'destination' | 'destinationConfig' | 'syncOptions' | 'connectionId' | 'connectionName'
>;

/** Undefined where nothing goes. */
export function deletionBy(
  options: Options,
  before: Target,
  after: Pick<Target, 'destination' | 'destinationConfig'>,
): string | undefined {
  if (options.delete === false || (before.syncOptions.disableSecretDeletion && options.delete !== true))
    return undefined;
  const { name } = before;
  const [from, to] = [describeTarget(before), describeTarget(after)];
  const { connection } = options;
  if (from !== to) return `${name} moves from ${from} to ${to}: ${OLD}`;
  if (typeof connection === 'string' && connection !== before.connectionName && connection !== before.connectionId)
    return `${name} moves to the account of ${connection}, if that is another one: ${OLD}`;
  if (options.keySchema !== undefined || options.recursive !== undefined)
    return `The names at AWS of what ${name} syncs change: ${OLD}`;
  if (options.include !== undefined || options.exclude !== undefined)
    return `What the patterns of ${name} leave out from now on is deleted at AWS.`;
  return options.delete === true ? `What is gone from the folder of ${name} is deleted at AWS.` : undefined;
}

const OLD = 'when the new objects are written, the old ones are deleted at AWS.';
