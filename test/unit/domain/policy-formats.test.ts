import { describe, expect, it } from 'vitest';

import { formatPermissions, formatRole, policyFormats } from '../../../src/domain/policy/formats.ts';
import { baseUserPolicy, policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';

const trust = trustPolicy({ partition: 'aws', baseAccountId: '999988887777', externalId: 'acme' });
const target = { use: 'parameter-store', path: '/app/', region: 'eu-west-1' } as const;
const permissions = policyFor(target, { partition: 'aws', accountId: '*' });

/** What Terraform reads: its templates undone, then what `jsonencode` was given. */
function encodedIn(text: string): unknown {
  const [, object = ''] = /jsonencode\(([\s\S]*?)\)\n\}/.exec(text) ?? [];
  return JSON.parse(object.replaceAll('$${', '${').replaceAll('%%{', '%{'));
}

describe('a policy', () => {
  it('as JSON is the document itself', () => {
    expect(JSON.parse(formatRole('json', { roleName: 'keyferry', trust, permissions }))).toEqual(trust);
    expect(JSON.parse(formatPermissions('json', { of: 'role', name: 'keyferry', permissions }))).toEqual(permissions);
  });

  it('as a CloudFormation template holds the same documents, and says the ARN of the role', () => {
    const { Resources, Outputs } = JSON.parse(
      formatRole('cloudformation', { roleName: 'keyferry', trust, permissions }),
    ) as { Resources: Record<string, unknown>; Outputs: Record<string, unknown> };
    expect(Resources['KeyferryRole']).toEqual({
      Type: 'AWS::IAM::Role',
      Properties: {
        RoleName: 'keyferry',
        AssumeRolePolicyDocument: trust,
        Policies: [{ PolicyName: 'keyferry', PolicyDocument: permissions }],
      },
    });
    expect(Outputs['RoleArn']).toEqual({ Value: { 'Fn::GetAtt': ['KeyferryRole', 'Arn'] } });
    expect(formatPermissions('cloudformation', { of: 'user', name: 'deployer', permissions })).toContain(
      '"Type": "AWS::IAM::UserPolicy"',
    );
  });

  it('as Terraform holds the same documents, with its own templates escaped', () => {
    const role = formatRole('terraform', { roleName: 'keyferry', trust, permissions });
    expect(encodedIn(role)).toEqual(trust);
    expect(encodedIn(role.slice(role.indexOf('aws_iam_role_policy')))).toEqual(permissions);
    const base = baseUserPolicy('aws', { canReadOwnKey: true });
    const user = formatPermissions('terraform', { of: 'user', name: 'keyferry', permissions: base });
    expect(user).toContain('user/$${aws:username}');
    expect(encodedIn(user)).toEqual(base);
  });

  it('without permissions is a role that may do nothing yet', () => {
    for (const format of policyFormats)
      expect(formatRole(format, { roleName: 'keyferry', trust })).not.toContain('ssm:');
  });
});
