/**
 * Policies of resources that name principals: trust policies of roles, key policies. How they and
 * the caller's own policies decide together.
 */
import { evaluatePolicies, statementApplies, type AccessQuestion, type Decision } from './policy/evaluate.ts';
import type { CompiledPolicy, CompiledStatement } from './policy/document.ts';
import { policyOwnerOf, sessionPoliciesOf, type Principal } from './principal.ts';
import type { Call } from './service.ts';

/** How a statement names a caller: by its own ARN, by its account, or not at all. */
export type Grant = 'caller' | 'account' | 'none';

export interface OwnedPolicy {
  readonly policy: CompiledPolicy;
  /** The account of the resource. */
  readonly accountId: string;
}

/** Which side refuses; undefined where none does. */
export type Refusal = 'resource' | 'resource-explicitly' | 'identity' | 'identity-explicitly' | 'session';

export function refusalOf(call: Call, owned: OwnedPolicy, question: AccessQuestion): Refusal | undefined {
  const { principal } = call;
  const grant = grantOf(owned.policy.statements, principal, question);
  if (grant === 'denied') return 'resource-explicitly';
  const { identity, session } = callerDecisions(call, question);
  if (identity === 'explicitDeny') return 'identity-explicitly';
  if (session === 'explicitDeny') return 'session';
  if (grant === 'none') return 'resource';
  // Inside one account, a policy that names the caller itself is enough; everything else needs both
  // sides.
  if (grant === 'caller' && principal.account.accountId === owned.accountId) return undefined;
  if (identity !== 'allowed') return 'identity';
  return session === 'allowed' ? undefined : 'session';
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

function grantOf(
  statements: readonly CompiledStatement[],
  principal: Principal,
  question: AccessQuestion,
): Grant | 'denied' {
  let grant: Grant = 'none';
  for (const statement of statements) {
    const named = namesPrincipal(statement.principals ?? [], principal);
    if (named === 'none' || !statementApplies(statement, question)) continue;
    if (!statement.allows) return 'denied';
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
