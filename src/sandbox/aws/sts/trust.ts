/**
 * Who may assume a role. Every refusal is the same AccessDenied: a missing role, a trust policy
 * that does not fit, a wrong or missing external ID and a caller without sts:AssumeRole cannot be
 * distinguished, by design.
 */
import { contextFor } from '../authorize.ts';
import { AwsError } from '../aws-error.ts';
import type { AccessQuestion } from '../policy/evaluate.ts';
import { refusalOf } from '../resource-policy.ts';
import type { Call } from '../service.ts';
import type { Role } from '../state.ts';

export interface AssumeRoleRequest {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly externalId: string | undefined;
  readonly sourceIdentity: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
  readonly transitiveTagKeys: readonly string[];
}

export function requireTrust(call: Call, role: Role | undefined, request: AssumeRoleRequest): void {
  for (const action of neededActions(request)) {
    if (role && mayAssume(call, role, toQuestion(call, request, action))) continue;
    const { arn } = call.principal;
    throw new AwsError(
      'AccessDenied',
      `User: ${arn} is not authorized to perform: ${action} on resource: ${request.roleArn}`,
    );
  }
}

function neededActions(request: AssumeRoleRequest): readonly string[] {
  const actions = ['sts:AssumeRole'];
  if (request.tags.size > 0) actions.push('sts:TagSession');
  if (request.sourceIdentity !== undefined) actions.push('sts:SetSourceIdentity');
  return actions;
}

function toQuestion(call: Call, request: AssumeRoleRequest, action: string): AccessQuestion {
  const own: Record<string, readonly string[] | undefined> = {
    'sts:externalid': request.externalId === undefined ? undefined : [request.externalId],
    'sts:rolesessionname': [request.sessionName],
    'sts:sourceidentity': request.sourceIdentity === undefined ? undefined : [request.sourceIdentity],
    'aws:tagkeys': request.tags.size === 0 ? undefined : [...request.tags.keys()],
    'sts:transitivetagkeys': request.transitiveTagKeys.length === 0 ? undefined : request.transitiveTagKeys,
  };
  for (const [key, value] of request.tags) own[`aws:requesttag/${key.toLowerCase()}`] = [value];
  return { action, resource: request.roleArn, context: contextFor(call, { context: own }) };
}

function mayAssume(call: Call, role: Role, question: AccessQuestion): boolean {
  const policy = role.trust.at(call.now);
  return policy !== undefined && refusalOf(call, { policy, accountId: role.accountId }, question) === undefined;
}
