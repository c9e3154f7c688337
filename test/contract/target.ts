/**
 * An endpoint that the suites run on, and the few things they need besides the operations under
 * test.
 */
import { IAMClient } from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface Clients {
  readonly sts: STSClient;
  readonly iam: IAMClient;
  readonly ssm: SSMClient;
  readonly secrets: SecretsManagerClient;
  readonly kms: KMSClient;
}

export interface PolicyStatement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: readonly string[];
  readonly Resource?: string;
  readonly Principal?: { readonly AWS: string };
  readonly Condition?: Record<string, Record<string, string>>;
}

export interface Policy {
  readonly Version: '2012-10-17';
  readonly Statement: PolicyStatement[];
}

/** Symmetric keys. */
export interface KmsKeys {
  create(policy?: Policy): Promise<{ keyId: string; arn: string }>;
  disable(keyId: string): Promise<void>;
  scheduleDeletion(keyId: string): Promise<void>;
}

export interface ContractTarget {
  readonly accountId: string;
  readonly region: string;
  /** Of a user who may do everything. */
  readonly admin: Clients;
  /** The same user in another region. */
  adminIn(region: string): Clients;
  clientsFor(credentials: Credentials): Clients;
  /** Signs for this region, as a client with a custom endpoint does. */
  iamSignedFor(region: string): Promise<IAMClient>;
  createUser(policy?: Policy): Promise<{ userName: string; arn: string }>;
  /** Works at once. */
  createKey(userName: string): Promise<Credentials>;
  createRole(input: { trust: Policy; policy?: Policy; maxSessionSeconds?: number }): Promise<{ arn: string }>;
  /** Undefined where keys cost money and cannot be deleted at once. */
  readonly kmsKeys: KmsKeys | undefined;
  /** Never seen before. */
  uniqueName(prefix: string): string;
  close(): Promise<void>;
}

/** Of the partition `aws`, where the suites run. */
const IAM_REGION = 'us-east-1';

export interface ClientConfig {
  readonly region: string;
  readonly credentials: Credentials;
  readonly endpoint?: string;
  readonly requestHandler?: object;
}

/** Every answer counts, the first one too: no attempt may hide another. */
const toSdkConfig = (config: ClientConfig): object => ({ ...config, maxAttempts: 1 });

/** With an endpoint of its own, an IAM client signs for the region that it is given. */
export function createIamClient(config: ClientConfig): IAMClient {
  return new IAMClient(toSdkConfig(config));
}

export function createClients(config: ClientConfig): Clients {
  const common = toSdkConfig(config);
  return {
    sts: new STSClient(common),
    iam: createIamClient({ ...config, region: IAM_REGION }),
    ssm: new SSMClient(common),
    secrets: new SecretsManagerClient(common),
    kms: new KMSClient(common),
  };
}

export function allow(actions: readonly string[], more: Partial<PolicyStatement> = {}): Policy {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*', ...more }] };
}

/** A trust policy for one principal, with an external ID when one is given. */
export function trust(principal: string, externalId?: string): Policy {
  const Condition = externalId === undefined ? {} : { Condition: { StringEquals: { 'sts:ExternalId': externalId } } };
  const statement: PolicyStatement = {
    Effect: 'Allow',
    Principal: { AWS: principal },
    Action: ['sts:AssumeRole'],
    ...Condition,
  };
  return { Version: '2012-10-17', Statement: [statement] };
}
