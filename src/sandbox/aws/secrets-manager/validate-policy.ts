/** ValidateResourcePolicy: syntax, and whether the policy opens the secret to everybody. */
import { AwsError } from '../aws-error.ts';
import { defineOperation, type AccessNeed, type Call } from '../service.ts';
import { getSecret, secretNeed } from './find-secret.ts';

interface ValidateInput {
  readonly SecretId?: string;
  readonly ResourcePolicy: string;
}

export const VALIDATE_RESOURCE_POLICY = defineOperation<ValidateInput>({
  access: (call, input): readonly AccessNeed[] => {
    const target = (action: string): AccessNeed =>
      input.SecretId === undefined ? { action, resource: '*' } : secretNeed(call, input.SecretId, { action });
    return [target('secretsmanager:ValidateResourcePolicy'), target('secretsmanager:PutResourcePolicy')];
  },
  run: (call, input) => validate(call, input),
});

function validate(call: Call, input: ValidateInput): object {
  if (input.SecretId !== undefined) getSecret(call, { SecretId: input.SecretId });
  const statements = readStatements(input.ResourcePolicy);
  if (!statements.some(opensToEverybody)) return { PolicyValidationPassed: true, ValidationErrors: [] };
  const message = 'This resource policy grants broad access: restrict its principals before you attach it.';
  return { PolicyValidationPassed: false, ValidationErrors: [{ CheckName: 'ZELKOVA_CHECK', ErrorMessage: message }] };
}

interface ResourceStatement {
  readonly Effect?: unknown;
  readonly Principal?: unknown;
  readonly Condition?: unknown;
}

function readStatements(text: string): readonly ResourceStatement[] {
  const malformed = new AwsError('MalformedPolicyDocumentException', 'This resource policy contains invalid JSON.');
  let document: { Statement?: unknown } | null;
  try {
    document = JSON.parse(text) as typeof document;
  } catch {
    throw malformed;
  }
  const given = document?.Statement;
  const statements = (Array.isArray(given) ? given : [given]) as unknown[];
  const isStatement = (s: unknown): s is ResourceStatement =>
    typeof s === 'object' && s !== null && 'Effect' in s && 'Principal' in s;
  if (statements.length === 0 || !statements.every(isStatement)) {
    throw new AwsError('MalformedPolicyDocumentException', 'This resource policy contains a syntax error.');
  }
  return statements;
}

function opensToEverybody(statement: ResourceStatement): boolean {
  if (statement.Effect !== 'Allow' || statement.Condition !== undefined) return false;
  const principal = statement.Principal;
  if (principal === '*') return true;
  const values = typeof principal === 'object' && principal !== null ? Object.values(principal).flat() : [];
  return values.includes('*');
}
