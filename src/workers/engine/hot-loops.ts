/**
 * A subject that is due again at once, over and over, without getting anywhere, is a hot loop: more
 * than 20 settlements within a minute in which ledger, phase and served revision do not change, or
 * only alternate. It is slowed to one run a minute until something changes. Each worker counts by
 * itself, in memory.
 */
import type { Settlement } from '../../db/engine/settle.ts';
import type { Kind, Outcome } from '../../domain/run.ts';
import type { Run } from './processor.ts';

const MAX_SETTLEMENTS = 20;
const WINDOW_MS = 60_000;
const SLOWED_MS = 60_000;
/** A run that waits longer than this is not part of a loop. */
const SOON_MS = 3_000;
/** A loop that alternates between more outcomes than this is not detected. */
const MAX_STANDINGS = 4;
/** The subject that was seen longest ago is forgotten first. */
const MAX_SUBJECTS = 10_000;

/** One settlement after which the subject is due at once. */
export interface DueSettlement {
  readonly subjectId: string;
  readonly atMs: number;
  /** What shows progress: counts, progress, phase, served revision, requests. */
  readonly standing: string;
  /** Status and code of the outcome. */
  readonly state: string;
}

export interface HotLoop {
  readonly settlements: number;
  /** The outcomes of the last two turns, the older first. */
  readonly states: readonly string[];
}

export interface HotLoops {
  /** The loop that this turn belongs to, if it is hot. */
  turn(turn: DueSettlement): HotLoop | undefined;
}

interface Seen {
  /** The newest ones: a loop may alternate between several. */
  readonly standings: readonly string[];
  readonly timesMs: readonly number[];
  readonly state: string;
  readonly isHot: boolean;
}

export function createHotLoops(maxSubjects = MAX_SUBJECTS): HotLoops {
  const subjects = new Map<string, Seen>();
  return {
    turn({ subjectId, atMs, standing, state }) {
      const known = subjects.get(subjectId);
      const before = known?.standings.includes(standing) === true ? known : undefined;
      const recent = (before?.timesMs ?? []).slice(-MAX_SETTLEMENTS);
      const timesMs = [...recent, atMs].filter((timeMs) => atMs - timeMs <= WINDOW_MS);
      const isHot = before?.isHot === true || timesMs.length > MAX_SETTLEMENTS;
      const standings = before?.standings ?? [...(known?.standings ?? []), standing].slice(-MAX_STANDINGS);
      subjects.delete(subjectId);
      subjects.set(subjectId, { standings, timesMs, state, isHot });
      const [oldest] = subjects.keys();
      if (subjects.size > maxSubjects && oldest !== undefined) subjects.delete(oldest);
      return isHot && before ? { settlements: timesMs.length, states: [before.state, state] } : undefined;
    },
  };
}

export interface HotLoopDependencies {
  readonly hotLoops: HotLoops;
  /** Called for every settlement that is slowed because of a hot loop. */
  onHotLoop?(kind: Kind): void;
}

/** When a subject in a hot loop may be due again; undefined for every other. */
export function slowHotLoop<K extends Kind>(
  deps: HotLoopDependencies,
  run: Run<K>,
  settlement: Settlement<K>,
): Date | undefined {
  const now = run.now();
  if (!isDueSoon(run, settlement, now)) return undefined;
  const loop = deps.hotLoops.turn({
    subjectId: settlement.subjectId,
    atMs: now.getTime(),
    standing: standingOf(run, settlement),
    state: stateOf(settlement.outcome),
  });
  if (!loop) return undefined;
  run.log.error({ ...loop, slowedMs: SLOWED_MS }, 'hot loop: runs follow each other without a change; slowed');
  deps.onHotLoop?.(settlement.kind);
  return new Date(now.getTime() + SLOWED_MS);
}

/** By the run's own wait, or since the settlement finds more wanted than was served. */
function isDueSoon(run: Run<Kind>, settlement: Settlement<Kind>, now: Date): boolean {
  const { nextDueAt, servedRevision } = settlement;
  if (nextDueAt !== null && nextDueAt.getTime() - now.getTime() <= SOON_MS) return true;
  return isFinal(settlement.outcome) && servedRevision < run.subject.wantedRevision;
}

/** The counts and the progress represent the ledger; an answered request is a change too. */
function standingOf(run: Run<Kind>, settlement: Settlement<Kind>): string {
  const { outcome, changes, servedRevision, requestIds } = settlement;
  const { subject } = run;
  return JSON.stringify([
    servedRevision,
    outcome.counts,
    'progress' in changes ? changes.progress : null,
    'phase' in subject ? subject.phase : null,
    'credentialsRevision' in subject ? subject.credentialsRevision : null,
    isFinal(outcome) ? requestIds : null,
  ]);
}

function isFinal({ status }: Outcome): boolean {
  return status !== 'continued' && status !== 'retry';
}

function stateOf(outcome: Outcome): string {
  if (outcome.status === 'retry') return `retry ${outcome.error.code}`;
  if (outcome.status === 'continued') return ['continued', outcome.waitsFor?.code].filter(Boolean).join(' ');
  return 'code' in outcome ? `${outcome.status} ${outcome.code}` : outcome.status;
}
