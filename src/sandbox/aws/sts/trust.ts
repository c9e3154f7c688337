/**
 * Who may assume a role. Every refusal is the same AccessDenied: a missing role, a trust policy that does not fit, a wrong
 * or missing external ID and a caller without sts:AssumeRole cannot be told apart, by design.
 */
import { contextFor } from '../authorize.ts';
import { AwsError } from '../aws-error.ts';
import { evaluatePolicies, statementApplies, type AccessQuestion, type Decision } from '../policy/evaluate.ts';
import type { CompiledStatement } from '../policy/document.ts';
import { policyOwnerOf, sessionPoliciesOf, type Principal } from '../principal.ts';
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

/** How a trust statement names a caller: by its own ARN, by its account, or not at all. */
type Grant = 'caller' | 'account' | 'none';

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
  const trust = role.trust.at(call.now);
  if (!trust) return false;
  const grant = trustGrant(trust.statements, call.principal, question);
  if (grant === 'none') return false;
  const { identity, session } = callerDecisions(call, question);
  if (identity === 'explicitDeny' || session === 'explicitDeny') return false;
  // Inside one account, a trust policy that names the caller itself is enough; everything else needs both sides.
  const sameAccount = call.principal.account.accountId === role.accountId;
  return (sameAccount && grant === 'caller') || (identity === 'allowed' && session === 'allowed');
}

function callerDecisions(call: Call, question: AccessQuestion): { identity: Decision; session: Decision } {
  const { principal } = call;
  const owner = policyOwnerOf(principal);
  const sessionPolicies = sessionPoliciesOf(principal);
  return {
    identity: owner ? evaluatePolicies(owner.policies.at(call.now) ?? [], question).decision : 'allowed',
    session: sessionPolicies ? evaluatePolicies(sessionPolicies, question).decision : 'allowed',
  };
}

function trustGrant(statements: readonly CompiledStatement[], principal: Principal, question: AccessQuestion): Grant {
  let grant: Grant = 'none';
  for (const statement of statements) {
    const named = namesPrincipal(statement.principals ?? [], principal);
    if (named === 'none' || !statementApplies(statement, question)) continue;
    if (!statement.allows) return 'none';
    if (grant !== 'caller') grant = named;
  }
  return grant;
}

function namesPrincipal(values: readonly string[], principal: Principal): Grant {
  const { accountId, partition } = principal.account;
  // "*" means every principal, the caller included, and not only its account.
  const own = principal.kind === 'session' ? [principal.arn, principal.role.arn, '*'] : [principal.arn, '*'];
  if (values.some((value) => own.includes(value))) return 'caller';
  const account = [accountId, `arn:${partition}:iam::${accountId}:root`];
  return values.some((value) => account.includes(value)) ? 'account' : 'none';
}
