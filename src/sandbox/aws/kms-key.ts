/** How the model keeps a KMS key. */
import type { CompiledPolicy } from './policy/document.ts';

export type KmsKeyState = 'Enabled' | 'Disabled' | 'PendingDeletion';

export interface KmsKey {
  readonly keyId: string;
  readonly arn: string;
  readonly accountId: string;
  alias: string | undefined;
  state: KmsKeyState;
  /** Who may use it, and whose own policies may say so. */
  policy: CompiledPolicy;
  readonly createdAt: number;
}
