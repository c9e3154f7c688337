import fc from 'fast-check';
import { expect, test } from 'vitest';

import { fingerprintInput } from '../../../src/domain/fingerprint.ts';
import { findKey, parseKeySchema, renderKey } from '../../../src/domain/key-schema.ts';
import { findBlock } from '../../../src/domain/sync/brake.ts';
import { findDrift, type RemoteState } from '../../../src/domain/sync/inventory.ts';
import { isSameKey } from '../../../src/domain/sync/kms-keys.ts';
import { takeWrite, type Pace } from '../../../src/domain/sync/pace.ts';
import type { PlannedEntry } from '../../../src/domain/sync/plan.ts';
import { continueProgress } from '../../../src/domain/sync/progress.ts';
import { LONG_AGO, NOW, owned, owner, SYNC } from './sync-fixtures.ts';

const folder = { projectId: 'shop', environment: 'prod', secretPath: '/api/db' };
const keys = fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}$/);

test('every key comes back out of its name, and two keys never share one', () => {
  const texts = fc.stringMatching(/^[A-Za-z0-9_/-]{0,10}$/);
  fc.assert(
    fc.property(texts, texts, keys, keys, (before, after, key, other) => {
      const schema = parseKeySchema(`${before}{{environment}}{{secretKey}}${after}`, folder);
      expect(findKey(schema, renderKey(schema, key))).toBe(key);
      expect(renderKey(schema, key) === renderKey(schema, other)).toBe(key === other);
    }),
  );
});

test('names of deeper levels are not of the schema', () => {
  const schema = parseKeySchema('svc/{{secretKey}}', folder);
  expect([
    findKey(schema, 'svc/A'),
    findKey(schema, 'svc/a/B'),
    findKey(schema, 'other/A'),
    findKey(schema, 'svc/'),
  ]).toEqual(['A', undefined, undefined, undefined]);
});

const deletions = (count: number, isReplaced = false) =>
  Array.from({ length: count }, (): PlannedEntry => ({
    action: 'delete',
    key: 'K',
    remoteName: 'K',
    reason: '',
    isReplaced,
  }));

test.each([
  ['10 of 12', { deletions: deletions(10), owned: 12, desired: 2 }, undefined],
  ['11 of 12', { deletions: deletions(11), owned: 12, desired: 1 }, 11],
  ['30 of 100', { deletions: deletions(30), owned: 100, desired: 70 }, undefined],
  ['31 of 100', { deletions: deletions(31), owned: 100, desired: 69 }, 31],
  ['an empty source', { deletions: deletions(1), owned: 1, desired: 0 }, 1],
  ['a move of everything', { deletions: deletions(500, true), owned: 500, desired: 500 }, undefined],
  [
    '10 more of 100 after 20 within the hour',
    { deletions: deletions(10), owned: 80, desired: 70, recent: 20 },
    undefined,
  ],
  ['11 more of 100 after 20 within the hour', { deletions: deletions(11), owned: 80, desired: 69, recent: 20 }, 11],
  ['nothing after 500 within the hour', { deletions: [], owned: 5, desired: 5, recent: 500 }, undefined],
  ['nothing', { deletions: [], owned: 0, desired: 0 }, undefined],
])('the brake: %s', (_what, input, blocked) => {
  expect(findBlock({ recent: 0, ...input, confirmed: undefined })?.deletions).toBe(blocked);
});

test('a confirmation holds for its number of deletions only', () => {
  const input = { deletions: deletions(40), owned: 100, desired: 60, recent: 0 };
  expect(findBlock({ ...input, confirmed: 40 })).toBeUndefined();
  expect(findBlock({ ...input, confirmed: 39 })?.message).toContain('39 were confirmed, the plan has changed since');
});

test('writes to one secret: 20 at once, then one in 10 minutes, for any rhythm', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 * 60_000 }), { maxLength: 80 }), (pauses) => {
      let pace: Pace | null = null;
      let now = NOW.getTime();
      const writes: number[] = [];
      for (const pause of pauses) {
        now += pause;
        const taken = takeWrite(pace, new Date(now));
        if ('notBefore' in taken) expect(taken.notBefore.getTime()).toBeGreaterThan(now);
        else [pace] = [taken.pace, writes.push(now)];
      }
      const elapsed = now - NOW.getTime();
      expect(writes.length).toBeLessThanOrEqual(20 + Math.ceil(elapsed / 600_000));
    }),
  );
});

const state = (changes: Partial<Extract<RemoteState, { exists: true }>>): RemoteState => ({
  exists: true,
  version: '1',
  ...changes,
});

const look = { owner, now: NOW };

test.each([
  ['equal', state({ lastModified: LONG_AGO.getTime() }), undefined],
  ['gone', { exists: false }, 'missing'],
  ['another version', state({ version: '2' }), 'changed'],
  ['made anew at version 1', state({ lastModified: NOW.getTime() }), 'changed'],
  ['scheduled for deletion', state({ deletionScheduledAt: NOW }), 'scheduled-for-deletion'],
  ['without our tag', state({ version: '2', tags: {} }), 'foreign'],
  ['with another key', state({ keyId: 'key-2' }), 'key'],
] as const)('drift: %s', (_what, found, drift) => {
  expect(findDrift(owned('A'), found, look)).toBe(drift);
});

test('tags that were set and are gone are drift, others are not', () => {
  const entry = owned('A', { settings: { keyId: null, tags: { team: 'core' } } });
  const tags = { 'keyferry:sync': SYNC, team: 'core', theirs: 'x' };
  expect(findDrift(entry, state({ tags }), look)).toBeUndefined();
  expect(findDrift(entry, state({ tags: { ...tags, team: 'other' } }), look)).toBe('tags');
});

test('a read that is older than our own fresh write is no drift', () => {
  const fresh = owned('A', { remoteVersion: '5', writtenAt: new Date(NOW.getTime() - 30_000) });
  expect(
    [{ exists: false } as RemoteState, state({ version: '4' }), state({ version: '6' })].map((one) =>
      findDrift(fresh, one, look),
    ),
  ).toEqual([undefined, undefined, 'changed']);
  expect(findDrift(fresh, { exists: false }, { owner, now: new Date(NOW.getTime() + 60_000) })).toBe('missing');
});

test.each([
  [null, null, true],
  [null, 'alias/aws/secretsmanager', true],
  ['abc', 'arn:aws:kms:eu-west-1:111122223333:key/abc', true],
  ['abc', 'arn:aws:kms:eu-west-1:111122223333:key/def', false],
  ['alias/mine', 'arn:aws:kms:eu-west-1:111122223333:key/abc', true],
  ['arn:aws:kms:eu-west-1:111122223333:alias/mine', 'alias/mine', true],
  ['abc', null, false],
])('the key %s against %s', (wanted, found, same) => {
  expect(isSameKey(wanted, found)).toBe(same);
});

test('no two subjects give the same fingerprint input', () => {
  const subject = fc.record({ syncId: fc.string(), remoteName: fc.string(), key: fc.string(), value: fc.string() });
  const text = (one: { syncId: string; remoteName: string; key: string; value: string }) =>
    Buffer.from(fingerprintInput({ ...one, settings: { keyId: null, tags: {} } })).toString('hex');
  fc.assert(
    fc.property(subject, subject, (a, b) => (text(a) === text(b)) === (JSON.stringify(a) === JSON.stringify(b))),
  );
});

test('a round goes on with its revision and version, and ends with either', () => {
  const basis = { revision: 3, version: 1 };
  const saved = {
    ...continueProgress(null, basis, { id: 'first', attempt: 1, kind: 'sync' }),
    isSurveyed: true,
  };
  expect(continueProgress(saved, basis, { id: 'second', attempt: 1, kind: 'sync' })).toBe(saved);
  const next = continueProgress(saved, { ...basis, revision: 4 }, { id: 'third', attempt: 1, kind: 'sync' });
  expect([next.round, next.isSurveyed]).toEqual(['third', undefined]);
  expect(continueProgress(saved, basis, { id: 'removal', attempt: 1, kind: 'remove' }).round).toBe('removal');
});

test('after the last attempt a new wish begins a new round; a retry goes on', () => {
  const basis = { revision: 3, version: 1 };
  const saved = { ...continueProgress(null, basis, { id: 'first', attempt: 2, kind: 'sync' }), failedAttempt: 2 };
  expect(continueProgress(saved, basis, { id: 'retry', attempt: 3, kind: 'sync' }).round).toBe('first');
  expect(continueProgress(saved, basis, { id: 'wish', attempt: 1, kind: 'sync' }).round).toBe('wish');
});
