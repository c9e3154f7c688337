/** `keyferry policy trust --also`: the trust policy of a role while its connections move here. */
import { expect, it } from 'vitest';

import { runKeyferry } from '../support/processes.ts';

const trust = (...args: readonly string[]) => runKeyferry(['policy', 'trust', '--org', 'acme', ...args]);

it('lets each of the two assume the role with its own external ID only', async () => {
  const { code, stdout, stderr } = await trust('--account', '111122223333', '--also', '381492033652=11111111-aaaa');
  expect([code, stderr]).toEqual([0, '']);
  const { Statement: statements } = JSON.parse(stdout) as { Statement: readonly Record<string, unknown>[] };
  expect(statements.map(({ Principal, Condition, Action }) => [Principal, Condition, Action])).toEqual([
    [{ AWS: 'arn:aws:iam::111122223333:root' }, { StringEquals: { 'sts:ExternalId': 'acme' } }, 'sts:AssumeRole'],
    [
      { AWS: 'arn:aws:iam::381492033652:root' },
      { StringEquals: { 'sts:ExternalId': '11111111-aaaa' } },
      'sts:AssumeRole',
    ],
  ]);
});

it.each(['381492033652=', '38149203365=org'])('refuses --also %s', async (also) => {
  const { code, stderr } = await trust('--account', '111122223333', '--also', also);
  expect(code).not.toBe(0);
  expect(stderr).toContain('--also must be an account and its external ID, such as 381492033652=ORGANIZATION-ID.');
});
