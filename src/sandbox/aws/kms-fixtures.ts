/** KMS keys and settings of services, as tests and the demo set them up. */
import type { KeyChange } from './iam/access-keys.ts';
import type { KmsKey, KmsKeyState } from './kms-key.ts';
import { compilePolicy, type PolicyDocument } from './policy/document.ts';
import { regionState, type Account } from './state.ts';

interface CreateKmsKeyInput {
  readonly accountId: string;
  readonly region: string;
  /** `alias/…`. */
  readonly alias?: string;
  readonly state?: KmsKeyState;
  /**
   * Default: whatever policies of the owner's account, and of the accounts that it is shared with,
   * allow.
   */
  readonly policy?: PolicyDocument;
  readonly sharedWithAccounts?: readonly string[];
}

export interface KmsFixtures {
  createKmsKey(input: CreateKmsKeyInput): { keyId: string; arn: string };
  setKmsKeyState(input: { accountId: string; region: string; keyId: string; state: KmsKeyState }): void;
  setKmsKeyPolicy(input: { accountId: string; region: string; keyId: string; policy: PolicyDocument }): void;
  setServiceSetting(input: { accountId: string; region: string; settingId: string; value: string }): void;
}

export function kmsFixtures(context: () => KeyChange, ensureAccount: (accountId: string) => Account): KmsFixtures {
  return {
    createKmsKey: (input) => {
      const account = ensureAccount(input.accountId);
      const hex = (length: number): string => context().random.text(length, '0123456789abcdef');
      const keyId = [hex(8), hex(4), hex(4), hex(4), hex(12)].join('-');
      const arn = `arn:${account.partition}:kms:${input.region}:${input.accountId}:key/${keyId}`;
      regionState(account, input.region).kmsKeys.set(keyId, {
        keyId,
        arn,
        accountId: input.accountId,
        alias: input.alias,
        state: input.state ?? 'Enabled',
        policy: compilePolicy(input.policy ?? keyPolicyOf(account, input.sharedWithAccounts), 'key'),
        createdAt: context().now,
      });
      return { keyId, arn };
    },
    setKmsKeyState: (input) => {
      getKmsKey(context(), input).state = input.state;
    },
    setKmsKeyPolicy: (input) => {
      getKmsKey(context(), input).policy = compilePolicy(input.policy, 'key');
    },
    setServiceSetting: ({ accountId, region, settingId, value }) => {
      regionState(ensureAccount(accountId), region).serviceSettings.set(settingId, value);
    },
  };
}

function getKmsKey(change: KeyChange, input: { accountId: string; region: string; keyId: string }): KmsKey {
  const key = change.world.findKmsKeys(input.accountId, input.region).get(input.keyId);
  if (!key) throw new Error(`The sandbox has no KMS key ${input.keyId} in ${input.region}`);
  return key;
}

/** As the key policy that KMS gives a new key: the account's own policies decide. */
function keyPolicyOf({ partition, accountId }: Account, sharedWith: readonly string[] = []): PolicyDocument {
  const AWS = [accountId, ...sharedWith].map((id) => `arn:${partition}:iam::${id}:root`);
  return { Statement: { Effect: 'Allow', Principal: { AWS }, Action: 'kms:*', Resource: '*' } };
}
