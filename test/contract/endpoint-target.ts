/** The suites' target: any endpoint that speaks AWS, set up through its own IAM operations. */
import { randomUUID } from 'node:crypto';
import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { CreateKeyCommand, DisableKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { createClients, createIamClient, type ContractTarget, type Credentials } from './target.ts';

export interface EndpointOptions {
  readonly endpoint: string;
  readonly region?: string;
  /** Of somebody who may do everything there. */
  readonly credentials?: Credentials;
}

export async function createEndpointTarget(options: EndpointOptions): Promise<ContractTarget> {
  const { endpoint, region = 'eu-west-1' } = options;
  const credentials = options.credentials ?? { accessKeyId: 'testing', secretAccessKey: 'testing' };
  const clientsFor: ContractTarget['clientsFor'] = (own) => createClients({ endpoint, region, credentials: own });
  const admin = clientsFor(credentials);
  const { Account: accountId = '' } = await admin.sts.send(new GetCallerIdentityCommand({}));
  const uniqueName = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 8)}`;
  return {
    accountId,
    region,
    admin,
    adminIn: (other) => createClients({ endpoint, region: other, credentials }),
    clientsFor,
    iamSignedFor: async (other) => createIamClient({ endpoint, region: other, credentials }),
    uniqueName,
    ...identities({ admin, uniqueName }),
    kmsKeys: kmsKeysOf(admin),
    close: async () => {
      for (const client of Object.values(admin)) (client as { destroy(): void }).destroy();
    },
  };
}

function kmsKeysOf({ kms }: ContractTarget['admin']): NonNullable<ContractTarget['kmsKeys']> {
  return {
    create: async (policy) => {
      const Policy = policy && JSON.stringify(policy);
      const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Policy }));
      return { keyId: KeyMetadata?.KeyId ?? '', arn: KeyMetadata?.Arn ?? '' };
    },
    disable: async (KeyId) => {
      await kms.send(new DisableKeyCommand({ KeyId }));
    },
    scheduleDeletion: async (KeyId) => {
      await kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    },
  };
}

type Identities = Pick<ContractTarget, 'createUser' | 'createKey' | 'createRole'>;

function identities({ admin: { iam }, uniqueName }: Pick<ContractTarget, 'admin' | 'uniqueName'>): Identities {
  return {
    createUser: async (policy) => {
      const UserName = uniqueName('user');
      const { User } = await iam.send(new CreateUserCommand({ UserName }));
      if (policy) {
        const PolicyDocument = JSON.stringify(policy);
        await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'own', PolicyDocument }));
      }
      return { userName: UserName, arn: User?.Arn ?? '' };
    },
    createKey: async (UserName) => {
      const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
      return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
    },
    createRole: async ({ trust, policy, maxSessionSeconds }) => {
      const RoleName = uniqueName('role');
      const AssumeRolePolicyDocument = JSON.stringify(trust);
      const MaxSessionDuration = maxSessionSeconds;
      const { Role } = await iam.send(
        new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument, MaxSessionDuration }),
      );
      if (policy) {
        const PolicyDocument = JSON.stringify(policy);
        await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'own', PolicyDocument }));
      }
      return { arn: Role?.Arn ?? '' };
    },
  };
}
