/** Decides whether a principal may do something, and words the refusal as AWS does. */
import { AwsError } from './aws-error.ts';
import type { ContextLookup } from './policy/conditions.ts';
import { evaluatePolicies, type Decision } from './policy/evaluate.ts';
import { policyOwnerOf, principalUserId, sessionPoliciesOf, type Principal } from './principal.ts';
import type { AccessNeed, Call } from './service.ts';

/** Query services call it AccessDenied, JSON services AccessDeniedException. */
export type DeniedCode = 'AccessDenied' | 'AccessDeniedException';

export function requireAccess(call: Call, need: AccessNeed, code: DeniedCode): void {
  const refusal = findRefusal(call, need);
  if (refusal === undefined) return;
  const what = `User: ${call.principal.arn} is not authorized to perform: ${need.action}`;
  const on = need.resource === '*' ? '' : ` on resource: ${need.shownAs ?? need.resource}`;
  throw new AwsError(code, `${what}${on} ${refusal}`);
}

/** The part of the message that gives the reason, or undefined when access is granted. */
function findRefusal(call: Call, need: AccessNeed): string | undefined {
  const { principal } = call;
  if (principal.kind === 'root') return undefined;
  const question = { action: need.action, resource: need.resource, context: contextFor(call, need) };
  const owner = policyOwnerOf(principal);
  const identity = owner ? evaluatePolicies(owner.policies.at(call.now) ?? [], question).decision : 'allowed';
  const sessionPolicies = sessionPoliciesOf(principal);
  const session: Decision = sessionPolicies ? evaluatePolicies(sessionPolicies, question).decision : 'allowed';
  if (identity === 'explicitDeny') return 'with an explicit deny in an identity-based policy';
  if (session === 'explicitDeny') return 'with an explicit deny in a session policy';
  if (identity === 'implicitDeny') return `because no identity-based policy allows the ${need.action} action`;
  if (session === 'implicitDeny') return `because no session policy allows the ${need.action} action`;
  return undefined;
}

/** Global context keys, then those of the need. */
export function contextFor(call: Call, need: Pick<AccessNeed, 'context'>): ContextLookup {
  return (key) => need.context?.[key] ?? globalContext(call, key);
}

const principalTypes = { root: 'Account', user: 'User', session: 'AssumedRole', federated: 'FederatedUser' } as const;

function globalContext(call: Call, key: string): readonly string[] | undefined {
  const { principal } = call;
  switch (key) {
    case 'aws:principalarn':
      return [principal.kind === 'session' ? principal.role.arn : principal.arn];
    case 'aws:principalaccount':
      return [principal.account.accountId];
    case 'aws:principaltype':
      return [principalTypes[principal.kind]];
    case 'aws:userid':
      return [principalUserId(principal)];
    case 'aws:username':
      return principal.kind === 'user' ? [principal.user.userName] : undefined;
    case 'aws:requestedregion':
      return [call.region];
    case 'aws:currenttime':
      return [new Date(call.now).toISOString()];
    case 'aws:securetransport':
      return ['true'];
    case 'aws:sourceip':
      return ['127.0.0.1'];
    case 'aws:sourceidentity':
      return principal.kind === 'session' && principal.session.sourceIdentity
        ? [principal.session.sourceIdentity]
        : undefined;
    default:
      return key.startsWith('aws:principaltag/')
        ? principalTag(principal, key.slice('aws:principaltag/'.length))
        : undefined;
  }
}

function principalTag(principal: Principal, lowerCaseName: string): readonly string[] | undefined {
  const sources = principal.kind === 'session' ? [principal.session.tags, principal.role.tags] : [];
  if (principal.kind === 'federated') sources.push(principal.session.tags, principal.session.user?.tags ?? new Map());
  if (principal.kind === 'user') sources.push(principal.user.tags);
  for (const tags of sources) {
    for (const [name, value] of tags) if (name.toLowerCase() === lowerCaseName) return [value];
  }
  return undefined;
}

/**
 * Context keys that come from tags: `aws:resourcetag/<key>`, `aws:requesttag/<key>`. Tag keys
 * compare without case here.
 */
export function tagContext(
  prefix: string,
  tags: Iterable<readonly [string, string]>,
): Record<string, readonly string[]> {
  const out: Record<string, readonly string[]> = {};
  for (const [key, value] of tags) out[`${prefix}/${key.toLowerCase()}`] = [value];
  return out;
}
