/**
 * Where moto differs from AWS in what the stories depend on, each with the documentation's word and
 * with what stands in for AWS meanwhile. Each is probed in every run: one that is gone fails it,
 * and so does a check that fails without standing here.
 */
import { createAccount, createKey, createRole, statement, type Account } from './account.ts';
import { DEFAULT_ACCOUNT } from './aws/proxy.ts';
import type { Boto, Credentials } from './boto.ts';
import { currentVersions } from './readings.ts';

export interface Difference {
  readonly moto: string;
  readonly documented: string;
  /** What the witness does about it. */
  readonly instead: string;
  readonly differs: (probe: Probe) => Promise<boolean>;
}

export interface Probe {
  readonly boto: Boto;
  readonly account: Account;
  readonly id: string;
}

const PROXY = 'the proxy refuses it at the product’s door';

async function succeeds(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  );
}

async function errorOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => '',
    (error: unknown) => (error instanceof Error ? error.name : ''),
  );
}

const whoAmI = (boto: Boto, credentials: Credentials, region = 'us-east-1') =>
  boto.call({ service: 'sts', region, method: 'get_caller_identity', parameters: {}, credentials });

async function newKey({ account, id }: Probe, userName: string): Promise<Credentials> {
  await account.call('iam', 'create_user', { UserName: `${userName}-${id}` });
  return createKey(account, `${userName}-${id}`);
}

export const DIFFERENCES: Readonly<Record<string, Difference>> = {
  'external IDs': {
    moto: 'gives credentials for a role without the external ID that its trust policy asks for',
    documented: 'AccessDenied (IAM user guide, "The confused deputy problem")',
    instead: PROXY,
    differs: async (probe) => {
      const RoleArn = await createRole(probe.account, { name: `trusting-${probe.id}`, externalId: 'x1', policies: [] });
      const parameters = { RoleArn, RoleSessionName: 'probe' };
      const base = await createAccount({ boto: probe.boto, accountId: DEFAULT_ACCOUNT, region: 'us-east-1' });
      return succeeds(base.call('sts', 'assume_role', parameters));
    },
  },
  signatures: {
    moto: 'accepts a request that is signed with a wrong secret',
    documented: 'SignatureDoesNotMatch (IAM user guide, "Signature Version 4")',
    instead: PROXY,
    differs: async (probe) => {
      const key = await newKey(probe, 'signing');
      return succeeds(whoAmI(probe.boto, { ...key, secretAccessKey: 'x'.repeat(40) }));
    },
  },
  'inactive keys': {
    moto: 'accepts requests of an inactive key',
    documented: 'InvalidClientTokenId (IAM user guide, "Managing access keys": an inactive key "can\'t be used")',
    instead: PROXY,
    differs: async (probe) => {
      const key = await newKey(probe, 'inactive');
      const UserName = `inactive-${probe.id}`;
      const change = { UserName, AccessKeyId: key.accessKeyId, Status: 'Inactive' };
      await probe.account.call('iam', 'update_access_key', change);
      return succeeds(whoAmI(probe.boto, key));
    },
  },
  policies: {
    moto: 'lets a user without any policy do everything',
    documented: 'what no policy allows is denied (IAM user guide, "Policy evaluation logic")',
    instead: PROXY,
    differs: async (probe) => {
      const credentials = await newKey(probe, 'powerless');
      const call = { service: 'ssm', region: 'eu-west-1', method: 'describe_parameters', parameters: {} } as const;
      return succeeds(probe.boto.call({ ...call, credentials }));
    },
  },
  'region of IAM': {
    moto: 'accepts IAM requests that are signed for any region',
    documented: 'IAM is global and takes signatures for us-east-1 (AWS General Reference, "IAM endpoints and quotas")',
    instead: PROXY,
    differs: async (probe) => {
      const credentials = await newKey(probe, 'regional');
      const call = { service: 'iam', region: 'eu-west-1', method: 'list_users', parameters: {} } as const;
      return succeeds(probe.boto.call({ ...call, credentials }));
    },
  },
  'new keys': {
    moto: 'accepts a new key at once',
    documented:
      'changes "can take some time to become visible" (IAM user guide, "Changes that I make are not always immediately visible")',
    instead: 'the proxy refuses a new key for some seconds in the story of delayed keys',
    differs: async (probe) => succeeds(whoAmI(probe.boto, await newKey(probe, 'fresh'))),
  },
  'default version': {
    moto: 'answers GetSecretValue with a version of its own choice after AWSCURRENT was moved by UpdateSecretVersionStage',
    documented:
      'the default is the version with AWSCURRENT (Secrets Manager API reference, GetSecretValue: VersionStage)',
    instead: 'the proxy adds VersionStage AWSCURRENT to such requests',
    differs: ({ boto }) => defaultVersionIsStale(boto),
  },
  'current version': {
    moto: 'leaves AWSCURRENT on an older version, too, when PutSecretValue follows a move by UpdateSecretVersionStage',
    documented:
      'a label is attached to one version at a time; PutSecretValue moves AWSCURRENT (Secrets Manager API reference)',
    instead: 'the witness takes the label from the older version after each edit of its own',
    differs: async ({ account, id }) => {
      const SecretId = `probe-${id}/current`;
      await moveBack(account, SecretId);
      await account.call('secretsmanager', 'put_secret_value', { SecretId, SecretString: 'three' });
      return (await currentVersions(account, SecretId)).length > 1;
    },
  },
  'type of a parameter': {
    moto: 'changes the type of a parameter by overwriting it',
    documented:
      'HierarchyTypeMismatchException (SSM API reference, PutParameter); a public acceptance test says otherwise',
    instead: 'the product must be right under both; the sandbox refuses it',
    differs: async ({ account, id }) => {
      const Name = `/probe-${id}/type`;
      await account.call('ssm', 'put_parameter', { Name, Value: 'v', Type: 'String' });
      return succeeds(
        account.call('ssm', 'put_parameter', { Name, Value: 'v', Type: 'SecureString', Overwrite: true }),
      );
    },
  },
  'name of a secret in deletion': {
    moto: 'calls the name of a secret that waits for its deletion ResourceExistsException',
    documented: 'InvalidRequestException (Secrets Manager API reference, CreateSecret)',
    instead: 'the sandbox refuses it as documented',
    differs: async ({ account, id }) => {
      const Name = `probe-${id}/planned`;
      await account.call('secretsmanager', 'create_secret', { Name, SecretString: 'v' });
      await account.call('secretsmanager', 'delete_secret', { SecretId: Name, RecoveryWindowInDays: 7 });
      const again = account.call('secretsmanager', 'create_secret', { Name, SecretString: 'v' });
      return (await errorOf(again)) === 'ResourceExistsException';
    },
  },
  'last use of a key': {
    moto: 'shows no delay between the use of a key and its last use',
    documented:
      'no bound is documented; the console speaks of hours (IAM user guide, "Getting access key last used information")',
    instead: 'the sandbox delays it; here grace times are zero',
    differs: async (probe) => {
      const key = await newKey(probe, 'used');
      await putAll(probe, 'used');
      await whoAmI(probe.boto, key);
      const used = await probe.account.call('iam', 'get_access_key_last_used', { AccessKeyId: key.accessKeyId });
      return (used['AccessKeyLastUsed'] as { readonly LastUsedDate?: string }).LastUsedDate !== undefined;
    },
  },
};

async function putAll({ account, id }: Probe, userName: string): Promise<void> {
  const PolicyDocument = JSON.stringify(statement('*', '*'));
  await account.call('iam', 'put_user_policy', { UserName: `${userName}-${id}`, PolicyName: 'own', PolicyDocument });
}

/** Straight from moto, as the proxy corrects it at both doors. */
async function defaultVersionIsStale(boto: Boto): Promise<boolean> {
  const account = await createAccount({ boto, accountId: '210000000000', region: 'eu-west-1' });
  const SecretId = 'probe-default-version';
  await moveBack(account, SecretId);
  const { SecretString } = await account.call('secretsmanager', 'get_secret_value', { SecretId });
  return SecretString !== 'one';
}

/** A secret of two versions, `one` and `two`, whose first is current again. */
async function moveBack(account: Account, SecretId: string): Promise<void> {
  const first = await account.call('secretsmanager', 'create_secret', { Name: SecretId, SecretString: 'one' });
  const second = await account.call('secretsmanager', 'put_secret_value', { SecretId, SecretString: 'two' });
  const move = {
    SecretId,
    VersionStage: 'AWSCURRENT',
    MoveToVersionId: first['VersionId'],
    RemoveFromVersionId: second['VersionId'],
  };
  await account.call('secretsmanager', 'update_secret_version_stage', move);
}
