import { expect, it } from 'vitest';

import {
  type BaseReport,
  describeBaseKey,
  keyAgeOf,
  keyAgeWarning,
} from '../../../src/domain/connection/base-identity.ts';

const now = new Date('2026-11-26T12:00:00Z');
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
const report: BaseReport = {
  kind: 'key-pair-file',
  accountId: '999988887777',
  arn: 'arn:aws:iam::999988887777:user/keyferry',
  accessKeyId: 'AKIAEXAMPLE',
  keyCreatedAt: null,
  fileChangedAt: null,
  expiresAt: null,
};

it.each([
  [
    'IAM knows it, whatever else says',
    { keyCreatedAt: daysAgo(200), fileChangedAt: daysAgo(3), firstSeenAt: daysAgo(1) },
    'IAM',
    200,
  ],
  [
    'IAM says that it is young',
    { keyCreatedAt: daysAgo(2), fileChangedAt: daysAgo(300), firstSeenAt: daysAgo(1) },
    'IAM',
    2,
  ],
  ['its file is older than our record', { fileChangedAt: daysAgo(40), firstSeenAt: daysAgo(10) }, 'file', 40],
  ['our record is older than its file', { fileChangedAt: daysAgo(4), firstSeenAt: daysAgo(10) }, 'record', 10],
  ['only the file is known', { fileChangedAt: daysAgo(4) }, 'file', 4],
  ['a clock is behind', { firstSeenAt: daysAgo(-1) }, 'record', 0],
] as const)('the age of a key when %s', (_name, known, source, days) => {
  expect(keyAgeOf({ ...report, ...known }, now)).toMatchObject({ source, days });
});

it('is unknown before it was recorded, and not asked of temporary credentials', () => {
  expect(keyAgeOf(report, now)).toBeUndefined();
  const temporary = { ...report, accessKeyId: null, firstSeenAt: daysAgo(400) };
  expect(keyAgeOf(temporary, now)).toBeUndefined();
  expect(describeBaseKey(temporary, now)).toBe('temporary credentials');
  expect(keyAgeWarning(temporary, now)).toBeUndefined();
});

it('more than 90 days warns, with what to do, and says what the age counts from', () => {
  expect(keyAgeWarning({ ...report, keyCreatedAt: daysAgo(90) }, now)).toBeUndefined();
  expect(keyAgeWarning({ ...report, keyCreatedAt: daysAgo(91) }, now)).toMatch(
    /AKIAEXAMPLE is more than 90 days old \(91\)\. Create a second key for its user, configure it, and delete this one/,
  );
  expect(keyAgeWarning({ ...report, firstSeenAt: daysAgo(91) }, now)).toMatch(/has been in use for more than 90 days/);
  expect(describeBaseKey({ ...report, keyCreatedAt: daysAgo(1) }, now)).toBe('access key AKIAEXAMPLE, 1 day old');
  const young = [{ keyCreatedAt: now }, { fileChangedAt: now }, { firstSeenAt: now }];
  expect(young.map((known) => describeBaseKey({ ...report, ...known }, now))).toEqual([
    'access key AKIAEXAMPLE, less than a day old',
    'access key AKIAEXAMPLE, its file was written less than a day ago',
    'access key AKIAEXAMPLE, in use for less than a day',
  ]);
});
