/**
 * What an answer must hold before anything is inferred from it. A proxy, a portal or a cut
 * connection can leave an empty answer with status 200. Read as "no such object", it would delete
 * rows, rewrite objects or create another access key.
 */

export const INCOMPLETE_ANSWER = 'IncompleteAnswer';

/** A path into an answer: `[]` stands for each element of a list, which may be empty. */
type Path = readonly string[];

interface Rule {
  readonly fields: readonly Path[];
  /** Names that were asked for and are neither among the found nor among the refused. */
  readonly unanswered?: (input: Fields, output: Fields) => boolean;
}

type Fields = Readonly<Record<string, unknown>>;

const path = (text: string): Path => text.split('.');
const having = (...fields: readonly string[]): Rule => ({ fields: fields.map(path) });
const secret = having('ARN', 'Name');
const describedParameter = ['Name', 'Version', 'Type'].map((field) => `Parameters.[].${field}`);
const readParameter = [...describedParameter, 'Parameters.[].Value'];
const key = ['AccessKeyId', 'Status', 'CreateDate'].map((field) => `AccessKeyMetadata.[].${field}`);

const rules: Readonly<Record<string, Rule>> = {
  'sts.AssumeRole': having(
    'Credentials.AccessKeyId',
    'Credentials.SecretAccessKey',
    'Credentials.SessionToken',
    'AssumedRoleUser.Arn',
  ),
  'sts.GetFederationToken': having(
    'Credentials.AccessKeyId',
    'Credentials.SecretAccessKey',
    'Credentials.SessionToken',
    'FederatedUser.Arn',
  ),
  'sts.GetCallerIdentity': having('Arn', 'Account'),
  'iam.ListAccessKeys': having(...key),
  'iam.CreateAccessKey': having('AccessKey.AccessKeyId', 'AccessKey.SecretAccessKey'),
  'iam.GetAccessKeyLastUsed': having('AccessKeyLastUsed.ServiceName', 'AccessKeyLastUsed.Region'),
  'iam.GetUser': having('User.UserId'),
  'ssm.PutParameter': having('Version'),
  'ssm.DescribeParameters': having(...describedParameter),
  'ssm.GetParameters': { ...having(...readParameter), unanswered: missesName('Parameters') },
  'ssm.GetParametersByPath': having(...readParameter),
  'ssm.ListTagsForResource': having('TagList.[].Key'),
  'ssm.DeleteParameters': { ...having(), unanswered: missesName('DeletedParameters') },
  'secretsmanager.CreateSecret': having('ARN', 'Name', 'VersionId'),
  'secretsmanager.UpdateSecret': secret,
  'secretsmanager.PutSecretValue': having('ARN', 'Name', 'VersionId'),
  'secretsmanager.UpdateSecretVersionStage': secret,
  'secretsmanager.DeleteSecret': secret,
  'secretsmanager.RestoreSecret': secret,
  'secretsmanager.DescribeSecret': secret,
  'secretsmanager.ListSecrets': having('SecretList.[].ARN', 'SecretList.[].Name'),
  'secretsmanager.GetSecretValue': {
    ...having('ARN', 'Name', 'VersionId'),
    unanswered: (_input, output) => isAbsent(output['SecretString']) && isAbsent(output['SecretBinary']),
  },
  'secretsmanager.BatchGetSecretValue': having('SecretValues.[].Name', 'SecretValues.[].VersionId'),
  'secretsmanager.ReplicateSecretToRegions': having('ARN'),
  'secretsmanager.RemoveRegionsFromReplication': having('ARN'),
  'kms.GenerateDataKey': having('CiphertextBlob', 'Plaintext'),
  'kms.Decrypt': having('Plaintext'),
  'kms.DescribeKey': having('KeyMetadata.KeyState'),
};

/** AWS's answers to all other calls have nothing but the id of their request. */
const other = having('$metadata.requestId');

export interface Answered {
  /** As `ssm.PutParameter`. */
  readonly operation: string;
  readonly input: unknown;
  readonly output: unknown;
}

/** Throws what `toAwsError` reads as "AWS could not be reached". */
export function requireAnswer({ operation, input, output }: Answered): void {
  const { fields, unanswered } = rules[operation] ?? other;
  const missing = fields.find((one) => lacks(output, one));
  if (missing === undefined && unanswered?.(toFields(input), toFields(output)) !== true) return;
  const what = missing?.filter((segment) => segment !== '[]').join('.');
  throw Object.assign(new Error('incomplete answer'), { name: INCOMPLETE_ANSWER, missing: what });
}

function lacks(value: unknown, [head, ...rest]: Path): boolean {
  if (head === undefined) return isAbsent(value);
  if (head === '[]') return !Array.isArray(value) || value.some((one) => lacks(one, rest));
  return lacks(toFields(value)[head], rest);
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function toFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** The names of an input that the answer neither reports under `found` nor as invalid. */
function missesName(found: string): Rule['unanswered'] {
  return (input, output) => {
    const answered = new Set([...namesIn(output[found]), ...namesIn(output['InvalidParameters'])].map(plain));
    return namesIn(input['Names']).some((name) => !answered.has(plain(name)));
  };
}

function namesIn(list: unknown): readonly string[] {
  if (!Array.isArray(list)) return [];
  const names = list.map((one: unknown) => toFields(one)['Name'] ?? one);
  return names.filter((name) => typeof name === 'string');
}

/** Without version or label, and without the first slash, which AWS may leave out. */
function plain(name: string): string {
  return name.replace(/^\//, '').replace(/:.*$/, '');
}
