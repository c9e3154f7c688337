import fc from 'fast-check';
import { expect, test } from 'vitest';

import { getCycle, nextStep, type RotationAction } from '../../../src/domain/rotation/machine.ts';
import * as retirement from '../../../src/domain/rotation/retirement.ts';
import * as transitions from '../../../src/domain/rotation/transitions.ts';
import { decideConfirmation, dependentsWaiting, newForeignUse } from '../../../src/domain/rotation/waits.ts';
import {
  applyTransition,
  parsePhaseState,
  type RotationView,
  type Transition,
} from '../../../src/domain/rotation/rotation.ts';

const HOUR = 3_600_000;
const START = Date.parse('2026-01-01T00:00:00Z');
const DEPENDENTS = 3;
/** Hours; everything around the rotation happens in the first 240. */
const LONG_ENOUGH = 500;

/** What happens around a rotation, at any hour of it. */
interface Around {
  readonly graceHours: number;
  readonly quietHours: number;
  /** How late AWS shows a use. */
  readonly lagHours: number;
  /** A dependent sync writes the new pair, or the old one again. */
  readonly writes: readonly { readonly hour: number; readonly sync: number; readonly pair: 'new' | 'old' }[];
  readonly uses: readonly number[];
  /**
   * Hours that the rotation is left alone for before each of its steps: a worker that died, or a
   * busy one.
   */
  readonly pauses: readonly number[];
}

const hours = fc.integer({ min: 0, max: 240 });
const around: fc.Arbitrary<Around> = fc.record({
  graceHours: fc.integer({ min: 0, max: 72 }),
  quietHours: fc.integer({ min: 0, max: 72 }),
  lagHours: fc.integer({ min: 0, max: 6 }),
  writes: fc.array(
    fc.record({
      hour: hours,
      sync: fc.integer({ min: 0, max: DEPENDENTS - 1 }),
      pair: fc.constantFrom('new', 'new', 'old'),
    }),
    { maxLength: 12 },
  ),
  uses: fc.array(hours, { maxLength: 6 }),
  pauses: fc.array(fc.constantFrom(0, 0, 0, 1, 7, 30), { maxLength: 60 }),
});

const startView = ({ graceHours, quietHours }: Around): RotationView => ({
  userName: 'robot',
  phase: 'idle',
  state: parsePhaseState({ inspectedAt: new Date(START).toISOString() }),
  keys: [
    {
      accessKeyId: 'OLD',
      state: 'active',
      createdAt: new Date(0),
      publishedAt: new Date(0),
      retireAfter: null,
      lastUsedAt: null,
    },
  ],
  times: { graceMs: graceHours * HOUR, quietMs: quietHours * HOUR, holdMs: HOUR },
  isPaused: false,
  nextRotationAt: new Date(START),
  requests: [],
  asked: { wish: undefined, command: undefined },
});

const hourOf = (now: Date) => (now.getTime() - START) / HOUR;

function dependentsAt({ writes }: Around, now: Date) {
  return Array.from({ length: DEPENDENTS }, (_, sync) => {
    const last = writes
      .filter((write) => write.sync === sync && write.hour <= hourOf(now))
      .toSorted((a, b) => a.hour - b.hour)
      .at(-1);
    return { id: String(sync), name: `sync-${String(sync)}`, hasConfirmed: last?.pair === 'new' };
  });
}

/** The latest use that AWS shows at this moment. */
function shownUse({ uses, lagHours }: Around, now: Date) {
  const shown = uses.filter((hour) => hour + lagHours <= hourOf(now));
  const at = new Date(START + Math.max(...shown) * HOUR);
  return shown.length === 0 ? ('never' as const) : { at, service: 's3', region: 'eu-west-1' };
}

/** The workers' steps, without AWS and database. */
function execute(
  view: RotationView,
  step: RotationAction,
  { world, now }: { world: Around; now: Date },
): readonly Transition[] {
  const confirmation = () => decideConfirmation(getCycle(view), dependentsAt(world, now), now);
  const blocked = (names: readonly string[]) => [
    transitions.block(view, dependentsWaiting(names), { now, recheckMs: 6 * HOUR }),
  ];
  switch (step.do) {
    case 'begin':
      return [transitions.begun(view, now, null)];
    case 'create': {
      const survey = { decision: 'create', oldKeyIds: ['OLD'], isSelf: false } as const;
      const intent = { sentAt: now.toISOString(), seen: ['OLD'], clock: { aheadMs: 0, errorMs: 0 } };
      const sent = transitions.createSent(view, survey, { intent, remote: [], missingActions: [] });
      const pair = { accessKeyId: 'NEW', secretAccessKey: 'not-a-secret', createdAt: now };
      return [sent, transitions.keyCreated(applyTransition(view, sent, now), pair, now)];
    }
    case 'verify':
      return [transitions.verified(view, { userId: 'AIDAEXAMPLE', accountId: '111122223333' })];
    case 'publish':
      return [retirement.published(view, 2, now)];
    case 'confirm': {
      const found = confirmation();
      if (found.decision === 'confirmed') return [retirement.confirmed(view, view.times, now)];
      return blocked(found.names);
    }
    case 'watch': {
      const found = confirmation();
      if (found.decision !== 'confirmed') return blocked(found.names);
      const use = newForeignUse(getCycle(view), [shownUse(world, now)]);
      return [use ? retirement.stillUsed(view, use, []) : retirement.quietOver(view, { keys: [], missingActions: [] })];
    }
    case 'deactivate': {
      const found = confirmation();
      if (found.decision !== 'confirmed') return blocked(found.names);
      return [retirement.deactivated(view, step.accessKeyId, now)];
    }
    default:
      throw new Error(`unexpected step ${step.do}`);
  }
}

/**
 * The moments of the two decisions, once the old key is inactive; undefined when that does not
 * come.
 */
function retire(
  world: Around,
): { readonly quietOverAt: Date; readonly deactivatedAt: Date; readonly view: RotationView } | undefined {
  let view = startView(world);
  let nowMs = START;
  let quietOverAt = new Date(0);
  for (let turns = 0; turns < 10_000 && hourOf(new Date(nowMs)) < LONG_ENOUGH; turns += 1) {
    nowMs += (world.pauses[turns] ?? 0) * HOUR;
    const now = new Date(nowMs);
    const step = nextStep(view, now);
    if (step.do === 'stop') {
      const at = step.as === 'wait' ? step.until : 'nextAt' in step ? step.nextAt : null;
      nowMs = Math.max(nowMs + 1_000, at?.getTime() ?? 0);
      continue;
    }
    for (const transition of execute(view, step, { world, now })) {
      view = applyTransition(view, transition, now);
      if (transition.note?.step === 'quiet-over') quietOverAt = now;
      if (transition.note?.step === 'deactivated') return { quietOverAt, deactivatedAt: now, view };
    }
  }
  return undefined;
}

test('a key is never retired before every destination confirmed and AWS showed no use for the quiet time', () => {
  fc.assert(
    fc.property(around, (world) => {
      const retired = retire(world);
      if (!retired) return;
      const { quietOverAt, deactivatedAt, view } = retired;
      const { quietFrom, publishedAt } = getCycle(view);
      const use = shownUse(world, quietOverAt);
      const sinceMs = Math.max(Date.parse(quietFrom ?? ''), 0);

      expect(dependentsAt(world, deactivatedAt).every((sync) => sync.hasConfirmed)).toBe(true);
      expect(dependentsAt(world, quietOverAt).every((sync) => sync.hasConfirmed)).toBe(true);
      expect(quietOverAt.getTime() - sinceMs).toBeGreaterThanOrEqual(view.times.graceMs);
      expect(quietOverAt.getTime() - sinceMs).toBeGreaterThanOrEqual(view.times.quietMs);
      if (typeof use === 'object' && use.at.getTime() > Date.parse(publishedAt ?? ''))
        expect(quietOverAt.getTime() - use.at.getTime()).toBeGreaterThanOrEqual(view.times.quietMs);
    }),
    { numRuns: 200 },
  );
});

test('a key is retired once every destination has confirmed and nobody uses it', () => {
  const writes = [0, 1, 2].map((sync) => ({ hour: 5, sync, pair: 'new' as const }));
  const retired = retire({ graceHours: 24, quietHours: 24, lagHours: 4, writes, uses: [2, 20], pauses: [] });

  expect(hourOf(retired?.deactivatedAt ?? new Date(0))).toBeGreaterThanOrEqual(44);
  expect(hourOf(retired?.deactivatedAt ?? new Date(0))).toBeLessThan(60);
});
