/** How the model keeps a parameter. */
import type { Lagged } from '../lagged.ts';

export type ParameterType = 'String' | 'StringList' | 'SecureString';
export type ParameterTier = 'Standard' | 'Advanced';

export interface ParameterVersion {
  readonly version: number;
  readonly value: string;
  /** What a read without decryption shows for a SecureString. */
  readonly ciphertext: string | undefined;
  readonly type: ParameterType;
  readonly tier: ParameterTier;
  readonly keyId: string | undefined;
  readonly description: string | undefined;
  readonly allowedPattern: string | undefined;
  readonly policies: readonly ParameterPolicy[];
  readonly dataType: string;
  readonly modifiedAt: number;
  readonly modifiedBy: string;
  readonly labels: Set<string>;
}

export interface ParameterPolicy {
  readonly text: string;
  readonly type: string;
  readonly expiresAt: number | undefined;
}

export interface ParameterRecord {
  readonly name: string;
  readonly arn: string;
  /** Order of creation, for pages that survive deletions in between. */
  readonly sequence: number;
  readonly versions: ParameterVersion[];
  readonly tags: Map<string, string>;
  /** The version that reads see. */
  readonly visible: Lagged<ParameterVersion>;
}

export function latestVersion(record: ParameterRecord): ParameterVersion {
  const last = record.versions.at(-1);
  if (!last) throw new Error(`Parameter ${record.name} without a version: a defect of the sandbox.`);
  return last;
}
