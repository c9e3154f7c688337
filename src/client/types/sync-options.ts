/**
 * How a sync writes. Where it writes is with the names of the destinations, since each has its own
 * place.
 */

/** A tag that a sync writes on every object. */
export interface SyncTag {
  /** 1 to 128 characters; must not start with `aws:` or `keyferry:`. */
  readonly key: string;
  /** At most 256 characters. */
  readonly value: string;
}

/** How a sync writes, as it is stored: what was not given has its default. */
export interface StoredSyncOptions {
  /** What the first run does with what the destination holds. Default: `overwrite-destination`. */
  readonly initialSyncBehavior: 'overwrite-destination' | 'import-prioritize-source' | 'import-prioritize-destination';
  /**
   * Name at AWS; holds `{{secretKey}}` once, and may hold `{{environment}}`, `{{project}}`,
   * `{{path}}` and `{{folder}}`.
   */
  readonly keySchema?: string | undefined;
  /** With the folders below the sync's. */
  readonly recursive?: boolean | undefined;
  /** Only secrets that fit one of 1 to 20 patterns, such as `DB_*`. */
  readonly include?: readonly string[] | undefined;
  /** No secrets that fit one of these patterns. */
  readonly exclude?: readonly string[] | undefined;
  /** Secrets that leave the folder stay at AWS. Default: false. */
  readonly disableSecretDeletion: boolean;
  /** Id, alias or ARN of the KMS key that encrypts at AWS; without one AWS's own. */
  readonly keyId?: string | undefined;
  /** At most 49, each key once. */
  readonly tags?: readonly SyncTag[] | undefined;
  /** Metadata of secrets is written as tags. Default: false. */
  readonly syncSecretMetadataAsTags: boolean;
  /** What becomes of objects at AWS that keyferry did not write. Default: `fail`. */
  readonly onExisting: 'fail' | 'adopt';
  /** What becomes of objects that others changed at AWS. Default: `detect`. */
  readonly drift: 'detect' | 'repair';
  /** Of parameters. Default: `standard`. */
  readonly tier: 'standard' | 'advanced' | 'intelligent';
  /**
   * Recovery window of deleted secrets in Secrets Manager: 7 to 30 days, or `force` for none.
   * Default: 7.
   */
  readonly recoveryDays: number | 'force';
  /** Regions that Secrets Manager replicates to; at most 20. */
  readonly replicaRegions?: readonly string[] | undefined;
  /**
   * Regions of `replicaRegions` → id, alias or ARN of the KMS key of that region that encrypts the
   * replica there; without one AWS's own.
   */
  readonly replicaKeys?: Readonly<Record<string, string>> | undefined;
}

/** How a new sync writes; what is left out gets its default. */
export type NewSyncOptions = { readonly [Option in keyof StoredSyncOptions]?: StoredSyncOptions[Option] | undefined };

/** Options that have no default: null removes them. */
type Removable = 'keySchema' | 'include' | 'exclude' | 'keyId' | 'tags' | 'replicaRegions' | 'replicaKeys';

/** Changes of options; what is left out stays as it is. */
export type UpdateSyncOptions = Omit<NewSyncOptions, Removable> & {
  readonly [Option in Removable]?: StoredSyncOptions[Option] | null;
};
