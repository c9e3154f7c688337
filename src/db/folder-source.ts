/**
 * What a folder's source means for changes of the folder: it alone writes, under a pull's lease,
 * and removes no more than the brake allows.
 */
import { sql, type SQL } from 'drizzle-orm';

import { counted } from '../domain/counted.ts';
import { BRAKE_WINDOW_MS, freeDeletions } from '../domain/sync/brake.ts';
import { JobError } from '../errors.ts';
import { type Pulled, settledPull } from './pull-settlement.ts';
import { sources } from './schema.ts';
import type { Change, PullInProgress, SecretChange, StoredSecret } from './folder-changes.ts';

/** The folder's source as it was read with its secrets. */
export interface SourceHold {
  readonly kind: string;
  readonly leaseToken: string | null;
  /** Within the window of the brake, and confirmed by nobody. */
  readonly recentDeletions: number;
}

/** Of the source's pulls: many small steps are one large one. */
export const recentDeletions = sql<number>`coalesce((
          select sum((r.counts ->> 'deleted')::int) from keyferry.runs r
          where r.subject_id = ${sources.folderId} and r.kind = 'pull'
            and r.started_at > now() - make_interval(secs => ${BRAKE_WINDOW_MS / 1_000})
            and not exists (
              select from keyferry.runs confirmed
              where confirmed.subject_id = r.subject_id and confirmed.kind = 'pull'
                and confirmed.started_at >= r.started_at and confirmed.status = 'succeeded'
                and confirmed.result -> 'confirmedDeletions' is not null
            )
        ), 0)::int`;

/** Throws SECRET_SOURCED for all but a pull, and LEASE_LOST for a pull of another lease. */
export function requireHold(hold: SourceHold | null, { puller }: Change, secretPath: string): void {
  if (puller) {
    if (hold?.leaseToken !== puller.lease.leaseToken) throw new JobError('LEASE_LOST');
  } else if (hold !== null) {
    throw new JobError('SECRET_SOURCED', {
      message: `The secrets of ${secretPath} come from its source (${hold.kind}), which alone may change them.`,
      context: { secretPath },
    });
  }
}

/**
 * The same in the statement that writes. Setting a source also writes the folder's row, so the
 * snapshot is current. Another pull takes a lease only after it has run out.
 */
export function holdsSource(folderId: string, puller: PullInProgress | undefined): SQL {
  const source = sql`select from keyferry.sources o where o.folder_id = ${folderId}`;
  return puller
    ? sql`exists (${source} and o.lease_token = ${puller.lease.leaseToken}
      and o.lease_until > now())`
    : sql`not exists (${source})`;
}

function managedKeys(existing: readonly StoredSecret[]): ReadonlySet<string> {
  return new Set(existing.filter((secret) => secret.managedBy !== null).map((secret) => secret.key));
}

/** A pull leaves out what rotations manage. */
export function withoutManaged(
  existing: readonly StoredSecret[],
  change: Change,
): { readonly change: Change; readonly skippedKeys: readonly string[] } {
  if (!change.puller) return { change, skippedKeys: [] };
  const managed = managedKeys(existing);
  const skippedKeys = change.changes.map((one) => one.key).filter((key) => managed.has(key));
  return { change: { ...change, changes: change.changes.filter((one) => !managed.has(one.key)) }, skippedKeys };
}

interface PlaceOfFolder {
  readonly projectId: string;
  readonly environment: string;
  readonly secretPath: string;
}

function placeOf({ projectId, environment, secretPath }: PlaceOfFolder): string {
  return `${projectId}, ${environment}, ${secretPath}`;
}

interface PlannedPull {
  /** What the pull would change. */
  readonly effective: readonly SecretChange[];
  readonly recent: number;
}

/** Throws SOURCE_DELETIONS_UNCONFIRMED. */
export function refuseUnconfirmed(
  folder: PlaceOfFolder,
  existing: readonly StoredSecret[],
  { changes, puller, effective, recent }: Change & PlannedPull,
): void {
  if (!puller) return;
  const deletions = effective.filter((one) => one.value === null).length;
  const owned = existing.length - managedKeys(existing).size + recent;
  const { pulledRevision, confirmedDeletions } = puller.lease.source;
  // With new settings it is not known yet whether it is the right source.
  const free = pulledRevision === null ? 0 : freeDeletions({ owned, desired: changes.length });
  if (deletions === 0 || deletions + recent <= free || deletions === confirmedDeletions) return;
  const within = recent === 0 ? '' : ` within an hour (${String(recent)} are gone already)`;
  const why =
    changes.length === 0
      ? 'The source is empty'
      : `${String(deletions + recent)} of ${String(owned)} would go${within}`;
  const stale =
    confirmedDeletions === null ? '' : ` ${String(confirmedDeletions)} were confirmed, the answer has changed since.`;
  throw new JobError('SOURCE_DELETIONS_UNCONFIRMED', {
    message: `${why}: the pull removes ${counted(deletions, 'secret')}.${stale} If meant: run the source of ${placeOf(folder)} with \`confirmDeletions: ${String(deletions)}\`.`,
    context: { deletions },
  });
}

interface Pulling extends Omit<Pulled, 'status' | 'etag'> {
  readonly puller: PullInProgress | undefined;
}

/** Of a pull: CTEs that settle it with the write. */
export function settledWith({ puller, ...pulled }: Pulling): SQL {
  if (!puller) return sql``;
  const outcome = { status: 'succeeded', etag: puller.etag, ...pulled } as const;
  const under = { from: sql`from moved`, where: sql`moved.id = s.folder_id` };
  return sql`${settledPull(puller.lease, outcome, under)},`;
}
