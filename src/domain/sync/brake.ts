/** The brake: a source emptied by mistake must not empty the destination. Pure. */
import { counted } from '../counted.ts';
import type { PlannedEntry } from './plan.ts';

export interface BrakeInput {
  readonly deletions: readonly PlannedEntry[];
  /** Objects (or keys of a JSON secret) that the ledger owns before the run. */
  readonly owned: number;
  readonly desired: number;
  /** Deletions of the last hour that nobody confirmed: many small steps are one large one. */
  readonly recent: number;
  /** Applies to a plan with exactly this many deletions. */
  readonly confirmed: number | undefined;
}

export interface Block {
  readonly code: 'SYNC_DELETIONS_UNCONFIRMED';
  readonly message: string;
  readonly deletions: number;
}

/** Deletions within this time are counted together. */
export const BRAKE_WINDOW_MS = 3_600_000;
const FREE_DELETIONS = 10;
const FREE_SHARE = 0.3;

/** How many deletions need no confirmation; none when nothing is left. */
export function freeDeletions({ owned, desired }: Pick<BrakeInput, 'owned' | 'desired'>): number {
  return desired === 0 ? 0 : Math.max(FREE_DELETIONS, Math.floor(owned * FREE_SHARE));
}

/** Undefined when the deletions may proceed. What moved to a confirmed new name does not count. */
export function findBlock({ deletions, owned, desired, recent, confirmed }: BrakeInput): Block | undefined {
  const deleted = deletions.filter((one) => one.isReplaced !== true).length;
  const before = owned + recent;
  const allowed = freeDeletions({ owned: before, desired });
  if (deleted === 0 || deleted + recent <= allowed || deleted === confirmed) return undefined;
  const within = recent === 0 ? '' : ` within an hour (${String(recent)} are gone already)`;
  const why =
    desired === 0 ? 'The source is empty' : `More than ${String(allowed)} of ${String(before)} would go${within}`;
  const stale = confirmed === undefined ? '' : ` ${String(confirmed)} were confirmed, the plan has changed since.`;
  return {
    code: 'SYNC_DELETIONS_UNCONFIRMED',
    message: `${why}: the plan deletes ${counted(deleted, 'object')}.${stale} Look at \`keyferry sync plan\`; if meant: run the sync with \`confirmDeletions: ${String(deleted)}\`.`,
    deletions: deleted,
  };
}
