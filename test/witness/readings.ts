/**
 * What is at AWS, read with boto3. Names lose their common prefix, so that expectations stay short.
 */
import type { Account } from './account.ts';

interface Parameter {
  readonly Name: string;
  readonly Value: string;
  readonly Type: string;
  readonly Version: number;
}

interface Tag {
  readonly Key: string;
  readonly Value: string;
}

async function parametersUnder(account: Account, path: string): Promise<readonly Parameter[]> {
  const { Parameters } = await account.call('ssm', 'get_parameters_by_path', {
    Path: path,
    Recursive: true,
    WithDecryption: true,
  });
  return Parameters as Parameter[];
}

/** `{ A: 'value of /path/A' }`. */
export async function parameterValues(account: Account, path: string): Promise<Readonly<Record<string, string>>> {
  const found = await parametersUnder(account, path);
  return Object.fromEntries(found.map(({ Name, Value }) => [Name.slice(path.length), Value]));
}

export async function parameterVersions(account: Account, path: string): Promise<Readonly<Record<string, number>>> {
  const found = await parametersUnder(account, path);
  return Object.fromEntries(found.map(({ Name, Version }) => [Name.slice(path.length), Version]));
}

export async function parameterTypes(account: Account, path: string): Promise<Readonly<Record<string, string>>> {
  const found = await parametersUnder(account, path);
  return Object.fromEntries(found.map(({ Name, Type }) => [Name.slice(path.length), Type]));
}

export async function parameterTags(account: Account, name: string): Promise<Readonly<Record<string, string>>> {
  const { TagList } = await account.call('ssm', 'list_tags_for_resource', {
    ResourceType: 'Parameter',
    ResourceId: name,
  });
  return tagsOf(TagList as Tag[]);
}

export async function parameterMetadata(account: Account, name: string): Promise<Readonly<Record<string, unknown>>> {
  const filter = { Key: 'Name', Option: 'Equals', Values: [name] };
  const { Parameters } = await account.call('ssm', 'describe_parameters', { ParameterFilters: [filter] });
  return (Parameters as Record<string, unknown>[])[0] ?? {};
}

/** As somebody else edits it: a new value, without a type. */
export async function editParameter(account: Account, name: string, value: string): Promise<void> {
  await account.call('ssm', 'put_parameter', { Name: name, Value: value, Overwrite: true });
}

interface Secret {
  readonly Name: string;
  readonly DeletedDate?: string;
  readonly Tags?: readonly Tag[];
}

/** `{ A: 'value of prefix + A' }`; what waits for its deletion is left out. */
export async function secretValues(account: Account, prefix: string): Promise<Readonly<Record<string, string>>> {
  const { SecretList } = await account.call('secretsmanager', 'list_secrets', {});
  const names = (SecretList as Secret[]).filter(({ Name }) => Name.startsWith(prefix)).map(({ Name }) => Name);
  const values = await Promise.all(names.map((name) => secretValue(account, name)));
  return Object.fromEntries(names.map((name, index) => [name.slice(prefix.length), values[index] ?? '']));
}

export async function secretValue(account: Account, name: string): Promise<string> {
  const { SecretString } = await account.call('secretsmanager', 'get_secret_value', { SecretId: name });
  return String(SecretString);
}

export async function secretDocument(account: Account, name: string): Promise<unknown> {
  return JSON.parse(await secretValue(account, name));
}

export async function describeSecret(account: Account, name: string): Promise<Readonly<Record<string, unknown>>> {
  return account.call('secretsmanager', 'describe_secret', { SecretId: name });
}

export async function secretTags(account: Account, name: string): Promise<Readonly<Record<string, string>>> {
  const { Tags = [] } = (await describeSecret(account, name)) as { readonly Tags?: readonly Tag[] };
  return tagsOf(Tags);
}

/** How many versions the secret has had. */
export async function secretVersionCount(account: Account, name: string): Promise<number> {
  const parameters = { SecretId: name, IncludeDeprecated: true };
  const { Versions } = await account.call('secretsmanager', 'list_secret_version_ids', parameters);
  return (Versions as unknown[]).length;
}

export async function editSecret(account: Account, name: string, value: string): Promise<void> {
  const written = await account.call('secretsmanager', 'put_secret_value', { SecretId: name, SecretString: value });
  for (const version of await currentVersions(account, name))
    if (version !== written['VersionId']) await takeLabel(account, name, version);
}

/** One at AWS; moto may name several. */
export async function currentVersions(account: Account, name: string): Promise<readonly string[]> {
  const { VersionIdsToStages: stagesOf = {} } = await describeSecret(account, name);
  const versions = Object.entries(stagesOf as Readonly<Record<string, readonly string[]>>);
  return versions.filter(([, stages]) => stages.includes('AWSCURRENT')).map(([version]) => version);
}

async function takeLabel(account: Account, name: string, version: string): Promise<void> {
  const change = { SecretId: name, VersionStage: 'AWSCURRENT', RemoveFromVersionId: version };
  await account.call('secretsmanager', 'update_secret_version_stage', change);
}

export interface UserKey {
  readonly AccessKeyId: string;
  readonly Status: string;
}

export async function accessKeys(account: Account, userName: string): Promise<readonly UserKey[]> {
  const { AccessKeyMetadata } = await account.call('iam', 'list_access_keys', { UserName: userName });
  return (AccessKeyMetadata as UserKey[]).map(({ AccessKeyId, Status }) => ({ AccessKeyId, Status }));
}

const tagsOf = (tags: readonly Tag[]): Record<string, string> =>
  Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));
