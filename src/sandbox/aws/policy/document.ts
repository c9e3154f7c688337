/**
 * Policy documents: reading, checking and compiling them. The sandbox evaluates a subset of IAM's
 * language; a document that uses more is refused here, loudly, because evaluating it wrongly would
 * be the sandbox lying.
 */
import { compileCondition, type CompiledCondition } from './conditions.ts';
import { PolicySyntaxError } from './syntax-error.ts';

export interface PolicyStatement {
  Sid?: string;
  Effect: string;
  Principal?: '*' | Record<string, string | readonly string[]>;
  Action?: string | readonly string[];
  NotAction?: string | readonly string[];
  Resource?: string | readonly string[];
  NotResource?: string | readonly string[];
  Condition?: Record<string, Record<string, string | boolean | number | readonly (string | boolean | number)[]>>;
}

export interface PolicyDocument {
  Version?: string;
  Id?: string;
  Statement: PolicyStatement | readonly PolicyStatement[];
}

export interface CompiledStatement {
  readonly sid: string | undefined;
  readonly allows: boolean;
  readonly actions: readonly string[];
  readonly notActions: boolean;
  readonly resources: readonly string[];
  readonly notResources: boolean;
  /** Values of Principal.AWS; undefined in identity and session policies. */
  readonly principals: readonly string[] | undefined;
  readonly conditions: readonly CompiledCondition[];
}

export interface CompiledPolicy {
  readonly statements: readonly CompiledStatement[];
}

/**
 * identity: attached to a user or role, or a session policy; trust: who may assume a role; key: who
 * may use a KMS key.
 */
export type PolicyKind = 'identity' | 'trust' | 'key';

const STATEMENT_KEYS = new Set(
  'Sid Effect Principal NotPrincipal Action NotAction Resource NotResource Condition'.split(' '),
);
const VERSIONS = new Set(['2012-10-17', '2008-10-17']);

export function compilePolicy(source: PolicyDocument | string, kind: PolicyKind): CompiledPolicy {
  const document = typeof source === 'string' ? parseJson(source) : source;
  if (!isRecord(document)) throw new PolicySyntaxError('Syntax errors in policy.');
  for (const key of Object.keys(document)) {
    if (!['Version', 'Id', 'Statement'].includes(key))
      throw new PolicySyntaxError(`Syntax error: unknown field ${key}`);
  }
  const version = document['Version'];
  if (version !== undefined && (typeof version !== 'string' || !VERSIONS.has(version))) {
    throw new PolicySyntaxError('Syntax errors in policy: invalid Version.');
  }
  const statements = toList(document['Statement']);
  if (statements.length === 0) throw new PolicySyntaxError('Syntax errors in policy: missing Statement.');
  return { statements: statements.map((statement) => compileStatement(statement, kind)) };
}

function compileStatement(statement: unknown, kind: PolicyKind): CompiledStatement {
  if (!isRecord(statement)) throw new PolicySyntaxError('Syntax errors in policy: Statement must be an object.');
  for (const key of Object.keys(statement)) {
    if (!STATEMENT_KEYS.has(key)) throw new PolicySyntaxError(`Syntax errors in policy: unknown field ${key}.`);
  }
  const effect = statement['Effect'];
  if (effect !== 'Allow' && effect !== 'Deny') throw new PolicySyntaxError('Syntax errors in policy: invalid Effect.');
  const actions = readEither(statement, 'Action');
  for (const action of actions.values) checkAction(action);
  const isTrust = kind === 'trust';
  if (isTrust && (statement['Resource'] !== undefined || statement['NotResource'] !== undefined)) {
    throw new PolicySyntaxError('Has prohibited field Resource');
  }
  const resources = isTrust ? { values: ['*'], negated: false } : readEither(statement, 'Resource');
  return {
    sid: typeof statement['Sid'] === 'string' ? statement['Sid'] : undefined,
    allows: effect === 'Allow',
    actions: actions.values.map((action) => action.toLowerCase()),
    notActions: actions.negated,
    resources: resources.values,
    notResources: resources.negated,
    principals: readPrincipals(statement, kind),
    conditions: compileConditions(statement['Condition']),
  };
}

function readEither(
  statement: Record<string, unknown>,
  name: 'Action' | 'Resource',
): { values: string[]; negated: boolean } {
  const positive = statement[name];
  const negative = statement[`Not${name}`];
  if ((positive === undefined) === (negative === undefined)) {
    throw new PolicySyntaxError(`Policy statement must contain ${name === 'Action' ? 'actions' : 'resources'}.`);
  }
  const values = toList(positive ?? negative);
  if (values.length === 0 || !values.every((v): v is string => typeof v === 'string')) {
    throw new PolicySyntaxError(`Syntax errors in policy: invalid ${name}.`);
  }
  return { values, negated: positive === undefined };
}

function checkAction(action: string): void {
  if (action !== '*' && !/^[a-z0-9-]+:[A-Za-z0-9*?]+$/i.test(action)) {
    throw new PolicySyntaxError('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
  }
}

function readPrincipals(statement: Record<string, unknown>, kind: PolicyKind): readonly string[] | undefined {
  const principal = statement['Principal'];
  if (statement['NotPrincipal'] !== undefined)
    throw new PolicySyntaxError('NotPrincipal is not supported by the sandbox.');
  if (kind === 'identity') {
    if (principal !== undefined) throw new PolicySyntaxError('Policy document should not specify a principal.');
    return undefined;
  }
  if (principal === '*') return ['*'];
  if (!isRecord(principal)) throw new PolicySyntaxError('Missing required field Principal');
  // Service and federated principals may stand in a trust policy; nobody in the sandbox ever is
  // one.
  const values = toList(principal['AWS']);
  if (!values.every((v): v is string => typeof v === 'string'))
    throw new PolicySyntaxError('Invalid principal in policy');
  for (const value of values) checkPrincipal(value);
  return values;
}

function checkPrincipal(value: string): void {
  const known = /^(\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role)\/[\w+=,.@/-]+))$/;
  if (!known.test(value)) throw new PolicySyntaxError(`Invalid principal in policy: "AWS":"${value}"`);
}

function compileConditions(condition: unknown): readonly CompiledCondition[] {
  if (condition === undefined) return [];
  if (!isRecord(condition)) throw new PolicySyntaxError('Syntax errors in policy: invalid Condition.');
  return Object.entries(condition).flatMap(([operator, keys]) => {
    if (!isRecord(keys)) throw new PolicySyntaxError('Syntax errors in policy: invalid Condition.');
    return Object.entries(keys).map(([key, values]) => compileCondition(operator, key, toList(values).map(String)));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new PolicySyntaxError('Syntax errors in policy.');
  }
}

function toList(value: unknown): unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as unknown[]) : [value];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
