/** The worker's own identity in a sandbox, as the variables that a worker reads it from. */
import type { AwsSandbox } from '../../src/sandbox/aws/index.ts';

export const BASE_ACCOUNT = '999988887777';

export function createBaseIdentity(sandbox: AwsSandbox): Record<string, string> {
  const base = { accountId: BASE_ACCOUNT, userName: 'keyferry-base' };
  sandbox.createAccount(BASE_ACCOUNT);
  sandbox.createUser({
    ...base,
    policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }] },
  });
  const key = sandbox.createAccessKey(base);
  return {
    INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: key.accessKeyId,
    INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  };
}
