/**
 * A rotation in a new epoch of the installation: its database may be older than AWS. Keys that AWS lists and this database does not know may be
 * the ones that consumers hold by now, and a key that was about to be verified may be in use. Until a person has cleared that, nothing changes.
 */
import { describeKey, foreignKeys } from '../../domain/rotation/keys.ts';
import { mustCompare } from '../../domain/installation.ts';
import type { RotationView } from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import { lookAtKeys, openKeys, type RotationContext } from './context.ts';

/** True when the rotation has compared itself just now. Throws KEY_RESTORED naming the unknown keys. */
export async function compareKeys(context: RotationContext, view: RotationView): Promise<boolean> {
  const { deps, row, run } = context;
  const { epochStartedAt } = await deps.installation.get();
  if (!mustCompare(row, epochStartedAt)) return false;
  const open = await openKeys(context);
  const { owners } = await lookAtKeys(context, view, open);
  const unknown = foreignKeys(owners);
  if (unknown.length === 0) return true;
  const described: string[] = [];
  for (const key of unknown.slice(0, 2))
    described.push(describeKey(key, await open.keys.lastUsed(key.accessKeyId), run.now()));
  throw new JobError('KEY_RESTORED', {
    message: `The database was restored or failed over, and does not know ${described.join('; ')}. Hand the key in use over with \`keyferry rotation update ${row.name} --adopt-key ID\`, or remove it at AWS.`,
  });
}
