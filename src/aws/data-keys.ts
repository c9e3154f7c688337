/**
 * AWS KMS, as the worker's own identity: data keys that encrypt what keyferry stores. The client is
 * loaded when it is first needed.
 */
import type * as KmsSdk from '@aws-sdk/client-kms';
import type { KMSClient } from '@aws-sdk/client-kms';

import { defined } from '../domain/defined.ts';
import type { DataKeyService } from '../domain/data-keys.ts';
import { JobError, toJobError } from '../errors.ts';
import { idleScope } from './base-identity.ts';
import { clientConfig, guardClient } from './clients.ts';
import { type AwsContext, onChange } from './context.ts';

type Sdk = typeof KmsSdk;

const KEY_BYTES = 32;

export function createDataKeyService(context: AwsContext): DataKeyService {
  const clients = new Map<string, KMSClient>();
  const report = onChange(context.options.onDataKeyChange);
  const ask = async <T>(keyArn: string, action: string, act: (client: KMSClient, sdk: Sdk) => Promise<T>) => {
    const sdk = await import('@aws-sdk/client-kms');
    const region = keyArn.split(':')[3] ?? '';
    const client = clients.get(region) ?? openClient(context, sdk, region);
    clients.set(region, client);
    try {
      const answer = await act(client, sdk);
      report(undefined);
      return answer;
    } catch (error) {
      const state = () => stateOf(client, sdk, keyArn);
      const fault = await toKmsFault(toJobError(error), { keyArn, action, state });
      report(fault);
      throw fault;
    }
  };
  return {
    generate: (keyArn, EncryptionContext) =>
      ask(keyArn, 'kms:GenerateDataKey', async (client, { GenerateDataKeyCommand }) => {
        const input = { KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext } as const;
        const { Plaintext, CiphertextBlob = new Uint8Array() } = await client.send(new GenerateDataKeyCommand(input));
        return { key: toKey(Plaintext), wrapped: Buffer.from(CiphertextBlob) };
      }),
    unwrap: (keyArn, wrapped, EncryptionContext) =>
      ask(keyArn, 'kms:Decrypt', async (client, { DecryptCommand }) => {
        try {
          const input = { KeyId: keyArn, CiphertextBlob: wrapped, EncryptionContext };
          return toKey((await client.send(new DecryptCommand(input))).Plaintext);
        } catch (error) {
          if (error instanceof JobError && refused.test(String(error.context.awsError))) return undefined;
          throw error;
        }
      }),
    describe: (keyArn) =>
      ask(keyArn, 'kms:DescribeKey', async (client, sdk) => {
        const state = await stateOf(client, sdk, keyArn);
        if (state === 'Enabled') return 'enabled';
        throw new JobError('KMS_KEY_UNUSABLE', { message: `The KMS key ${keyArn} is ${wordOf(state)}.` });
      }),
  };
}

function openClient({ base, maker, settings }: AwsContext, { KMSClient: Client }: Sdk, region: string): KMSClient {
  const { credentials, contextFor } = base.signing;
  return guardClient(new Client(clientConfig(maker, 'kms', { region, credentials })), settings, {
    service: 'kms',
    isBase: true,
    charged: () => undefined,
    ...contextFor(idleScope),
  });
}

/** The answer may come from a proxy or a captive portal. */
function toKey(bytes: Uint8Array | undefined): Buffer {
  if (bytes?.length === KEY_BYTES) return Buffer.from(bytes);
  throw new JobError('KMS_UNAVAILABLE', { message: 'The answer of AWS KMS holds no key of 32 bytes.' });
}

async function stateOf(client: KMSClient, { DescribeKeyCommand }: Sdk, keyArn: string): Promise<string> {
  const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: keyArn }));
  return KeyMetadata?.KeyState ?? '';
}

const refused = /^(InvalidCiphertextException|IncorrectKeyException)$/;
const denied = /^(AccessDenied|NotAuthorized|Unauthorized)/;

const states: Readonly<Record<string, string>> = {
  DisabledException: 'disabled',
  NotFoundException: 'not there, or deleted',
  InvalidKeyUsageException: 'not a symmetric key for encryption',
  Disabled: 'disabled',
  PendingDeletion: 'pending deletion',
  PendingReplicaDeletion: 'pending deletion, as soon as its replicas are deleted',
  PendingImport: 'without key material',
  Unavailable: 'unavailable: its key store is disconnected',
};

const wordOf = (state: string): string => states[state] ?? 'in a state that does not permit its use';

interface Asked {
  readonly keyArn: string;
  readonly action: string;
  state(): Promise<string>;
}

async function toKmsFault(error: JobError, { keyArn, action, state }: Asked): Promise<JobError> {
  const name = String(error.context.awsError);
  const more = { context: { ...error.context, keyArn, action }, cause: error };
  if (error.code.startsWith('KMS_')) return error;
  if (denied.test(name)) {
    const message = `AWS denied ${action} on ${keyArn}: allow it in the key's policy, or as \`keyferry policy base-user --kms-key\` prints it.`;
    return new JobError('KMS_DENIED', { message, ...more });
  }
  const isStateful = name === 'KMSInvalidStateException';
  if (isStateful || name in states) {
    const word = wordOf(isStateful ? await state().catch(() => '') : name);
    return new JobError('KMS_KEY_UNUSABLE', { message: `The KMS key ${keyArn} is ${word}.`, ...more });
  }
  const message = `AWS KMS gave no answer to ${action}: ${error.publicMessage}`;
  return new JobError('KMS_UNAVAILABLE', {
    message,
    ...more,
    ...defined({ retryAfterMs: error.retryAfterMs }),
  });
}
