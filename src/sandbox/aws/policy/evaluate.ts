/**
 * Evaluation of compiled policies: an explicit deny beats every allow, and nothing matching is a
 * denial.
 */
import { conditionHolds, type ContextLookup } from './conditions.ts';
import type { CompiledPolicy, CompiledStatement } from './document.ts';
import { matchesWildcard } from './wildcard.ts';

export interface AccessQuestion {
  /** `ssm:PutParameter`. */
  readonly action: string;
  readonly resource: string;
  readonly context: ContextLookup;
}

export type Decision = 'allowed' | 'explicitDeny' | 'implicitDeny';

export interface Evaluation {
  readonly decision: Decision;
  /** Position of the policies whose statements decided. */
  readonly matched: readonly number[];
}

export function evaluatePolicies(policies: readonly CompiledPolicy[], question: AccessQuestion): Evaluation {
  const allows: number[] = [];
  const denies: number[] = [];
  policies.forEach((policy, index) => {
    for (const statement of policy.statements) {
      if (!statementApplies(statement, question)) continue;
      (statement.allows ? allows : denies).push(index);
    }
  });
  if (denies.length > 0) return { decision: 'explicitDeny', matched: denies };
  return { decision: allows.length > 0 ? 'allowed' : 'implicitDeny', matched: allows };
}

export function statementApplies(statement: CompiledStatement, question: AccessQuestion): boolean {
  const action = question.action.toLowerCase();
  const expand = (text: string): string => expandVariables(text, question.context);
  const actionMatches = statement.actions.some((pattern) => matchesWildcard(pattern, action));
  if (actionMatches === statement.notActions) return false;
  const resourceMatches = statement.resources.some((pattern) => matchesWildcard(expand(pattern), question.resource));
  if (resourceMatches === statement.notResources) return false;
  return statement.conditions.every((condition) => conditionHolds(condition, question.context, expand));
}

/**
 * `${aws:username}` and friends. A variable without a value makes the pattern match nothing, as in
 * IAM.
 */
function expandVariables(text: string, context: ContextLookup): string {
  if (!text.includes('${')) return text;
  return text.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
    if (name === '*' || name === '?' || name === '$') return name;
    const [key = '', fallback] = name.split(',').map((part) => part.trim());
    return context(key.toLowerCase())?.[0] ?? fallback?.replace(/^'|'$/g, '') ?? '\u0000no value\u0000';
  });
}
