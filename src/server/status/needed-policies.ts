/**
 * What the account to be connected must allow, from what was chosen on the connect page: the same
 * policies as `keyferry policy` prints. Pure.
 */
import { destinations, kinds } from '../../domain/destinations/registry.ts';
import { type KindId, kindIds } from '../../domain/destinations/names.ts';
import { formatPermissions, formatRole, type PolicyFormat, policyFormats } from '../../domain/policy/formats.ts';
import { policyFor, trustPolicy } from '../../domain/policy/policies.ts';
import type { PolicyTarget } from '../../domain/policy/target.ts';
import { regionProblem } from '../../domain/regions.ts';

const DEFAULT_ROLE_NAME = 'keyferry';

export interface Wanted {
  readonly org: string;
  readonly use: string;
  /** Path, prefix, secret or user. */
  readonly object: string;
  readonly region: string;
  readonly kmsKey: string;
  /** Of keyferry's own identity. */
  readonly account: string;
  readonly format: PolicyFormat;
}

/** Where roles are assumed from. */
export interface AssumingAccount {
  readonly accountId: string;
  readonly partition: string;
}

const ROTATION = 'access-key-rotation';

export const uses: readonly (readonly [value: string, text: string])[] = [
  ...kindIds.map((id): readonly [string, string] => [id, `Sync to ${titleOf(id)}`]),
  [ROTATION, 'Rotate the access keys of an IAM user'],
];

function titleOf(id: KindId): string {
  const { destination, policyOption } = kinds[id];
  return `${destinations[destination].title}: ${policyOption.description}`;
}

/** Anything odd falls back to the default. */
export function parseWanted(query: (name: string) => string | undefined, defaultOrg: string): Wanted {
  const text = (name: string, shape: RegExp) => {
    const value = query(name)?.trim() ?? '';
    return shape.test(value) ? value : '';
  };
  const use = query('use') ?? '';
  const format = policyFormats.find((one) => one === query('format')) ?? 'json';
  return {
    org: text('org', ORG) || defaultOrg,
    use: uses.some(([value]) => value === use) ? use : 'parameter-store',
    object: text('object', OBJECT),
    region: text('region', REGION),
    kmsKey: text('kmsKey', KMS_KEY),
    account: text('account', /^\d{12}$/),
    format,
  };
}

/** Of external IDs, since the org is one. */
export const ORG = /^[\w+=,.@:/-]{2,128}$/;
const OBJECT = /^[\w+=,.@/-]{1,512}$/;
const REGION = /^[a-z0-9-]{1,32}$/;
const KMS_KEY = /^[\w:/-]{1,256}$/;

function targetOf({ use, object, region, kmsKey }: Wanted): PolicyTarget {
  const key = kmsKey === '' ? undefined : kmsKey;
  if (use === ROTATION) return { use: ROTATION, userName: object || 'USER', kmsKey: key };
  const kind = kinds[use as KindId];
  const name = object || ('fallback' in kind.policyOption ? kind.policyOption.fallback : 'NAME');
  return kind.scope(name, { region: region !== '' && regionProblem(region) === undefined ? region : '*', kmsKey: key });
}

export interface Snippet {
  readonly title: string;
  readonly text: string;
}

/** For a role: trust and permissions, in one file where the format has a place for both. */
export function roleSnippets(wanted: Wanted, base: AssumingAccount): readonly Snippet[] {
  const trust = trustPolicy({ ...base, baseAccountId: base.accountId, externalId: wanted.org });
  const permissions = policyFor(targetOf(wanted), { partition: base.partition, accountId: '*' });
  const role = { roleName: DEFAULT_ROLE_NAME, trust };
  if (wanted.format !== 'json')
    return [{ title: 'Role with its permissions', text: formatRole(wanted.format, { ...role, permissions }) }];
  return [
    { title: 'Trust policy', text: formatRole('json', role) },
    {
      title: 'Permissions',
      text: formatPermissions('json', { of: 'role', name: DEFAULT_ROLE_NAME, permissions }),
    },
  ];
}

/** For a user with an access key. */
export function userSnippets(wanted: Wanted, partition: string): readonly Snippet[] {
  const permissions = policyFor(targetOf(wanted), { partition, accountId: '*' });
  return [
    {
      title: 'Permissions',
      text: formatPermissions(wanted.format, { of: 'user', name: DEFAULT_ROLE_NAME, permissions }),
    },
  ];
}
