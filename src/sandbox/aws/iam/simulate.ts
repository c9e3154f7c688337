/**
 * SimulatePrincipalPolicy: the identity policies of a user or role, asked about actions ×
 * resources. As in AWS it knows nothing of session policies, and nothing of resource policies.
 */
import { AwsError } from '../aws-error.ts';
import { compilePolicy, type CompiledPolicy } from '../policy/document.ts';
import { evaluatePolicies } from '../policy/evaluate.ts';
import { PolicySyntaxError } from '../policy/syntax-error.ts';
import { defineOperation, type Call } from '../service.ts';
import { toPage, type PageInput } from './users.ts';

interface SimulateInput extends PageInput {
  readonly PolicySourceArn: string;
  readonly PolicyInputList?: readonly string[];
  readonly ActionNames: readonly string[];
  readonly ResourceArns?: readonly string[];
  readonly ContextEntries?: readonly {
    readonly ContextKeyName?: string;
    readonly ContextKeyValues?: readonly string[];
  }[];
}

interface SourceIdentity {
  readonly type: 'user' | 'role';
  readonly name: string;
  readonly policies: readonly CompiledPolicy[];
}

export const SIMULATE_PRINCIPAL_POLICY = defineOperation<SimulateInput>({
  access: (_call, input) => [{ action: 'iam:SimulatePrincipalPolicy', resource: input.PolicySourceArn }],
  run: (call, input) => {
    const source = findSource(call, input.PolicySourceArn);
    const policies = [...source.policies, ...(input.PolicyInputList ?? []).map(compileInput)];
    const context = toContext(input);
    const results = input.ActionNames.flatMap((action) => {
      if (!/^[a-z0-9-]+:[A-Za-z0-9]+$/i.test(action))
        throw new AwsError('InvalidInput', `Invalid Action Names: ${action}`);
      return (input.ResourceArns ?? ['*']).map((resource) => {
        const { decision, matched } = evaluatePolicies(policies, { action, resource, context });
        return {
          EvalActionName: action,
          EvalResourceName: resource,
          EvalDecision: decision,
          MatchedStatements: matched.map((index) => toStatement(source, index)),
          MissingContextValues: [],
        };
      });
    });
    const { items, ...page } = toPage(results, input);
    return { EvaluationResults: items, ...page };
  },
});

function findSource(call: Call, arn: string): SourceIdentity {
  const match = /^arn:aws[a-z-]*:iam::\d{12}:(user|role|group)\/(?:.*\/)?([\w+=,.@-]+)$/.exec(arn);
  if (!match)
    throw new AwsError('InvalidInput', `Invalid Entity Arn: ${arn} does not clearly define entity type and name.`);
  const [, type = '', name = ''] = match;
  const entity = type === 'user' ? call.account.users.get(name) : call.account.roles.get(name);
  if (entity?.arn !== arn || type === 'group')
    throw new AwsError('NoSuchEntity', `The ${type} with name ${name} cannot be found.`);
  return { type: type === 'user' ? 'user' : 'role', name, policies: entity.policies.at(call.now) ?? [] };
}

function compileInput(text: string): CompiledPolicy {
  try {
    return compilePolicy(text, 'identity');
  } catch (error) {
    if (error instanceof PolicySyntaxError) throw new AwsError('InvalidInput', error.message);
    throw error;
  }
}

function toContext(input: SimulateInput): (key: string) => readonly string[] | undefined {
  const entries = (input.ContextEntries ?? []).map(
    (e) => [(e.ContextKeyName ?? '').toLowerCase(), e.ContextKeyValues ?? []] as const,
  );
  const byKey = new Map(entries);
  return (key) => byKey.get(key);
}

function toStatement(source: SourceIdentity, index: number): object {
  const isInput = index >= source.policies.length;
  return {
    SourcePolicyId: isInput
      ? `PolicyInputList.${String(index - source.policies.length + 1)}`
      : `${source.type}_${source.name}_${String(index)}`,
    SourcePolicyType: isInput ? 'none' : source.type,
  };
}
