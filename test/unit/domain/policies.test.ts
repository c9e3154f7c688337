import { describe, expect, it } from 'vitest';

import {
  baseUserPolicy,
  policyFor,
  type PolicyTarget,
  resourcesOf,
  statementFor,
  trustPolicy,
} from '../../../src/domain/policy/policies.ts';
import { MAX_SESSION_POLICY, sessionPolicyFor, validationPolicy } from '../../../src/domain/policy/session.ts';

const place = { partition: 'aws', accountId: '111122223333' };
const parameters = { use: 'parameter-store', region: 'eu-west-1', path: '/app/prod/' } as const satisfies PolicyTarget;
const secrets = { use: 'secrets-manager', region: 'eu-west-1', prefix: 'app/' } as const satisfies PolicyTarget;
const actionsOf = (target: PolicyTarget, variant: 'least' | 'complete') =>
  policyFor(target, place, variant).Statement.flatMap((one) => [one.Action ?? []].flat());

describe('a policy', () => {
  it.each<readonly [PolicyTarget, readonly string[]]>([
    [
      parameters,
      [
        'arn:aws:ssm:eu-west-1:111122223333:parameter/app/prod',
        'arn:aws:ssm:eu-west-1:111122223333:parameter/app/prod/*',
      ],
    ],
    [{ ...parameters, path: '/' }, ['arn:aws:ssm:eu-west-1:111122223333:parameter/*']],
    [secrets, ['arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/*']],
    [
      { use: 'secrets-manager', region: 'eu-west-1', secretName: 'app' },
      [
        'arn:aws:secretsmanager:eu-west-1:111122223333:secret:app',
        'arn:aws:secretsmanager:eu-west-1:111122223333:secret:app-??????',
      ],
    ],
    [
      { use: 'access-key-rotation', userName: 'bot' },
      ['arn:aws:iam::111122223333:user/bot', 'arn:aws:iam::111122223333:user/*/bot'],
    ],
  ])('covers exactly %o', (target, arns) => {
    expect(resourcesOf(target, place)).toEqual(arns);
  });

  it('follows partition, account and region', () => {
    expect(resourcesOf({ ...parameters, region: 'cn-north-1' }, { partition: 'aws-cn', accountId: '*' })[0]).toBe(
      'arn:aws-cn:ssm:cn-north-1:*:parameter/app/prod',
    );
    expect(baseUserPolicy('aws-us-gov').Statement[0]?.Resource).toBe('arn:aws-us-gov:iam::*:role/*');
  });

  it('lets the base identity use the keys of its own encryption for data keys only', () => {
    const Resource = ['arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000'];
    const [, ...statements] = baseUserPolicy('aws', { kmsKeys: Resource }).Statement;
    expect(statements).toMatchObject([
      {
        Action: ['kms:GenerateDataKey', 'kms:Decrypt'],
        Resource,
        Condition: { StringEquals: { 'kms:EncryptionContext:keyferry': 'data key' } },
      },
      { Action: 'kms:DescribeKey', Resource },
    ]);
    expect(baseUserPolicy('aws').Statement).toHaveLength(1);
  });

  it('asks for everything only where AWS knows nothing narrower', () => {
    const wide = policyFor(secrets, place)
      .Statement.filter((one) => one.Resource === '*')
      .flatMap((one) => one.Action);
    expect(wide).toEqual(['secretsmanager:ListSecrets', 'secretsmanager:BatchGetSecretValue']);
  });

  it.each<PolicyTarget>([parameters, secrets, { use: 'access-key-rotation', userName: 'bot' }])(
    'in its least form is part of the complete one: %o',
    (target) => {
      const complete = actionsOf(target, 'complete');
      const least = actionsOf(target, 'least');
      expect(complete).toEqual(expect.arrayContaining(least));
      expect(complete.length).toBeGreaterThan(least.length);
    },
  );

  it('names the KMS key, for the service only', () => {
    const arn = 'arn:aws:kms:eu-west-1:111122223333:key/abc';
    const statement = policyFor({ ...parameters, kmsKey: arn }, place).Statement.at(-1);
    expect(statement).toMatchObject({
      Resource: arn,
      Condition: { StringLike: { 'kms:ViaService': 'ssm.eu-west-1.*' } },
    });
    expect(policyFor({ ...parameters, kmsKey: 'alias/app' }, place).Statement.at(-1)?.Resource).toBe(
      'arn:aws:kms:eu-west-1:111122223333:key/*',
    );
  });

  it('gives the one statement that a missing action needs', () => {
    expect(statementFor(secrets, place, 'secretsmanager:ListSecrets').Resource).toBe('*');
    expect(statementFor(secrets, place, 'secretsmanager:UpdateSecret')).toEqual({
      Effect: 'Allow',
      Action: 'secretsmanager:UpdateSecret',
      Resource: resourcesOf(secrets, place),
    });
  });

  it('of trust demands the external ID', () => {
    expect(
      trustPolicy({ partition: 'aws', baseAccountId: '999988887777', externalId: 'acme' }).Statement[0],
    ).toMatchObject({
      Principal: { AWS: 'arn:aws:iam::999988887777:root' },
      Condition: { StringEquals: { 'sts:ExternalId': 'acme' } },
    });
  });
});

describe('a session policy', () => {
  const length = (targets: readonly PolicyTarget[]) => JSON.stringify(sessionPolicyFor(targets, place)).length;

  it('covers what its printed policy covers, and fits', () => {
    const [statement] = sessionPolicyFor([parameters], place).Statement;
    expect(statement?.Resource).toEqual(resourcesOf(parameters, place));
    expect(length([parameters])).toBeLessThanOrEqual(MAX_SESSION_POLICY);
  });

  it('is widened to a prefix when the path is too long, never dropped', () => {
    const long: PolicyTarget = { use: 'parameter-store', region: 'eu-west-1', path: `/${'deep/'.repeat(170)}` };
    const [statement] = sessionPolicyFor([long], place).Statement;
    expect(length([long])).toBeLessThanOrEqual(MAX_SESSION_POLICY);
    expect([statement?.Resource ?? []].flat()[0]).toMatch(/parameter\/deep\/(deep\/)+.*\*$/);
  });

  it('holds the old and the new place of a sync that moved', () => {
    const moved = sessionPolicyFor([parameters, { ...parameters, path: '/app/new/' }], place).Statement[0]?.Resource;
    expect(moved).toContain('arn:aws:ssm:eu-west-1:111122223333:parameter/app/prod/*');
    expect(moved).toContain('arn:aws:ssm:eu-west-1:111122223333:parameter/app/new/*');
  });

  it('fits whatever it is asked for', () => {
    const many = Array.from({ length: 40 }, (_, index) => ({
      ...parameters,
      path: `/${'x'.repeat(200)}${String(index)}/`,
    }));
    const regions = Array.from({ length: 40 }, (_, index) => ({ ...secrets, region: `eu-west-${String(index)}` }));
    expect(length(many)).toBeLessThanOrEqual(MAX_SESSION_POLICY);
    expect(length([...many, ...regions])).toBeLessThanOrEqual(MAX_SESSION_POLICY);
    expect(JSON.stringify(validationPolicy).length).toBeLessThanOrEqual(MAX_SESSION_POLICY);
  });
});
