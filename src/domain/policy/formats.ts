/**
 * Policies as people put them into AWS: the document itself, a CloudFormation template, or
 * Terraform. Pure.
 */
import { defined } from '../defined.ts';
import type { PolicyDocument } from './document.ts';

export const policyFormats = ['json', 'cloudformation', 'terraform'] as const;
export type PolicyFormat = (typeof policyFormats)[number];

export interface RolePolicies {
  /** Of the role to make. */
  readonly roleName: string;
  readonly trust: PolicyDocument;
  /** Absent: the role may do nothing yet. */
  readonly permissions?: PolicyDocument | undefined;
}

/** The existing role or user that gets the permissions. */
export interface PermissionPolicy {
  readonly of: 'role' | 'user';
  readonly name: string;
  readonly permissions: PolicyDocument;
}

const POLICY_NAME = 'keyferry';

/** A role with its trust policy. As JSON: the trust policy, as IAM wants it. */
export function formatRole(format: PolicyFormat, { roleName, trust, permissions }: RolePolicies): string {
  switch (format) {
    case 'json':
      return json(trust);
    case 'cloudformation':
      return template(
        {
          KeyferryRole: {
            Type: 'AWS::IAM::Role',
            Properties: {
              RoleName: roleName,
              AssumeRolePolicyDocument: trust,
              ...(permissions ? { Policies: [{ PolicyName: POLICY_NAME, PolicyDocument: permissions }] } : {}),
            },
          },
        },
        { RoleArn: { Value: { 'Fn::GetAtt': ['KeyferryRole', 'Arn'] } } },
      );
    case 'terraform':
      return [
        `resource "aws_iam_role" "keyferry" {\n  name               = ${quoted(roleName)}\n  assume_role_policy = ${encoded(trust)}\n}`,
        ...(permissions ? [terraformPolicy('role', 'aws_iam_role.keyferry.name', permissions)] : []),
        'output "role_arn" {\n  value = aws_iam_role.keyferry.arn\n}',
      ].join('\n\n');
  }
}

/** As JSON: the document, for the policy editor of AWS's console. */
export function formatPermissions(format: PolicyFormat, { of, name, permissions }: PermissionPolicy): string {
  switch (format) {
    case 'json':
      return json(permissions);
    case 'cloudformation':
      return template({
        KeyferryPolicy: {
          Type: of === 'role' ? 'AWS::IAM::RolePolicy' : 'AWS::IAM::UserPolicy',
          Properties: {
            [of === 'role' ? 'RoleName' : 'UserName']: name,
            PolicyName: POLICY_NAME,
            PolicyDocument: permissions,
          },
        },
      });
    case 'terraform':
      return terraformPolicy(of, quoted(name), permissions);
  }
}

function template(resources: object, outputs?: object): string {
  return json({
    AWSTemplateFormatVersion: '2010-09-09',
    Resources: resources,
    ...defined({ Outputs: outputs }),
  });
}

function terraformPolicy(of: 'role' | 'user', name: string, permissions: PolicyDocument): string {
  return `resource "aws_iam_${of}_policy" "keyferry" {\n  name   = ${quoted(POLICY_NAME)}\n  ${of}   = ${name}\n  policy = ${encoded(permissions)}\n}`;
}

/**
 * An object of Terraform's language is written like JSON, but for `${` and `%{`, which are
 * templates in it.
 */
function encoded(document: PolicyDocument): string {
  return `jsonencode(${escaped(json(document)).replaceAll('\n', '\n  ')})`;
}

function quoted(text: string): string {
  return escaped(JSON.stringify(text));
}

function escaped(text: string): string {
  return text.replace(/([$%])\{/g, (sign) => `${sign.charAt(0)}${sign}`);
}

function json(value: object): string {
  return JSON.stringify(value, null, 2);
}
