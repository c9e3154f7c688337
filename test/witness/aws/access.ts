/**
 * Whether AWS would allow a call: trust policies with external IDs, identity policies, session
 * policies. Only what keyferry's own documents use is understood; a policy with more than that is
 * an error of the witness, not a guess.
 */
import {
  withoutPath,
  type AccessKey,
  type Identities,
  type PolicyDocument,
  type PolicyStatement,
} from './identities.ts';
import { fieldText, type AwsCall } from './request.ts';

/** Undefined: allowed. Else the message that AWS gives. */
export function findDenial(call: AwsCall, key: AccessKey, identities: Identities): string | undefined {
  if (call.operation === 'GetCallerIdentity') return undefined;
  const denied = requiredOf(call, key, identities).find((one) => !isAllowedFor(key, identities, one));
  if (denied)
    return `User: ${ownerArn(key)} is not authorized to perform: ${denied.action} on resource: ${denied.resource} because no policy allows the action`;
  return call.operation === 'AssumeRole' ? findTrustDenial(call, key, identities) : undefined;
}

interface Requirement {
  readonly action: string;
  readonly resource: string;
}

function isAllowedFor(key: AccessKey, identities: Identities, requirement: Requirement): boolean {
  const identity = identities.policiesOf(key.accountId, key.owner);
  return isAllowed(identity, requirement) && (!key.sessionPolicy || isAllowed([key.sessionPolicy], requirement));
}

function isAllowed(policies: readonly PolicyDocument[], { action, resource }: Requirement): boolean {
  const matching = policies.flatMap(statementsOf).filter((statement) => {
    // Statements of KMS keys have a condition and name no action that a request of these four
    // services has.
    const actions = [statement.Action].flat();
    return (
      actions.some((one) => matches(one, action)) &&
      [statement.Resource ?? '*'].flat().some((one) => matches(one, resource))
    );
  });
  if (matching.some(({ Condition }) => Condition !== undefined))
    throw new Error(`A condition on ${action} is not understood.`);
  return matching.length > 0 && matching.every(({ Effect }) => Effect === 'Allow');
}

function statementsOf(policy: PolicyDocument): readonly PolicyStatement[] {
  return [policy.Statement].flat();
}

function matches(pattern: string, text: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, pattern.startsWith('arn:') ? '' : 'i').test(text);
}

const ownerArn = (key: AccessKey): string => `arn:aws:iam::${key.accountId}:${key.owner}`;

function findTrustDenial(call: AwsCall, key: AccessKey, identities: Identities): string | undefined {
  const arn = fieldText(call, 'RoleArn') ?? '';
  const role = identities.role(arn);
  const isTrusted = role && statementsOf(role.trust).some((statement) => trusts(statement, key, call));
  return isTrusted
    ? undefined
    : `User: ${ownerArn(key)} is not authorized to perform: sts:AssumeRole on resource: ${arn}`;
}

function trusts(
  { Effect, Action, Principal, Condition = {} }: PolicyStatement,
  key: AccessKey,
  call: AwsCall,
): boolean {
  if (Effect !== 'Allow' || ![Action].flat().includes('sts:AssumeRole')) return false;
  const principals = Principal === '*' || Principal === undefined ? ['*'] : [Principal.AWS].flat();
  const isNamed = principals.some(
    (one) => one === '*' || one === `arn:aws:iam::${key.accountId}:root` || withoutPath(one) === ownerArn(key),
  );
  return isNamed && Object.entries(Condition).every(([operator, wanted]) => holds(operator, wanted, call));
}

function holds(operator: string, wanted: Readonly<Record<string, string | readonly string[]>>, call: AwsCall): boolean {
  const names = Object.keys(wanted);
  if (operator !== 'StringEquals' || names.some((name) => name !== 'sts:ExternalId'))
    throw new Error(`The trust condition ${operator} ${names.join()} is not understood.`);
  const given = fieldText(call, 'ExternalId');
  return given !== undefined && [wanted['sts:ExternalId'] ?? []].flat().includes(given);
}

/**
 * What has to be allowed for a call; the resources are those of the Service Authorization
 * Reference.
 */
function requiredOf(call: AwsCall, key: AccessKey, identities: Identities): readonly Requirement[] {
  const action = `${call.service}:${call.operation}`;
  const tagging = call.fields['Tags'] === undefined ? undefined : taggingActions[action];
  const resources = resourcesOf(call, key, identities);
  return resources.flatMap((resource) => [
    { action, resource },
    ...(tagging === undefined ? [] : [{ action: tagging, resource }]),
  ]);
}

const taggingActions: Readonly<Record<string, string>> = {
  'ssm:PutParameter': 'ssm:AddTagsToResource',
  'secretsmanager:CreateSecret': 'secretsmanager:TagResource',
};

function resourcesOf(call: AwsCall, key: AccessKey, identities: Identities): readonly string[] {
  const place = `${call.signature?.region ?? ''}:${key.accountId}`;
  switch (call.service) {
    case 'sts':
      return [fieldText(call, 'RoleArn') ?? '*'];
    case 'ssm':
      return parameterNames(call).map((name) => `arn:aws:ssm:${place}:parameter/${name.replace(/^\//, '')}`);
    case 'secretsmanager':
      return secretNames(call).map((name) =>
        name.startsWith('arn:') ? name : `arn:aws:secretsmanager:${place}:secret:${name}`,
      );
    case 'iam':
      return [`arn:aws:iam::${key.accountId}:user/${userOf(call, identities)}`];
    default:
      return ['*'];
  }
}

const accountWide = new Set(['DescribeParameters', 'ListSecrets', 'BatchGetSecretValue']);

function parameterNames(call: AwsCall): readonly string[] {
  if (accountWide.has(call.operation)) return ['*'];
  const names = call.fields['Names'];
  if (Array.isArray(names)) return names.map(String);
  return [fieldText(call, 'Name') ?? fieldText(call, 'Path') ?? fieldText(call, 'ResourceId') ?? '*'];
}

/**
 * A secret that is named without its ARN is judged with six unknown characters behind its name,
 * unless it is being made.
 */
function secretNames(call: AwsCall): readonly string[] {
  if (accountWide.has(call.operation)) return ['*'];
  const id = fieldText(call, 'SecretId');
  if (id === undefined) return [fieldText(call, 'Name') ?? '*'];
  return [id.startsWith('arn:') ? id : `${id}-AbCdEf`];
}

function userOf(call: AwsCall, identities: Identities): string {
  return fieldText(call, 'UserName') ?? identities.userOf(fieldText(call, 'AccessKeyId') ?? '');
}
