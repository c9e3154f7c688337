/**
 * KMS in a sandbox of its own, and encryption with its keys: each call of `encryption` is another
 * process, with nothing in its memory.
 */
import { createAwsAccess } from '../../../src/aws/access.ts';
import type { Database } from '../../../src/db/client.ts';
import { createDataKeys } from '../../../src/db/data-keys.ts';
import { createEncryption, type Encryption } from '../../../src/db/encryption.ts';
import { createFingerprintKeyRows } from '../../../src/db/fingerprint-key.ts';
import type { DataKeyService } from '../../../src/domain/data-keys.ts';
import type { PolicyDocument as OwnPolicy } from '../../../src/domain/policy/document.ts';
import { baseUserPolicy } from '../../../src/domain/policy/policies.ts';
import { createAwsSandbox, createSandboxRequestHandler, type PolicyDocument } from '../../../src/sandbox/aws/index.ts';

export const HERE = { accountId: '111122223333', region: 'eu-central-1' } as const;
export const LOCAL = { id: 'test', key: Buffer.alloc(32, 7) };

const asSandboxPolicy = (policy: OwnPolicy) => JSON.parse(JSON.stringify(policy)) as PolicyDocument;

export interface EncryptionOptions {
  /** `local` first: the keys of KMS only decrypt. */
  readonly keys?: readonly string[];
  readonly nowMs?: () => number;
  readonly service?: DataKeyService;
}

export function openKms(db: Database) {
  const sandbox = createAwsSandbox();
  const key = sandbox.createKmsKey(HERE);
  const other = sandbox.createKmsKey(HERE);
  const userName = 'keyferry';
  const policy = asSandboxPolicy(baseUserPolicy('aws', { kmsKeys: [key.arn, other.arn] }));
  sandbox.createUser({ ...HERE, userName, policy });
  const told: (string | undefined)[] = [];
  const baseKey = sandbox.createAccessKey({ ...HERE, userName });
  const access = createAwsAccess({
    baseCredentials: baseKey,
    requestHandler: createSandboxRequestHandler(sandbox),
    onDataKeyChange: (fault) => told.push(fault?.code),
  });
  return {
    sandbox,
    key,
    other,
    baseKey,
    /** The codes of faults as operators are told them; undefined: it works again. */
    told,
    service: access.dataKeys,
    /** Of the base identity. */
    setPolicy: (statements: PolicyDocument) => {
      sandbox.setUserPolicy({ ...HERE, userName, policy: statements });
    },
    encryption({ keys = [key.arn], nowMs, service = access.dataKeys }: EncryptionOptions = {}): Encryption {
      const arns = keys.filter((arn) => arn !== 'local');
      const dataKeys = createDataKeys({
        keyArns: arns,
        encryptsWith: keys[0] === 'local' ? undefined : arns[0],
        service: () => Promise.resolve(service),
        rows: createFingerprintKeyRows(db),
        ...(nowMs && { nowMs }),
      });
      return createEncryption([LOCAL], dataKeys);
    },
    /** Since the last look, as `Decrypt` → how often. */
    takeCalls: (): Readonly<Record<string, number>> => {
      const calls = sandbox.calls.byOperation({ service: 'kms' });
      sandbox.calls.clear();
      return Object.fromEntries(Object.entries(calls).map(([name, count]) => [name.replace('kms.', ''), count]));
    },
  };
}

export type Kms = ReturnType<typeof openKms>;
