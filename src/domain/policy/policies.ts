/**
 * The IAM policies that keyferry asks for: printed by `keyferry policy`, quoted as the fix of a
 * failed check, and used as session policies, so that what is printed is what is needed. Pure.
 */
import { contextOf } from '../data-keys.ts';
import { kindOfScope } from '../destinations/registry.ts';
import { accountWideActions, actionsOfTarget, kmsActions } from './actions.ts';
import type { PolicyDocument, PolicyStatement } from './document.ts';
import { isOfRotation, type PolicyTarget } from './target.ts';

export type { PolicyTarget } from './target.ts';

/** Where the objects lie; an account may be `*` where it is not known yet. */
export interface PolicyPlace {
  readonly partition: string;
  readonly accountId: string;
}

/**
 * `least`: what the use cannot do without. `complete`: everything that keyferry can make use of.
 */
export type PolicyVariant = 'least' | 'complete';

const VERSION = '2012-10-17' as const;

export function policyFor(
  target: PolicyTarget,
  place: PolicyPlace,
  variant: PolicyVariant = 'complete',
): PolicyDocument {
  const { required, optional } = actionsOfTarget(target);
  const actions = variant === 'least' ? required : [...required, ...Object.keys(optional)];
  return { Version: VERSION, Statement: [...statementsFor(target, place, actions), ...kmsStatements(target, place)] };
}

function statementsFor(
  target: PolicyTarget,
  place: PolicyPlace,
  actions: readonly string[],
): readonly PolicyStatement[] {
  const narrowed = actions.filter((action) => !accountWideActions.has(action));
  const wide = actions.filter((action) => accountWideActions.has(action));
  const title = isOfRotation(target) ? 'KeyferryAccessKeys' : kindOfScope(target).service.sid;
  return [
    ...(narrowed.length > 0
      ? [{ Sid: title, Effect: 'Allow', Action: narrowed, Resource: resourcesOf(target, place) } as const]
      : []),
    ...(wide.length > 0 ? [{ Sid: `${title}List`, Effect: 'Allow', Action: wide, Resource: '*' } as const] : []),
  ];
}

/** The one statement that a missing action needs: the fix of a failed check. */
export function statementFor(target: PolicyTarget, place: PolicyPlace, action: string): PolicyStatement {
  if (action.startsWith('kms:'))
    return kmsStatements({ ...target, kmsKey: target.kmsKey ?? '*' }, place)[0] as PolicyStatement;
  const Resource = accountWideActions.has(action) ? '*' : resourcesOf(target, place);
  return { Effect: 'Allow', Action: action, Resource };
}

export function resourcesOf(target: PolicyTarget, place: PolicyPlace): readonly string[] {
  const arn = (service: string, region: string, rest: string) =>
    `arn:${place.partition}:${service}:${region}:${place.accountId}:${rest}`;
  // IAM's ARNs hold a user's path, its name does not.
  if (isOfRotation(target))
    return [arn('iam', '', `user/${target.userName}`), arn('iam', '', `user/*/${target.userName}`)];
  const kind = kindOfScope(target);
  return kind.resources(target).map((resource) => arn(kind.service.name, target.region, resource));
}

function kmsStatements(target: PolicyTarget, place: PolicyPlace): readonly PolicyStatement[] {
  if (isOfRotation(target)) return [];
  const { kmsKey, region, replicaKeys = {} } = target;
  const regions = Object.keys(replicaKeys);
  const service = kindOfScope(target).service.name;
  // A key is for the service only, never for keyferry itself; the domain differs by partition.
  const via = (where: string) => `${service}.${where}.*`;
  const statement = (Sid: string, Resource: string | string[], services: string | string[]) =>
    ({
      Sid,
      Effect: 'Allow',
      Action: [...kmsActions],
      Resource,
      Condition: { StringLike: { 'kms:ViaService': services } },
    }) as const;
  const replicaArns = Object.entries(replicaKeys).map(([where, key]) => kmsKeyArn(key, where, place));
  return [
    ...(kmsKey === undefined ? [] : [statement('KeyferryKmsKey', kmsKeyArn(kmsKey, region, place), via(region))]),
    ...(regions.length === 0 ? [] : [statement('KeyferryReplicaKeys', replicaArns, regions.map(via))]),
  ];
}

function kmsKeyArn(kmsKey: string, region: string, place: PolicyPlace): string {
  if (kmsKey.includes(':key/')) return kmsKey;
  // An alias does not show the key's id, and permissions are judged by the key.
  const id = kmsKey.includes('alias/') ? '*' : kmsKey;
  return `arn:${place.partition}:kms:${region}:${place.accountId}:key/${id}`;
}

export interface BaseUserOptions {
  /** Of the roles to assume, as `keyferry*`, with its path where it has one; default: any. */
  readonly roleName?: string | undefined;
  /** Also lets a user read the age of its own access key. */
  readonly canReadOwnKey?: boolean;
  /** ARNs of the keys in KEYFERRY_KMS_KEY_ARN. */
  readonly kmsKeys?: readonly string[];
}

/** What the worker's own identity needs: to assume the roles of its customers, in its partition. */
export function baseUserPolicy(
  partition: string,
  { roleName = '*', canReadOwnKey = false, kmsKeys = [] }: BaseUserOptions = {},
): PolicyDocument {
  const own = ['${aws:username}', '*/${aws:username}'].map((name) => `arn:${partition}:iam::*:user/${name}`);
  return {
    Version: VERSION,
    Statement: [
      {
        Sid: 'KeyferryAssumeRoles',
        Effect: 'Allow',
        Action: 'sts:AssumeRole',
        Resource: `arn:${partition}:iam::*:role/${roleName}`,
      },
      ...(canReadOwnKey
        ? [{ Sid: 'KeyferryOwnKeyAge', Effect: 'Allow', Action: 'iam:ListAccessKeys', Resource: own } as const]
        : []),
      ...(kmsKeys.length > 0 ? dataKeyStatements(kmsKeys) : []),
    ],
  };
}

/** For keyferry's own encryption: with these keys, nothing but its data keys. */
function dataKeyStatements(Resource: readonly string[]): readonly PolicyStatement[] {
  return [
    {
      Sid: 'KeyferryDataKeys',
      Effect: 'Allow',
      Action: ['kms:GenerateDataKey', 'kms:Decrypt'],
      Resource,
      Condition: { StringEquals: { 'kms:EncryptionContext:keyferry': contextOf('').keyferry } },
    },
    { Sid: 'KeyferryDataKeyState', Effect: 'Allow', Action: 'kms:DescribeKey', Resource },
  ];
}

/**
 * The trust policy of a connection's role: the base account may assume it, and only for this org.
 */
export interface Trusted {
  readonly accountId: string;
  readonly externalId: string;
}

export function trustPolicy(trust: {
  readonly partition: string;
  readonly baseAccountId: string;
  readonly externalId: string;
  /**
   * Others that keep using the role, each with its own external ID: while connections move here
   * from another product.
   */
  readonly also?: readonly Trusted[];
}): PolicyDocument {
  const statement = (sid: string, { accountId, externalId }: Trusted) =>
    ({
      Sid: sid,
      Effect: 'Allow',
      Principal: { AWS: `arn:${trust.partition}:iam::${accountId}:root` },
      Action: 'sts:AssumeRole',
      Condition: { StringEquals: { 'sts:ExternalId': externalId } },
    }) as const;
  const own = statement('KeyferryTrust', { accountId: trust.baseAccountId, externalId: trust.externalId });
  const others = (trust.also ?? []).map((one) => statement(`Also${one.accountId}`, one));
  return { Version: VERSION, Statement: [own, ...others] };
}
