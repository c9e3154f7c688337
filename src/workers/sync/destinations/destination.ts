/**
 * The port of a sync's destination: what a run can do there, whatever its kind. One folder beside
 * this file for each kind; `open.ts` makes them.
 */
import type { Inventory } from '../../../domain/sync/inventory.ts';
import type { DriftKind, LedgerEntry } from '../../../domain/sync/ledger.ts';
import type { Plan, PlannedEntry } from '../../../domain/sync/plan.ts';
import type { Slice } from '../slice.ts';
import type { WriteResult } from './journal.ts';

/** What a drift check found out about one entry. */
export interface DriftFinding {
  readonly entry: LedgerEntry;
  readonly drift: DriftKind | undefined;
  /** The read may lag behind keyferry's own write, so it neither found nor ruled out drift. */
  readonly isUndecided?: boolean;
  /** Milliseconds since the epoch. */
  readonly lastModified?: number;
  /** The row itself was changed by the look: it is stored, whatever the drift. */
  readonly isRowChanged?: boolean;
  /** The read showed who owns it. */
  readonly isIdentified?: boolean;
}

/** A value at the destination under a name that the sync gives. */
export interface Found {
  readonly key: string;
  readonly remoteName: string;
  /** Undefined when there is no text to import. */
  readonly value: string | undefined;
  readonly version: string;
  /** Somebody else writes it. */
  readonly isOthers?: boolean;
}

/** What the writes of a plan came to; each object's result is in the slice and the ledger. */
export interface Applied {
  /** False: the slice ended before the writes did. */
  readonly isComplete: boolean;
  /** Deletions that no write has carried out. */
  readonly deletions: readonly PlannedEntry[];
  /** Writes that wait for a name that another key of the sync holds. */
  readonly held: readonly PlannedEntry[];
}

export interface ApplyOptions {
  readonly slice: Slice;
  /** The role may switch versions by compare-and-swap. */
  readonly canPromote: boolean;
}

export interface Destination {
  /**
   * Names in the order in which they will be written or removed, so that reads of them can share
   * calls.
   */
  expect?(names: readonly string[]): void;
  /**
   * Fresh states of these names; a name without an object gets the state of one that does not
   * exist.
   */
  inspect(names: readonly string[]): Promise<Inventory>;
  /** The same states with the tags of these names, where `inspect` does not return tags. */
  identify(names: readonly string[], inventory: Inventory): Promise<Inventory>;
  /**
   * Every object of the account and region that carries this sync's tag; undefined where the role
   * may not search. Absent where keys are members of one object, which carry no tags.
   */
  listOurs?(): Promise<Inventory | undefined>;
  /**
   * The names of members inside an object that holds all keys; undefined when there are none. Reads
   * values.
   */
  lookInside(inventory: Inventory): Promise<ReadonlySet<string> | undefined>;
  /**
   * Compares the ledger with AWS as cheaply as AWS allows: is what is owned unchanged, and do
   * conflicts persist? Writes nothing; reads values only where nothing else shows who owns what.
   */
  check(entries: readonly LedgerEntry[]): Promise<readonly DriftFinding[]>;
  /** Finds out what became of a write whose answer was lost, and stores it. */
  recover(entry: LedgerEntry): Promise<void>;
  /** Carries out the writes of a plan, as far as the slice allows. */
  apply(plan: Plan, options: ApplyOptions): Promise<Applied>;
  /** Deletes what is still ours; at most `removalsPerCall` at once, results in order. */
  remove(entries: readonly LedgerEntry[]): Promise<readonly WriteResult[]>;
  readonly removalsPerCall: number;
  /** All values under the names that the sync gives. */
  readAll(): Promise<readonly Found[]>;
}
