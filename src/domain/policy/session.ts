/**
 * Session policies: what narrows an assumed role to one use. AWS allows 2,048 characters; a policy
 * that would be longer is widened to shorter prefixes, never dropped. Pure.
 */
import { accountWideActions, actionsOfAllUses, actionsOfTarget, kmsActions, unprobeableActions } from './actions.ts';
import { type PolicyPlace, type PolicyTarget, resourcesOf } from './policies.ts';
import { isOfRotation } from './target.ts';
import type { PolicyDocument, PolicyStatement } from './document.ts';

export const MAX_SESSION_POLICY = 2_048;

/** Resource names are cut to these lengths, one after the other, until the policy fits. */
const prefixLengths = [Number.POSITIVE_INFINITY, 400, 120, 40, 0] as const;

/** One session for all these targets: a sync that moved still deletes through its old place. */
export function sessionPolicyFor(targets: readonly PolicyTarget[], place: PolicyPlace): PolicyDocument {
  for (const length of prefixLengths) {
    const policy = build(targets, place, length);
    if (JSON.stringify(policy).length <= MAX_SESSION_POLICY) return policy;
  }
  return build(targets.map(anywhere), place, 0);
}

function build(targets: readonly PolicyTarget[], place: PolicyPlace, length: number): PolicyDocument {
  const statements = new Map<string, PolicyStatement>();
  for (const target of targets) {
    for (const statement of statementsOf(target, place, length)) statements.set(JSON.stringify(statement), statement);
  }
  return { Version: '2012-10-17', Statement: mergeByActions([...statements.values()]) };
}

function statementsOf(target: PolicyTarget, place: PolicyPlace, length: number): readonly PolicyStatement[] {
  const { required, optional } = actionsOfTarget(target);
  const actions = [...required, ...Object.keys(optional)];
  const wide = actions.filter((action) => accountWideActions.has(action));
  return [
    {
      Effect: 'Allow',
      Action: actions.filter((action) => !accountWideActions.has(action)),
      Resource: resourcesOf(target, place).map((arn) => cut(arn, length)),
    },
    ...(wide.length > 0 ? [{ Effect: 'Allow', Action: wide, Resource: '*' } as const] : []),
    // Which key a service uses is up to the role; the AWS managed keys are covered here, too.
    ...(isOfRotation(target) ? [] : [{ Effect: 'Allow', Action: [...kmsActions], Resource: '*' } as const]),
  ];
}

/** Keeps `arn:…:parameter/` or `secret:` and this much of the name. */
function cut(arn: string, length: number): string {
  const start = arn.indexOf(arn.includes(':parameter/') ? ':parameter/' : ':secret:');
  if (start < 0 || arn.includes(':user/')) return arn;
  const nameStart = start + (arn.includes(':parameter/') ? ':parameter/'.length : ':secret:'.length);
  const name = arn.slice(nameStart);
  return name.length <= length ? arn : `${arn.slice(0, nameStart)}${name.slice(0, length)}*`;
}

/** Statements that allow the same actions become one with all their resources. */
function mergeByActions(statements: readonly PolicyStatement[]): readonly PolicyStatement[] {
  const merged = new Map<string, { readonly statement: PolicyStatement; readonly resources: Set<string> }>();
  for (const statement of statements) {
    const key = JSON.stringify(statement.Action);
    const one = merged.get(key) ?? { statement, resources: new Set<string>() };
    for (const resource of [statement.Resource ?? []].flat()) one.resources.add(resource);
    merged.set(key, one);
  }
  return [...merged.values()].map(({ statement, resources }) => ({
    ...statement,
    Resource: resources.has('*') ? '*' : [...resources],
  }));
}

function anywhere(target: PolicyTarget): PolicyTarget {
  return isOfRotation(target) ? target : { ...target, region: '*' };
}

/**
 * For a validation, which tries what every use needs but makes nothing: the same for all
 * connections, so that its session is cached once.
 */
export const validationPolicy: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: probeableActions(), Resource: '*' }],
};

function probeableActions(): readonly string[] {
  const actions = actionsOfAllUses.flatMap(({ required, optional }) => [...required, ...Object.keys(optional)]);
  return ['iam:SimulatePrincipalPolicy', ...new Set(actions.filter((action) => !unprobeableActions.has(action)))];
}
