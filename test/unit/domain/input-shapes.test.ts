/** The shapes that library, API and command line share. */
import { describe, expect, it } from 'vitest';

import { credentialsShape, nameShape } from '../../../src/client/input.ts';

const roleArn = 'arn:aws:iam::444455556666:role/keyferry';
const accepts = (arn: string) => credentialsShape.safeParse({ method: 'assume-role', roleArn: arn }).success;

it.each([[` ${roleArn}`], [`${roleArn} `], [roleArn.replace('/', '/ ')], [`${roleArn}\n`]])(
  'a role with blanks is refused, not trimmed to another: %j',
  (arn) => {
    expect([accepts(roleArn), accepts(arn)]).toEqual([true, false]);
  },
);

describe('a name', () => {
  it.each([
    ['a'.repeat(256), true],
    ['a'.repeat(257), false],
    ['', false],
    ['-a', false],
    ['a b', false],
    ['a\n', false],
    ['11111111-2222-4333-8444-555555555555', false],
  ])('%j is taken: %s', (name, isTaken) => {
    expect(nameShape.safeParse(name).success).toBe(isTaken);
  });
});
