/** How the model keeps a secret. */
import type { Lagged } from '../lagged.ts';

export interface SecretVersion {
  readonly versionId: string;
  readonly value: SecretValue;
  readonly stages: Set<string>;
  readonly createdAt: number;
  kmsKeyId: string | undefined;
  lastAccessedAt: number | undefined;
}

export type SecretValue = { readonly string: string } | { readonly binary: string };

export interface SecretReplica {
  readonly region: string;
  readonly kmsKeyId: string | undefined;
  readonly status: 'InSync' | 'Failed';
  readonly message: string;
  /** When (ms) the first copy is complete; until then the status is InProgress. */
  readonly readyAt: number;
}

export interface SecretRecord {
  readonly name: string;
  readonly arn: string;
  /** Order of creation, for pages that survive deletions in between. */
  readonly sequence: number;
  readonly createdAt: number;
  description: string | undefined;
  kmsKeyId: string | undefined;
  tags: Map<string, string>;
  readonly versions: Map<string, SecretVersion>;
  changedAt: number;
  accessedAt: number | undefined;
  /** Set while the secret is scheduled for deletion. */
  deletion: { readonly requestedAt: number; readonly purgedAt: number } | undefined;
  readonly replicas: Map<string, SecretReplica>;
  /** Set on replicas: where the primary lives. Only the primary accepts writes. */
  readonly replicaOf: { readonly region: string; readonly readyAt: number } | undefined;
  primaryRegion: string | undefined;
  /** Whoever else changes the value: as DescribeSecret and ListSecrets show it. */
  management: SecretManagement;
  /** What ListSecrets shows; an entry that is undefined is not listed. */
  readonly listed: Lagged<ListedSecret | undefined>;
}

/**
 * Only fixtures set it: creating a secret for another service, a partner or a rotation is not
 * modelled.
 */
export interface SecretManagement {
  readonly OwningService?: string;
  readonly Type?: string;
  readonly RotationEnabled?: boolean;
}

/** The fields of a secret that change, as a listing saw them. */
export interface ListedSecret {
  readonly description: string | undefined;
  readonly kmsKeyId: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
  readonly stages: ReadonlyMap<string, readonly string[]>;
  readonly changedAt: number;
  readonly accessedAt: number | undefined;
  readonly deletedAt: number | undefined;
  readonly primaryRegion: string | undefined;
}

export function toListed(secret: SecretRecord): ListedSecret {
  return {
    description: secret.description,
    kmsKeyId: secret.kmsKeyId,
    tags: secret.tags,
    stages: stagesByVersion(secret),
    changedAt: secret.changedAt,
    accessedAt: secret.accessedAt,
    deletedAt: secret.deletion?.requestedAt,
    primaryRegion: secret.primaryRegion,
  };
}

/** Versions without a stage are deprecated and not shown. */
function stagesByVersion(secret: SecretRecord): ReadonlyMap<string, readonly string[]> {
  const stages = new Map<string, readonly string[]>();
  for (const version of secret.versions.values()) {
    if (version.stages.size > 0) stages.set(version.versionId, [...version.stages]);
  }
  return stages;
}
