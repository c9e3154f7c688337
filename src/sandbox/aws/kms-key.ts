/** How the model keeps a KMS key. */
export type KmsKeyState = 'Enabled' | 'Disabled' | 'PendingDeletion';

export interface KmsKey {
  readonly keyId: string;
  readonly arn: string;
  readonly accountId: string;
  alias: string | undefined;
  state: KmsKeyState;
  /** Accounts whose principals the key policy lets in, besides the owner's. */
  readonly sharedWithAccounts: readonly string[];
}
