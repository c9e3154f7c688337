/** SDK clients on a sandbox, for tests of the sandbox itself. */
import { IAMClient } from '@aws-sdk/client-iam';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';
import {
  createAwsSandbox,
  createSandboxClock,
  createSandboxRequestHandler,
  type AwsSandbox,
  type AwsSandboxOptions,
  type PolicyDocument,
} from '../../../src/sandbox/aws/index.ts';
import type { SignerCredentials } from './signed-request.ts';

export const ACCOUNT = '111122223333';
export const REGION = 'eu-west-1';

export interface SandboxClients {
  readonly sts: STSClient;
  readonly iam: IAMClient;
  readonly ssm: SSMClient;
  readonly secrets: SecretsManagerClient;
}

export function clientsOf(sandbox: AwsSandbox, credentials: SignerCredentials, region = REGION): SandboxClients {
  const config = { region, credentials, requestHandler: createSandboxRequestHandler(sandbox), maxAttempts: 1 };
  return {
    sts: new STSClient(config),
    iam: new IAMClient(config),
    ssm: new SSMClient(config),
    secrets: new SecretsManagerClient(config),
  };
}

export function allowing(...actions: string[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: actions, Resource: '*' } };
}

export function trusting(principal: string): PolicyDocument {
  const statement = { Effect: 'Allow', Principal: { AWS: principal }, Action: 'sts:AssumeRole' };
  return { Version: '2012-10-17', Statement: statement };
}

/**
 * A sandbox whose clock stands still until it is advanced, with a user `admin` who may do
 * everything.
 */
export function createTestSandbox(options: AwsSandboxOptions = {}): { sandbox: AwsSandbox; admin: SandboxClients } {
  const sandbox = createAwsSandbox({ clock: createSandboxClock({ startAt: new Date() }), ...options });
  sandbox.createUser({ accountId: ACCOUNT, userName: 'admin', policy: allowing('*') });
  const admin = clientsOf(sandbox, sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' }));
  return { sandbox, admin };
}

/** The name of the error that a call ends with, or 'ok'. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}
