/**
 * Session policies: an inline document and managed policies by ARN, both narrowing what the role
 * allows.
 */
import { deflateRawSync } from 'node:zlib';
import { AwsError } from '../aws-error.ts';
import { compilePolicy, type CompiledPolicy } from '../policy/document.ts';
import { PolicySyntaxError } from '../policy/syntax-error.ts';
import type { Call } from '../service.ts';

export interface SessionPolicyInput {
  readonly Policy?: string;
  readonly PolicyArns?: readonly { readonly arn?: string }[];
}

export interface SessionPolicies {
  readonly compiled: readonly CompiledPolicy[] | undefined;
  readonly packedBytes: number;
}

const MAX_POLICY_ARNS = 10;
const MAX_PLAIN_CHARS = 2_048;

/** `accountId`: whose managed policies may be named. */
export function readSessionPolicies(call: Call, input: SessionPolicyInput, accountId: string): SessionPolicies {
  const arns = (input.PolicyArns ?? []).map((entry) => entry.arn ?? '');
  if (arns.length > MAX_POLICY_ARNS) {
    throw new AwsError(
      'ValidationError',
      `Number of policies attached exceeds the limit of ${String(MAX_POLICY_ARNS)}.`,
    );
  }
  const plain = [input.Policy ?? '', ...arns].join('');
  if (plain.length > MAX_PLAIN_CHARS) {
    throw new AwsError(
      'ValidationError',
      `1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to ${String(MAX_PLAIN_CHARS)}`,
    );
  }
  if (plain === '') return { compiled: undefined, packedBytes: 0 };
  const compiled = arns.map((arn) => findManagedPolicy(call, accountId, arn));
  if (input.Policy !== undefined) compiled.push(compileInline(input.Policy));
  return { compiled, packedBytes: deflateRawSync(plain).byteLength };
}

function compileInline(policy: string): CompiledPolicy {
  try {
    const compiled = compilePolicy(policy, 'identity');
    compiled.statements.flatMap(({ resources }) => resources).forEach(requireArn);
    return compiled;
  } catch (error) {
    if (error instanceof PolicySyntaxError) throw new AwsError('MalformedPolicyDocument', error.message);
    throw error;
  }
}

function requireArn(resource: string): void {
  if (resource === '*' || resource.startsWith('arn:')) return;
  throw new AwsError('MalformedPolicyDocument', `Resource ${resource} must be in ARN format or "*".`);
}

/** Only policies of that account; those of AWS itself exist where a fixture made them. */
function findManagedPolicy(call: Call, accountId: string, arn: string): CompiledPolicy {
  const policy = call.world.accounts.get(accountId)?.managedPolicies.get(arn);
  if (!policy) throw new AwsError('ValidationError', `${arn} does not exist or is not attachable.`);
  return policy;
}
