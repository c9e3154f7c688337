/**
 * Before the first write of a sync every permission of the whole job that can be probed is probed,
 * harmlessly, so that nothing is begun that cannot be finished. What was found holds for the
 * session's life.
 */
import { statementFor } from '../../domain/policy/policies.ts';
import type { PolicyStatement } from '../../domain/policy/document.ts';
import { policyTargetOf, type SyncJob } from './job.ts';

export interface Permissions {
  /** Denied actions without which the sync cannot do its work. */
  readonly missing: readonly string[];
  /** The statements to add. */
  readonly statements: readonly PolicyStatement[];
  /** The role may move version stages: many-to-one writes are switched by compare-and-swap. */
  readonly canPromote: boolean;
}

export type PermissionCache = Map<string, { readonly permissions: Permissions; readonly until: number }>;

const VALID_MS = 50 * 60_000;
const MAX_CACHED = 2_000;

export async function probePermissions(job: SyncJob, cache: PermissionCache): Promise<Permissions> {
  const target = policyTargetOf(job);
  const key = [
    job.connection.id,
    job.connection.credentialsRevision,
    job.options.disableSecretDeletion,
    JSON.stringify(target),
  ].join('|');
  const now = job.run.now().getTime();
  const known = cache.get(key);
  if (known && known.until > now) return known.permissions;
  const permissions = await probe(job);
  if (cache.size >= MAX_CACHED) cache.clear();
  // A missing permission may be granted at any time: the next run probes it again.
  if (permissions.missing.length === 0) cache.set(key, { permissions, until: now + VALID_MS });
  return permissions;
}

async function probe(job: SyncJob): Promise<Permissions> {
  const target = policyTargetOf(job);
  const { required, probed, promoting } = job.target.kind.actions;
  const actions = probed.filter((action) => !job.options.disableSecretDeletion || !/:Delete/.test(action));
  const results = await job.deps.probes.probe(job.session, target, { actions });
  const denied = results.filter((result) => result.verdict === 'denied').map((result) => result.action);
  const missing = denied.filter((action) => required.includes(action));
  return {
    missing,
    statements: missing.map((action) => statementFor(target, job.place, action)),
    canPromote:
      promoting.length > 0 &&
      promoting.every((action) => results.some((one) => one.action === action && one.verdict === 'allowed')),
  };
}
