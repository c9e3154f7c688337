/**
 * Where the live lane runs: AWS itself, or an emulator on this machine that shows that the lane
 * works.
 */
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';

import { createAwsSandbox, startAwsSandboxServer, type AwsSandboxOptions } from '../../src/sandbox/aws/index.ts';
import { startMoto } from '../contract/moto.ts';
import type { Credentials } from '../contract/target.ts';
import { startAwsProxy } from '../witness/aws/proxy.ts';
import { createIamPeople, createSandboxPeople, type CreatePeople } from './people.ts';

export type PlaceName = 'aws' | 'sandbox' | 'moto';

export interface Place {
  readonly name: PlaceName;
  readonly credentials: Credentials | ReturnType<typeof fromNodeProviderChain>;
  /** For whoever prepares and reads; undefined: AWS itself. */
  readonly endpoint: string | undefined;
  /** For the product's processes. */
  readonly productEndpoint: string | undefined;
  /** Users and roles are made with operations that the sandbox does not model. */
  readonly createPeople: CreatePeople;
  /** AWS takes seconds to know a new user, key or role everywhere. */
  readonly settleMs: number;
  /** How long a question may wait for what AWS does late. */
  readonly patienceMs: number;
  /** How late a list shows what was made or deleted. */
  readonly listLagMs: number;
  close(): Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();

export async function openPlace(name: PlaceName, sandbox: AwsSandboxOptions = {}): Promise<Place> {
  switch (name) {
    case 'aws':
      return {
        name,
        credentials: fromNodeProviderChain(),
        endpoint: undefined,
        productEndpoint: undefined,
        createPeople: createIamPeople,
        settleMs: 15_000,
        patienceMs: 300_000,
        listLagMs: 300_000,
        close: nothing,
      };
    case 'sandbox':
      return openSandbox(sandbox);
    case 'moto':
      return openMoto();
  }
}

export const SANDBOX_ACCOUNT = '111122223333';
/** Of the emulators: waits there would only cost time. */
const QUICK = { settleMs: 0, patienceMs: 2_000, listLagMs: 0 };

async function openSandbox(options: AwsSandboxOptions): Promise<Place> {
  const sandbox = createAwsSandbox(options);
  const server = await startAwsSandboxServer(sandbox);
  const admin = { accountId: SANDBOX_ACCOUNT, userName: 'admin' };
  const Statement = [{ Effect: 'Allow' as const, Action: '*', Resource: '*' }];
  sandbox.createUser({ ...admin, policy: { Version: '2012-10-17', Statement } });
  return {
    name: 'sandbox',
    credentials: sandbox.createAccessKey(admin),
    endpoint: server.url,
    productEndpoint: server.url,
    createPeople: createSandboxPeople(sandbox, SANDBOX_ACCOUNT),
    ...QUICK,
    close: () => server.close(),
  };
}

/** The product meets moto through the proxy that checks keys, external IDs and policies. */
async function openMoto(): Promise<Place> {
  const moto = await startMoto();
  if ('missing' in moto) throw new Error(`moto could not be started: ${moto.missing}.`);
  const proxy = await startAwsProxy(moto.url);
  return {
    name: 'moto',
    credentials: { accessKeyId: 'testing', secretAccessKey: 'testing' },
    endpoint: proxy.witnessUrl,
    productEndpoint: proxy.url,
    createPeople: createIamPeople,
    ...QUICK,
    async close() {
      await proxy.close();
      await moto.close();
    },
  };
}
