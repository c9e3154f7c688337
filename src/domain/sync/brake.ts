/** The brake: a source emptied by mistake must not empty the destination. Pure. */
import type { PlannedEntry } from './plan.ts';

export interface BrakeInput {
  readonly deletions: readonly PlannedEntry[];
  /** Objects (or keys of a JSON secret) that the ledger owns before the run. */
  readonly owned: number;
  readonly desired: number;
  /** `--confirm-deletions N`: counts for a plan with exactly so many deletions. */
  readonly confirmed: number | undefined;
}

export interface Block {
  readonly code: 'SYNC_DELETIONS_UNCONFIRMED';
  readonly message: string;
  readonly deletions: number;
}

const FREE_DELETIONS = 10;
const FREE_SHARE = 0.3;

/** Undefined when the deletions may go on. What moved to a confirmed new name does not count. */
export function findBlock(input: BrakeInput): Block | undefined {
  const counted = input.deletions.filter((one) => one.isReplaced !== true).length;
  const allowed = input.desired === 0 ? 0 : Math.max(FREE_DELETIONS, Math.floor(input.owned * FREE_SHARE));
  if (counted <= allowed || counted === input.confirmed) return undefined;
  const why = input.desired === 0 ? 'The source is empty' : `More than ${allowed} of ${input.owned} would go`;
  const stale = input.confirmed === undefined ? '' : ` ${input.confirmed} were confirmed, the plan has changed since.`;
  return {
    code: 'SYNC_DELETIONS_UNCONFIRMED',
    message: `${why}: the plan deletes ${counted} objects.${stale} Look at \`keyferry sync plan\`; if meant: \`keyferry sync run --confirm-deletions ${counted}\`.`,
    deletions: counted,
  };
}
