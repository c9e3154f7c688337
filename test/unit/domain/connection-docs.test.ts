/** The JSON that `docs/aws-connection.md` shows is the JSON that `keyferry policy` prints. */
import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { baseUserPolicy, policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';

const place = { partition: 'aws', accountId: '111122223333' };
const region = 'eu-west-1';
const kmsKey = 'arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000';

it('shows every policy exactly as it is printed', () => {
  const text = readFileSync(new URL('../../../docs/aws-connection.md', import.meta.url), 'utf8');
  const shown = [...text.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => JSON.parse(match[1] ?? '') as unknown);
  expect(shown).toEqual([
    baseUserPolicy('aws'),
    trustPolicy({ partition: 'aws', baseAccountId: '999988887777', externalId: 'acme' }),
    policyFor({ use: 'parameter-store', region, path: '/app/prod/' }, place),
    policyFor({ use: 'secrets-manager', region, prefix: 'app/prod/' }, place),
    policyFor({ use: 'secrets-manager', region, secretName: 'app/prod' }, place),
    policyFor({ use: 'access-key-rotation', userName: 'deployer' }, place),
    policyFor({ use: 'parameter-store', region, path: '/app/prod/', kmsKey }, place).Statement.at(-1),
  ]);
});
