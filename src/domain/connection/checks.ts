/** What a validation finds out, one typed check at a time. Pure data. */

export type CheckName = 'identity' | 'account' | 'external-id' | 'permission' | 'region' | 'kms-key' | 'narrowing';

export interface Check {
  readonly name: CheckName;
  /**
   * The action of a permission check (`ssm:GetParameters`), the region of a region check; absent
   * elsewhere.
   */
  readonly subject?: string;
  readonly verdict: 'pass' | 'warn' | 'fail' | 'unknown';
  readonly code?: string;
  readonly detail: string;
  /** What to change at AWS: words, and where it applies the exact JSON to add. */
  readonly fix?: { readonly advice: string; readonly policy?: unknown };
}
