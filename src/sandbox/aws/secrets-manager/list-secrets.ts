/** ListSecrets and DescribeSecret. Lists are stale by up to minutes, descriptions are fresh. */
import { isManagedAlias } from '../kms.ts';
import { defineOperation, type Call } from '../service.ts';
import { toEpochSeconds } from '../wire/json-protocol.ts';
import { compileSecretFilters, type SecretFilter } from './filters.ts';
import { findSecret, getSecret, secretAccess, type SecretIdInput } from './find-secret.ts';
import { takePage, type PageInput } from './paging.ts';
import { toReplicationStatus } from './replicas.ts';
import { toListed, type ListedSecret, type SecretRecord } from './secret-record.ts';

interface ListInput extends PageInput {
  readonly IncludePlannedDeletion?: boolean;
  readonly Filters?: readonly SecretFilter[];
  readonly SortOrder?: 'asc' | 'desc';
  readonly SortBy?: 'created-date' | 'last-accessed-date' | 'last-changed-date' | 'name';
}

type Listed = readonly [SecretRecord, ListedSecret];

const LIST_PAGE = 100;

export const LIST_SECRETS = defineOperation<ListInput>({
  access: () => [{ action: 'secretsmanager:ListSecrets', resource: '*' }],
  run: (call, input) => {
    const filter = compileSecretFilters(input.Filters ?? []);
    const shown = listVisible(call, { includeDeleted: input.IncludePlannedDeletion === true });
    const matching = shown.filter(([secret, listed]) => filter(secret.name, listed));
    const page = takePage({ kind: 'secrets', input, defaultSize: LIST_PAGE }, positioned(matching, input));
    return { SecretList: page.items.map(toListEntry), NextToken: page.NextToken };
  },
});

/**
 * Without an order of its own a listing goes by creation, which is the order that survives
 * deletions between pages.
 */
function positioned(listed: readonly Listed[], input: ListInput): readonly (readonly [number, Listed])[] {
  if (input.SortBy === undefined && input.SortOrder === undefined)
    return listed.map((item) => [item[0].sequence, item] as const);
  const sign = (input.SortOrder ?? 'desc') === 'asc' ? 1 : -1;
  const sorted = [...listed].sort((a, b) => sign * compareBy(input.SortBy ?? 'created-date', a, b));
  return sorted.map((item, index) => [index + 1, item] as const);
}

function compareBy(field: NonNullable<ListInput['SortBy']>, a: Listed, b: Listed): number {
  switch (field) {
    case 'name':
      return a[0].name < b[0].name ? -1 : 1;
    case 'created-date':
      return a[0].sequence - b[0].sequence;
    case 'last-accessed-date':
      return (a[1].accessedAt ?? 0) - (b[1].accessedAt ?? 0);
    case 'last-changed-date':
      return a[1].changedAt - b[1].changedAt;
  }
}

export function listVisible(call: Call, options: { readonly includeDeleted: boolean }): readonly Listed[] {
  const out: Listed[] = [];
  for (const secret of [...call.regionState.secrets.values()]) {
    const listed = findSecret(call, secret.name) === secret ? secret.listed.at(call.now) : undefined;
    if (listed && (options.includeDeleted || listed.deletedAt === undefined)) out.push([secret, listed]);
  }
  return out;
}

function toListEntry([secret, listed]: Listed): object {
  return {
    ...commonFields(secret, listed),
    SecretVersionsToStages: Object.fromEntries(listed.stages),
  };
}

export const DESCRIBE_SECRET = defineOperation<SecretIdInput>({
  access: secretAccess('secretsmanager:DescribeSecret'),
  run: (call, input) => {
    const secret = getSecret(call, input);
    const fresh = toListed(secret);
    return {
      ...commonFields(secret, fresh),
      VersionIdsToStages: fresh.stages.size === 0 ? undefined : Object.fromEntries(fresh.stages),
      ReplicationStatus: toReplicationStatus(call, secret),
    };
  },
});

function commonFields(secret: SecretRecord, listed: ListedSecret): object {
  return {
    ARN: secret.arn,
    Name: secret.name,
    Description: listed.description,
    // Left out for the managed key.
    KmsKeyId: listed.kmsKeyId !== undefined && isManagedAlias(listed.kmsKeyId) ? undefined : listed.kmsKeyId,
    LastChangedDate: toEpochSeconds(listed.changedAt),
    LastAccessedDate: listed.accessedAt === undefined ? undefined : toEpochSeconds(listed.accessedAt),
    DeletedDate: listed.deletedAt === undefined ? undefined : toEpochSeconds(listed.deletedAt),
    Tags: [...listed.tags].map(([Key, Value]) => ({ Key, Value })),
    CreatedDate: toEpochSeconds(secret.createdAt),
    PrimaryRegion: secret.primaryRegion,
    ...secret.management,
  };
}
