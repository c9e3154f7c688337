import { describe, expect, it } from 'vitest';

import {
  confirmationOf,
  findAcceptProblem,
  judgeInstallation,
  comparedAtIn,
  mustCompare,
  type AcceptInput,
  type InstallationRecord,
  type ObservedDatabase,
} from '../../../src/domain/installation.ts';

const record: InstallationRecord = {
  id: '11111111-2222-4333-8444-555555555555',
  name: 'production',
  epoch: 1,
  counter: 40,
  guardReason: null,
  systemIdentifier: '7001',
  database: 'shop/16384',
  timeline: 1,
};
const observed: ObservedDatabase = {
  server: { systemIdentifier: '7001', database: 'shop/16384', timeline: 1 },
  name: 'production',
  seenCounter: 40,
  lostMs: 0,
  isGuardAsked: false,
};

describe('an installation', () => {
  it.each<[string, Partial<ObservedDatabase>, Partial<InstallationRecord>, unknown]>([
    ['nothing changed', {}, {}, { kind: 'same' }],
    ['no worker was here before', {}, { systemIdentifier: null, database: null, timeline: null }, { kind: 'same' }],
    [
      'the server does not identify itself',
      { server: { systemIdentifier: null, database: 'shop/16384', timeline: null } },
      {},
      { kind: 'same' },
    ],
    ['no name is configured', { name: undefined }, {}, { kind: 'same' }],
    [
      'another server',
      { server: { ...observed.server, systemIdentifier: '7002' } },
      {},
      { kind: 'guard', reason: 'server-changed' },
    ],
    [
      'a restored dump on the same server',
      { server: { ...observed.server, database: 'shop/20000' } },
      {},
      { kind: 'guard', reason: 'database-changed' },
    ],
    ['the name of another installation', { name: 'staging' }, {}, { kind: 'guard', reason: 'name-differs' }],
    ['a counter lower than seen', { seenCounter: 41 }, {}, { kind: 'guard', reason: 'counter-went-back' }],
    ['--guarded', { isGuardAsked: true }, {}, { kind: 'guard', reason: 'asked' }],
    ['a stored guard', {}, { guardReason: 'asked' }, { kind: 'guard', reason: 'asked' }],
    ['a failover', { server: { ...observed.server, timeline: 2 } }, {}, { kind: 'new-timeline' }],
    [
      'a failover that lost the last commits',
      { server: { ...observed.server, timeline: 2 }, seenCounter: 42, lostMs: 61_000 },
      {},
      { kind: 'new-timeline' },
    ],
    [
      'a recovery to an hour ago',
      { server: { ...observed.server, timeline: 2 }, seenCounter: 100, lostMs: 3_600_000 },
      {},
      { kind: 'guard', reason: 'counter-went-back' },
    ],
  ])('is judged: %s', (_case, seen, stored, verdict) => {
    expect(judgeInstallation({ ...record, ...stored }, { ...observed, ...seen })).toEqual(verdict);
  });
});

describe('an acceptance', () => {
  const guarded: InstallationRecord = { ...record, guardReason: 'server-changed' };
  const input: AcceptInput = {
    as: 'moved',
    counter: 40,
    name: undefined,
    confirmed: confirmationOf(record.id),
    runningWorkers: 0,
  };

  it('passes when everything fits', () => {
    expect(findAcceptProblem(guarded, input)).toBeUndefined();
  });

  it.each<[string, Partial<AcceptInput>, Partial<InstallationRecord>, RegExp]>([
    ['nothing is guarded', {}, { guardReason: null }, /nothing to accept/],
    ['workers run', { runningWorkers: 2 }, {}, /Stop every worker/],
    ['the counter is missing', { counter: undefined }, {}, /--counter N/],
    ['the database is older', { counter: 41 }, {}, /--as restored/],
    ['the line is not the last one', { counter: 39 }, {}, /stopped last/],
    ['the confirmation is missing', { confirmed: undefined }, {}, /--confirm 11111111/],
    ['the confirmation is wrong', { as: 'clone', confirmed: 'yes' }, {}, /--confirm 11111111/],
  ])('is refused: %s', (_case, given, stored, message) => {
    expect(findAcceptProblem({ ...guarded, ...stored }, { ...input, ...given })).toMatch(message);
  });
});

describe('a subject', () => {
  const at = (hour: number) => new Date(Date.UTC(2026, 0, 1, hour));

  it.each([
    ['in the first epoch', null, at(1), null, false],
    ['older than the epoch', at(2), at(1), null, true],
    ['compared in an earlier epoch', at(3), at(1), at(2), true],
    ['compared in this epoch', at(2), at(1), at(3), false],
    ['made in this epoch', at(2), at(3), null, false],
    ['made in the millisecond in which the epoch began', at(2), at(2), null, true],
    ['compared in the millisecond in which the epoch began', at(2), at(1), at(2), true],
  ])('compares itself with AWS or not: %s', (_case, epochStartedAt, createdAt, comparedAt, expected) => {
    expect(mustCompare({ createdAt, comparedAt }, epochStartedAt)).toBe(expected);
  });

  it.each([0, 1, 2, 3])('has compared once it did, when the clock reads %i and the epoch began at 2', (now) => {
    const comparedAt = comparedAtIn(at(2), at(now));
    expect(mustCompare({ createdAt: at(1), comparedAt }, at(2))).toBe(false);
    // PostgreSQL keeps microseconds that a Date cuts off.
    expect(comparedAt.getTime()).toBeGreaterThan(at(2).getTime());
  });
});
