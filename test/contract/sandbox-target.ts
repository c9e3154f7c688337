/** The suites' target: a fresh sandbox, without sockets. */
import { createAwsSandbox, createSandboxRequestHandler } from '../../src/sandbox/aws/index.ts';
import { allow, createClients, createIamClient, type ContractTarget } from './target.ts';

const ACCOUNT = '111122223333';
const REGION = 'eu-west-1';
const HERE = { accountId: ACCOUNT, region: REGION };

export function createSandboxTarget(): ContractTarget {
  const sandbox = createAwsSandbox();
  const requestHandler = createSandboxRequestHandler(sandbox);
  const clientsFor: ContractTarget['clientsFor'] = (credentials) =>
    createClients({ region: REGION, credentials, requestHandler });
  sandbox.createUser({ accountId: ACCOUNT, userName: 'admin', policy: allow(['*']) });
  let names = 0;
  const uniqueName = (prefix: string): string => `${prefix}-${String((names += 1))}`;
  const credentials = sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'admin' });
  return {
    accountId: ACCOUNT,
    region: REGION,
    admin: clientsFor(credentials),
    adminIn: (region) => createClients({ region, credentials, requestHandler }),
    clientsFor,
    iamSignedFor: async (region) =>
      createIamClient({ region, credentials, requestHandler, endpoint: 'http://localhost' }),
    uniqueName,
    createUser: async (policy) => {
      const userName = uniqueName('user');
      const { arn } = sandbox.createUser({
        accountId: ACCOUNT,
        userName,
        ...(policy && { policy }),
      });
      return { userName, arn };
    },
    createKey: async (userName) => sandbox.createAccessKey({ accountId: ACCOUNT, userName }),
    createRole: async ({ trust, policy, maxSessionSeconds }) =>
      sandbox.createRole({
        accountId: ACCOUNT,
        roleName: uniqueName('role'),
        trustPolicy: trust,
        ...(policy && { policy }),
        ...(maxSessionSeconds !== undefined && { maxSessionDurationSeconds: maxSessionSeconds }),
      }),
    kmsKeys: {
      create: async (policy) => sandbox.createKmsKey({ ...HERE, ...(policy && { policy }) }),
      disable: async (keyId) => sandbox.setKmsKeyState({ ...HERE, keyId, state: 'Disabled' }),
      scheduleDeletion: async (keyId) => sandbox.setKmsKeyState({ ...HERE, keyId, state: 'PendingDeletion' }),
    },
    close: async () => undefined,
  };
}
