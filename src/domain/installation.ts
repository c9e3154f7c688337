/**
 * Which installation this database is, and whether workers may change anything at AWS for it. A
 * database that was copied, restored or moved still believes that it owns what the original wrote:
 * until a person has said what it is, workers are guarded. Pure.
 *
 *   identity and name as recorded ────────────────► work
 *   new timeline of the same server (failover,
 *   recovery to a point) ─────────────────────────► new epoch: each subject looks before it writes
 *   another server, another database, another name,
 *   a counter that went back, `worker --guarded` ─► guarded, until `keyferry restore accept`
 */

/** What the database server says about itself; null where keyferry's role may not ask. */
export interface ServerIdentity {
  /** `pg_control_system().system_identifier`: made by initdb, kept by copies of the disks. */
  readonly systemIdentifier: string | null;
  /**
   * Name and oid of the database: a dump that is restored gets a new oid, also under the old name.
   */
  readonly database: string;
  /** Grows with every promotion of a standby and every recovery to a point in time. */
  readonly timeline: number | null;
}

export interface InstallationRecord extends Omit<ServerIdentity, 'database'> {
  readonly id: string;
  /** Null before the first worker. */
  readonly database: string | null;
  /** `KEYFERRY_INSTALLATION`, as first seen. */
  readonly name: string | null;
  readonly epoch: number;
  readonly counter: number;
  readonly guardReason: GuardReason | null;
}

export const guardReasons = {
  'server-changed': 'The database runs on another PostgreSQL server than before: it was moved, restored or copied.',
  'database-changed': 'This is another database than before on the same server: it was restored or copied.',
  'name-differs': 'KEYFERRY_INSTALLATION names another installation than this database belongs to.',
  'counter-went-back': 'The database went back in time while workers ran: it holds an older state than they have seen.',
  asked: 'An operator started a worker as guarded.',
} as const;

export type GuardReason = keyof typeof guardReasons;

/** A guard as status page and command line show it. */
export interface Guard {
  readonly reason: GuardReason;
  readonly since: Date | null;
  /** What ends it. */
  readonly command: string;
}

export function toGuard(installation: {
  readonly id: string;
  readonly guardReason: GuardReason | null;
  readonly guardedAt: Date | null;
}): Guard | null {
  const { id, guardReason: reason, guardedAt: since } = installation;
  if (reason === null) return null;
  return {
    reason,
    since,
    command: `keyferry restore accept --as moved|restored|clone --confirm ${confirmationOf(id)}`,
  };
}

/** Why, and what it means. */
export function guardText({ reason }: Pick<Guard, 'reason'>): string {
  return `${guardReasons[reason]} Workers validate, check and plan, and change nothing at AWS.`;
}

export interface ObservedDatabase {
  readonly server: ServerIdentity;
  /** `KEYFERRY_INSTALLATION` of this process. */
  readonly name: string | undefined;
  /** The highest counter that this process has seen. */
  readonly seenCounter: number;
  /**
   * Between the newest counter that this process has seen and the newest that the database holds,
   * on the database's clock; 0 while none is missing.
   */
  readonly lostMs: number;
  readonly isGuardAsked: boolean;
}

/**
 * A standby that takes over may lack the last commits of its predecessor. A longer gap is no
 * failover but a recovery to an earlier point.
 */
const MAX_FAILOVER_LOSS_MS = 5 * 60_000;

export type Verdict =
  | { readonly kind: 'same' }
  | { readonly kind: 'new-timeline' }
  | { readonly kind: 'guard'; readonly reason: GuardReason };

export function judgeInstallation(record: InstallationRecord, observed: ObservedDatabase): Verdict {
  const reason = findGuardReason(record, observed);
  if (reason !== undefined) return { kind: 'guard', reason };
  return isNewTimeline(record.timeline, observed.server.timeline) ? { kind: 'new-timeline' } : { kind: 'same' };
}

function findGuardReason(record: InstallationRecord, observed: ObservedDatabase): GuardReason | undefined {
  const { server, name, isGuardAsked } = observed;
  const reasons: readonly (readonly [GuardReason, boolean])[] = [
    ['server-changed', differs(record.systemIdentifier, server.systemIdentifier)],
    ['database-changed', differs(record.database, server.database)],
    ['name-differs', name !== undefined && record.name !== null && record.name !== name],
    ['counter-went-back', record.counter < observed.seenCounter && !isFailover(record, observed)],
    ['asked', isGuardAsked],
  ];
  return record.guardReason ?? reasons.find(([, applies]) => applies)?.[0];
}

function isFailover(record: InstallationRecord, { server, lostMs }: ObservedDatabase): boolean {
  return isNewTimeline(record.timeline, server.timeline) && lostMs <= MAX_FAILOVER_LOSS_MS;
}

/** What the server refuses to say proves nothing. */
const differs = (before: string | null, now: string | null) => before !== null && now !== null && before !== now;

export const isNewTimeline = (before: number | null, now: number | null): boolean =>
  before !== null && now !== null && now !== before;

export const acceptances = ['moved', 'restored', 'clone'] as const;
export type Acceptance = (typeof acceptances)[number];

export interface AcceptInput {
  readonly as: Acceptance;
  /** The counter in the last line that the stopped workers logged; only `moved` needs it. */
  readonly counter: number | undefined;
  /** The name that a clone gets. */
  readonly name: string | undefined;
  /** What the person typed. */
  readonly confirmed: string | undefined;
  readonly runningWorkers: number;
}

/**
 * Why the installation cannot be accepted like this, with what to do; undefined when it can.
 * Everything that is wrong except the confirmation comes first.
 */
export function findAcceptProblem(record: InstallationRecord, input: AcceptInput): string | undefined {
  if (record.guardReason === null)
    return 'The installation is not guarded: there is nothing to accept. `keyferry restore status` shows its state.';
  if (input.runningWorkers > 0)
    return `${String(input.runningWorkers)} worker connections are open. Stop every worker of this database, then accept again.`;
  if (input.as === 'moved') return findMoveProblem(record.counter, input.counter) ?? findUnconfirmed(record, input);
  return findUnconfirmed(record, input);
}

function findMoveProblem(stored: number, given: number | undefined): string | undefined {
  if (given === undefined)
    return 'A move needs --counter N: the number in the line `worker stopped` that the last worker of the old server logged.';
  if (given > stored)
    return `The counter of the database is ${String(stored)}, but workers had reached ${String(given)}: this is an older state. Accept it with --as restored.`;
  if (given < stored)
    return `The counter of the database is ${String(stored)}, not ${String(given)}: use the line of the worker that stopped last.`;
  return undefined;
}

function findUnconfirmed({ id }: InstallationRecord, { as, confirmed }: AcceptInput): string | undefined {
  const expected = confirmationOf(id);
  return confirmed === expected
    ? undefined
    : `Nothing was changed. To accept this database as ${as}, repeat the command with --confirm ${expected}.`;
}

/** What a person types: the first part of the installation's id. */
export function confirmationOf(id: string): string {
  return id.slice(0, 8);
}

/**
 * Whether a subject must compare itself with AWS before its next write: it is older than the
 * present epoch and has not done so in it. Null: there never was another epoch. A Date cuts off
 * PostgreSQL's microseconds, so the same millisecond counts as before.
 */
export function mustCompare(
  subject: { readonly createdAt: Date; readonly comparedAt: Date | null },
  epochStartedAt: Date | null,
): boolean {
  if (epochStartedAt === null || subject.createdAt > epochStartedAt) return false;
  return subject.comparedAt === null || subject.comparedAt <= epochStartedAt;
}

/**
 * What a comparison made at `now` is recorded as: never before the epoch that asked for it. The
 * clock may be behind that epoch's start, and PostgreSQL keeps microseconds, which a Date cuts off.
 */
export function comparedAtIn(epochStartedAt: Date | null, now: Date): Date {
  return new Date(Math.max(now.getTime(), (epochStartedAt?.getTime() ?? 0) + 1));
}
