import { expect, test } from 'vitest';

import { CALL_DEADLINE_MS, RUN_LEASE_SECONDS } from '../../../src/domain/lease.ts';
import {
  decideRecovery,
  decideSurvey,
  describeKey,
  type KeyOwners,
  RECOVERY_DELAY_MS,
  SEND_WITHIN_MS,
  unusedCertainAt,
} from '../../../src/domain/rotation/keys.ts';
import type { RemoteKey } from '../../../src/domain/rotation/rotation.ts';
import type { KeyState, KnownKey } from '../../../src/domain/rotation/records.ts';

const now = new Date('2026-03-01T12:00:00Z');
const remote = (accessKeyId: string, changes: Partial<RemoteKey> = {}): RemoteKey => ({
  accessKeyId,
  isActive: true,
  createdAt: new Date('2026-01-01T00:00:00Z'),
  ...changes,
});
const known = (accessKeyId: string, state: KeyState): KnownKey => ({
  accessKeyId,
  state,
  createdAt: now,
  publishedAt: null,
  retireAfter: null,
  lastUsedAt: null,
});
const owners = (changes: Partial<KeyOwners>): KeyOwners => ({
  now,
  remote: [],
  known: [],
  quarantine: [],
  connectionKeyId: undefined,
  heldElsewhere: [],
  ...changes,
});
const quarantined = (accessKeyId: string, isProvenUnused: boolean, deleteAt = '2026-03-02T11:00:00Z') => ({
  accessKeyId,
  isProvenUnused,
  deleteAt,
});

test('without keys one is created and nothing is retired', () => {
  expect(decideSurvey(owners({}), 'none')).toEqual({ decision: 'create', oldKeyIds: [], isSelf: false });
});

test('one active key of ours is retired by a new one', () => {
  const input = owners({ remote: [remote('A')], known: [known('A', 'active')] });
  expect(decideSurvey(input, 'none')).toEqual({ decision: 'create', oldKeyIds: ['A'], isSelf: false });
});

test("the connection's own key counts as ours", () => {
  const input = owners({ remote: [remote('A')], connectionKeyId: 'A' });
  expect(decideSurvey(input, 'none')).toEqual({ decision: 'create', oldKeyIds: ['A'], isSelf: true });
});

test.each([true, false])('a foreign key blocks, whether active (%s) or not', (isActive) => {
  const foreign = remote('B', { isActive });
  const input = owners({ remote: [remote('A'), foreign], known: [known('A', 'active')] });
  expect(decideSurvey(input, 'none')).toEqual({ decision: 'block', foreign: [foreign] });
});

test('a key that another rotation or connection holds is foreign, also when it is in our rows', () => {
  const input = owners({ remote: [remote('A')], known: [known('A', 'active')], heldElsewhere: ['A'] });
  expect(decideSurvey(input, 'none')).toMatchObject({ decision: 'block' });
});

test('a key of ours that never was published is deleted first', () => {
  const input = owners({ remote: [remote('A'), remote('B')], known: [known('A', 'active'), known('B', 'pending')] });
  expect(decideSurvey(input, 'none')).toEqual({ decision: 'delete', accessKeyId: 'B' });
});

test('two keys that may be in use leave no room, and neither goes', () => {
  const input = owners({ remote: [remote('A'), remote('B')], known: [known('A', 'active'), known('B', 'retiring')] });
  expect(decideSurvey(input, 'none')).toMatchObject({ decision: 'block' });
});

test('a key whose deletion was confirmed does not count while the list still shows it', () => {
  const input = owners({ remote: [remote('A'), remote('B')], known: [known('A', 'active'), known('B', 'deleted')] });
  expect(decideSurvey(input, 'none')).toMatchObject({ decision: 'create', oldKeyIds: ['A'] });
});

test('more than two keys, as the racy limit allows, block', () => {
  const input = owners({ remote: [remote('A'), remote('B'), remote('C')], known: [known('A', 'active')] });
  expect(decideSurvey(input, 'none')).toMatchObject({ decision: 'block', foreign: [remote('B'), remote('C')] });
});

test.each([
  ['deletes an orphan that was proven unused', true, 'none', { decision: 'delete', accessKeyId: 'O' }],
  ['waits for one that was not', false, 'none', { decision: 'wait', until: '2026-03-02T11:00:00Z', accessKeyId: 'O' }],
  ['does not wait in an emergency', false, 'emergency', { decision: 'delete', accessKeyId: 'O' }],
] as const)('to make room it %s', (_name, isProvenUnused, hurry, expected) => {
  const input = owners({
    remote: [remote('A'), remote('O', { isActive: false })],
    known: [known('A', 'active'), known('O', 'inactive')],
    quarantine: [quarantined('O', isProvenUnused)],
  });
  expect(decideSurvey(input, hurry)).toEqual(expected);
});

test('an orphan that somebody activated is theirs, but not while the list may be behind', () => {
  const base = owners({ remote: [remote('O')], known: [known('O', 'inactive')] });
  const longAgo = { ...base, quarantine: [quarantined('O', true)] };
  const justNow = { ...base, quarantine: [quarantined('O', true, '2026-03-02T11:59:50Z')] };
  expect(decideSurvey(longAgo, 'none')).toMatchObject({ decision: 'block' });
  expect(decideSurvey(justNow, 'none')).toMatchObject({ decision: 'create' });
});

const intent = { sentAt: '2026-03-01T11:59:00.000Z', seen: ['A'], clock: { aheadMs: 0, errorMs: 2_000 } };
const made = (seconds: number) => new Date(Date.parse(intent.sentAt) + seconds * 1_000);

test.each([
  [-3, 'none'],
  [-1, 'candidate'],
  [0, 'candidate'],
  [11, 'candidate'],
  [18, 'none'],
])('an unknown key made %d s after the lost call is: %s', (seconds, decision) => {
  const input = owners({ remote: [remote('A'), remote('X', { createdAt: made(seconds) })] });
  expect(decideRecovery(intent, input)).toMatchObject({ decision });
});

test('the window of a lost call holds the latest key that the call can make, and the search begins after it', () => {
  const lastMs = SEND_WITHIN_MS + CALL_DEADLINE_MS;
  const madeAt = (ms: number) => owners({ remote: [remote('X', { createdAt: made(ms / 1_000) })] });

  expect(decideRecovery(intent, madeAt(lastMs))).toMatchObject({ decision: 'candidate' });
  expect(decideRecovery(intent, madeAt(lastMs + intent.clock.errorMs + 1))).toEqual({ decision: 'none' });
  expect(RECOVERY_DELAY_MS).toBeGreaterThan(lastMs);
  expect(RUN_LEASE_SECONDS * 1_000).toBeGreaterThan(CALL_DEADLINE_MS);
});

test("the window follows AWS's clock", () => {
  const ahead = { ...intent, clock: { aheadMs: 120_000, errorMs: 2_000 } };
  const input = owners({ remote: [remote('X', { createdAt: made(120) })] });
  expect(decideRecovery(ahead, input)).toEqual({ decision: 'candidate', accessKeyId: 'X' });
  expect(decideRecovery(intent, input)).toEqual({ decision: 'none' });
});

test('two unknown keys are nobody’s to choose between, even when one is old', () => {
  const input = owners({ remote: [remote('X', { createdAt: made(1) }), remote('Y')] });
  expect(decideRecovery(intent, input)).toMatchObject({ decision: 'ambiguous', candidates: [{}, {}] });
});

test.each([
  ['was listed before the call', { remote: [remote('A', { createdAt: made(1) })] }],
  ['is in our rows', { remote: [remote('X', { createdAt: made(1) })], known: [known('X', 'pending')] }],
  ['signs for the connection', { remote: [remote('X', { createdAt: made(1) })], connectionKeyId: 'X' }],
  ['is held elsewhere', { remote: [remote('X', { createdAt: made(1) })], heldElsewhere: ['X'] }],
])('a key that %s is no orphan', (_name, input) => {
  expect(decideRecovery(intent, owners(input))).toEqual({ decision: 'none' });
});

test('a key is described by its age and last use', () => {
  const use = { at: new Date('2026-02-27T08:30:00Z'), service: 's3', region: 'eu-west-1' };
  expect(describeKey(remote('AKIAEXAMPLE'), use, now)).toBe(
    'AKIAEXAMPLE (active, 59 days old, last used 2026-02-27T08:30Z by s3 in eu-west-1)',
  );
});

test.each([
  ['never', { aheadMs: 0, errorMs: 0 }, '2026-01-01T04:00:00.000Z'],
  ['denied', { aheadMs: 0, errorMs: 0 }, '2026-01-02T00:00:00.000Z'],
  ['never', { aheadMs: 60_000, errorMs: 2_000 }, '2026-01-01T03:59:02.000Z'],
  ['never', { aheadMs: -60_000, errorMs: 2_000 }, '2026-01-01T04:01:02.000Z'],
] as const)('that a key shows no use (%s, clocks %o) proves something from %s on', (use, clock, at) => {
  expect(unusedCertainAt(remote('X'), use, clock).toISOString()).toBe(at);
});
