/**
 * What a validation says in each situation that AWS can put it in: status, code, failing checks,
 * advice. Each against the strict sandbox, through the real SDK clients.
 */
import { describe, expect, it } from 'vitest';

import type { ConnectionRow } from '../../../src/db/engine/subjects.ts';
import type { ConnectionUse } from '../../../src/domain/connection/uses.ts';
import type { Check } from '../../../src/domain/connection/checks.ts';
import { policyFor, trustPolicy } from '../../../src/domain/policy/policies.ts';
import type { PolicyDocument } from '../../../src/domain/policy/document.ts';
import type { AwsAccessOptions } from '../../../src/aws/access.ts';
import { JobError } from '../../../src/errors.ts';
import type { AwsSandboxOptions, FaultRule } from '../../../src/sandbox/aws/index.ts';
import {
  asSandboxPolicy,
  asSandboxTrust,
  BASE,
  connectionRow,
  createValidator,
  createWorld,
  CUSTOMER,
  keyRow,
  parameters,
  ROLE_ARN,
  place,
  rotation,
  secrets,
  trust,
  useOf,
  type World,
} from './world.ts';

interface Situation {
  readonly name: string;
  readonly sandbox?: AwsSandboxOptions;
  readonly change?: (world: World) => void;
  readonly row?: (world: World) => ConnectionRow;
  readonly uses?: readonly ConnectionUse[];
  /** Default: true. */
  readonly isShared?: boolean;
  readonly access?: (world: World) => Partial<AwsAccessOptions>;
  readonly status: 'valid' | 'degraded' | 'invalid';
  readonly code?: string;
  /** Checks that fail or warn, as `permission ssm:GetParameters`. */
  readonly findings?: readonly string[];
  readonly advice?: RegExp;
}

const without = (document: PolicyDocument, action: string): PolicyDocument => ({
  ...document,
  Statement: document.Statement.map((statement) => ({
    ...statement,
    Action: [statement.Action ?? []].flat().filter((one) => one !== action),
  })).filter((statement) => statement.Action.length > 0),
});
const denying = (action: string): PolicyDocument => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Deny', Action: action, Resource: '*' }],
});
const anyone = (document: PolicyDocument): PolicyDocument => ({
  ...document,
  Statement: document.Statement.map(({ Condition: _gone, ...rest }) => rest),
});
const fault = (world: World, rule: FaultRule) => {
  world.sandbox.faults.add(rule);
};
const random = (overrides: Partial<ConnectionRow> = {}) => connectionRow({ externalIdProbedAt: null, ...overrides });

const exceptionFor = (roleArn: string) => ({
  roleArn,
  reason: 'a role of our own from before',
  allowedBy: 'cli',
  allowedAt: '2026-01-01T00:00:00Z',
});

const situations: readonly Situation[] = [
  { name: 'the right role, unused', status: 'valid' },
  { name: 'the right role, used for parameters', uses: [useOf(parameters)], status: 'valid' },
  { name: 'the right role, used for secrets', uses: [useOf(secrets)], status: 'valid' },
  { name: 'the right role, used for a rotation', uses: [useOf(rotation)], status: 'valid' },
  { name: 'the right key', row: (world) => keyRow(world.userKey), status: 'valid' },
  {
    name: 'a role with a path',
    change: (world) => {
      makeRole(world, { roleName: 'deep', path: '/team/a/' });
    },
    row: () => random({ roleArn: `arn:aws:iam::${CUSTOMER}:role/team/a/deep` }),
    status: 'valid',
  },

  // External ID
  {
    name: 'another external ID in the trust policy',
    change: (world) => {
      world.setTrust(trustPolicy({ ...trust, externalId: 'other' }));
    },
    status: 'invalid',
    code: 'CONNECTION_ACCESS_DENIED',
    findings: ['identity'],
    advice: /trust policy/,
  },
  {
    name: 'no external ID in the trust policy, made by a tenant',
    change: (world) => {
      world.setTrust(anyone(trustPolicy(trust)));
    },
    status: 'invalid',
    code: 'CONNECTION_EXTERNAL_ID_IGNORED',
    findings: ['external-id'],
    advice: /trust policy/,
  },
  {
    name: 'no external ID in the trust policy, made by the operator',
    change: (world) => {
      world.setTrust(anyone(trustPolicy(trust)));
    },
    row: () => random({ createdVia: 'operator' }),
    status: 'invalid',
    code: 'CONNECTION_EXTERNAL_ID_IGNORED',
    findings: ['external-id'],
    advice: /trust policy/,
  },
  {
    name: 'no external ID in the trust policy, made by an application that serves tenants',
    change: (world) => {
      world.setTrust(anyone(trustPolicy(trust)));
    },
    row: () => random({ createdVia: 'library' }),
    isShared: false,
    status: 'invalid',
    code: 'CONNECTION_EXTERNAL_ID_IGNORED',
    findings: ['external-id'],
  },
  {
    name: 'no external ID in the trust policy, made by the operator of one org without tenants',
    change: (world) => {
      world.setTrust(anyone(trustPolicy(trust)));
    },
    row: () => random({ createdVia: 'operator' }),
    isShared: false,
    status: 'valid',
    findings: ['external-id'],
    advice: /trust policy/,
  },
  {
    name: 'no external ID in the trust policy, with an operator’s exception for this role',
    change: (world) => {
      world.setTrust(anyone(trustPolicy(trust)));
    },
    row: () => random({ externalIdException: exceptionFor(ROLE_ARN) }),
    status: 'valid',
    findings: ['external-id'],
    advice: /trust policy/,
  },
  {
    name: 'no external ID in the trust policy, with an exception for the role that it had before',
    change: (world) => {
      world.setTrust(anyone(trustPolicy(trust)));
    },
    row: () => random({ externalIdException: exceptionFor(`${ROLE_ARN}-before`), createdVia: 'operator' }),
    status: 'invalid',
    code: 'CONNECTION_EXTERNAL_ID_IGNORED',
    findings: ['external-id'],
  },
  {
    name: 'a trust policy that takes any external ID',
    change: (world) => {
      world.setTrust(takingAnyExternalId());
    },
    status: 'invalid',
    code: 'CONNECTION_EXTERNAL_ID_IGNORED',
    findings: ['external-id'],
  },
  {
    name: 'an external ID that the operator chose',
    change: (world) => {
      world.setTrust(trustPolicy({ ...trust, externalId: 'legacy-id' }));
    },
    row: () => random({ externalId: 'legacy-id' }),
    status: 'valid',
  },

  // Trust and base identity
  {
    name: 'a role that does not exist',
    change: (world) => {
      world.sandbox.deleteRole({ accountId: CUSTOMER, roleName: 'app' });
    },
    status: 'invalid',
    code: 'CONNECTION_ACCESS_DENIED',
    findings: ['identity'],
  },
  {
    name: 'a trust policy for another account',
    change: (world) => {
      world.setTrust(trustPolicy({ ...trust, baseAccountId: '123412341234' }));
    },
    status: 'invalid',
    code: 'CONNECTION_ACCESS_DENIED',
    findings: ['identity'],
    advice: /base-user/,
  },
  {
    name: 'a base identity without sts:AssumeRole',
    change: (world) => {
      setBasePolicy(world, []);
    },
    status: 'invalid',
    code: 'CONNECTION_ACCESS_DENIED',
    findings: ['identity'],
    advice: /base-user/,
  },
  {
    name: 'a base identity that is denied this role',
    change: (world) => {
      setBasePolicy(world, [denying('sts:AssumeRole')]);
    },
    status: 'invalid',
    code: 'CONNECTION_ACCESS_DENIED',
    findings: ['identity'],
  },
  {
    name: 'a role in another partition',
    row: () => random({ roleArn: `arn:aws-cn:iam::${CUSTOMER}:role/app`, region: 'cn-north-1' }),
    status: 'invalid',
    code: 'CONNECTION_ROLE_REFUSED',
    findings: ['identity'],
  },
  {
    name: 'a role of the base account',
    change: (world) => {
      makeRole(world, { roleName: 'own', accountId: BASE });
    },
    row: () => random({ roleArn: `arn:aws:iam::${BASE}:role/own`, accountId: null }),
    status: 'invalid',
    code: 'CONNECTION_ROLE_REFUSED',
    findings: ['identity'],
    advice: /KEYFERRY_OWN_ACCOUNT_ROLES/,
  },
  {
    name: 'a listed role of the base account',
    change: (world) => {
      makeRole(world, { roleName: 'own', accountId: BASE });
    },
    row: () => random({ roleArn: `arn:aws:iam::${BASE}:role/own`, accountId: null }),
    access: () => ({ ownAccountRoles: [`arn:aws:iam::${BASE}:role/own`] }),
    status: 'valid',
  },
  {
    name: 'something that is no role ARN',
    row: () => random({ roleArn: 'arn:aws:iam::111122223333:user/app' }),
    status: 'invalid',
    code: 'CONNECTION_ROLE_REFUSED',
    findings: ['identity'],
  },
  {
    name: 'a base role in between',
    change: makeBaseRole,
    access: () => ({ baseRoleArn: `arn:aws:iam::${BASE}:role/hub` }),
    status: 'valid',
  },
  {
    name: 'credentials that now lead to another account',
    row: () => random({ accountId: '444455556666' }),
    status: 'invalid',
    code: 'CONNECTION_ACCOUNT_CHANGED',
    findings: ['account'],
    advice: /new connection/,
  },

  // Keys
  {
    name: 'an inactive key',
    change: (world) => {
      world.sandbox.setAccessKeyStatus({ accessKeyId: world.userKey.accessKeyId, status: 'Inactive' });
    },
    row: (world) => keyRow(world.userKey),
    status: 'invalid',
    code: 'CONNECTION_KEY_UNKNOWN',
    findings: ['identity'],
    advice: /Activate/,
  },
  {
    name: 'a deleted key',
    change: (world) => {
      world.sandbox.deleteAccessKey({ accessKeyId: world.userKey.accessKeyId });
    },
    row: (world) => keyRow(world.userKey),
    status: 'invalid',
    code: 'CONNECTION_KEY_UNKNOWN',
    findings: ['identity'],
  },
  {
    name: 'a deleted user',
    change: (world) => {
      world.sandbox.deleteUser({ accountId: CUSTOMER, userName: 'deployer' });
    },
    row: (world) => keyRow(world.userKey),
    status: 'invalid',
    code: 'CONNECTION_KEY_UNKNOWN',
    findings: ['identity'],
  },
  {
    name: 'a key that never was',
    row: () => keyRow({ accessKeyId: 'AKIAEXAMPLE000000001', secretAccessKey: 'not-a-secret' }),
    status: 'invalid',
    code: 'CONNECTION_KEY_UNKNOWN',
    findings: ['identity'],
  },
  {
    name: 'a wrong secret',
    row: (world) => keyRow({ ...world.userKey, secretAccessKey: 'not-the-secret' }),
    status: 'invalid',
    code: 'CONNECTION_SECRET_WRONG',
    findings: ['identity'],
    advice: /secret access key/,
  },
  {
    name: 'a temporary key',
    row: () => keyRow({ accessKeyId: 'ASIAEXAMPLE000000001', secretAccessKey: 'not-a-secret' }),
    status: 'invalid',
    code: 'CONNECTION_KEY_REFUSED',
    findings: ['identity'],
    advice: /AKIA/,
  },
  {
    name: 'a root user’s key',
    row: (world) => keyRow(world.sandbox.createRootAccessKey({ accountId: CUSTOMER })),
    status: 'invalid',
    code: 'CONNECTION_KEY_REFUSED',
    findings: ['identity'],
    advice: /root/,
  },
  {
    name: 'a key of another partition',
    change: (world) => {
      world.sandbox.createAccount('222233334444', { partition: 'aws-cn' });
      world.sandbox.createUser({ accountId: '222233334444', userName: 'cn' });
    },
    row: (world) =>
      keyRow(world.sandbox.createAccessKey({ accountId: '222233334444', userName: 'cn' }), {
        region: 'cn-north-1',
        accountId: null,
      }),
    status: 'valid',
  },

  // Regions
  {
    name: 'a region that does not exist',
    row: () => random({ region: 'nowhere-1' }),
    status: 'invalid',
    code: 'CONNECTION_REGION_DISABLED',
    findings: ['identity'],
    advice: /region/,
  },
  {
    name: 'a region that the account has not enabled',
    change: (world) => {
      world.setPolicy(policyFor({ ...parameters, region: 'af-south-1' } as typeof parameters, place));
    },
    uses: [useOf({ ...parameters, region: 'af-south-1' } as typeof parameters)],
    status: 'degraded',
    code: 'CONNECTION_REGION_DISABLED',
    findings: ['region af-south-1'],
    advice: /Enable af-south-1/,
  },

  {
    name: 'a misspelt region of one of its uses, as a role',
    row: () => connectionRow({ region: null }),
    uses: [useOf({ ...parameters, region: 'eu-wst-1' } as typeof parameters), useOf(secrets)],
    status: 'degraded',
    code: 'CONNECTION_REGION_DISABLED',
    findings: ['region eu-wst-1'],
  },
  {
    name: 'a misspelt region of one of its uses, as a user',
    change: (world) => {
      world.setUserPolicy(policyFor(secrets, place));
    },
    row: (world) => keyRow(world.userKey, { region: null }),
    uses: [useOf({ ...parameters, region: 'nowhere-1' } as typeof parameters), useOf(secrets)],
    status: 'degraded',
    code: 'CONNECTION_REGION_DISABLED',
    findings: ['region nowhere-1'],
  },
  {
    name: 'a use in another partition than its user’s',
    change: (world) => {
      world.setUserPolicy(policyFor(secrets, place));
    },
    row: (world) => keyRow(world.userKey, { region: null }),
    uses: [useOf({ ...parameters, region: 'cn-north-1' } as typeof parameters), useOf(secrets)],
    status: 'degraded',
    code: 'CONNECTION_REGION_DISABLED',
    findings: ['region cn-north-1'],
  },

  // Permissions: one missing at a time is below; here the kinds of refusal
  {
    name: 'an explicit deny',
    change: (world) => {
      world.setPolicy(policyFor(parameters, place), denying('ssm:GetParameters'));
    },
    uses: [useOf(parameters)],
    status: 'degraded',
    code: 'AWS_ACCESS_DENIED',
    findings: ['permission ssm:GetParameters'],
    advice: /remove that Deny/,
  },
  {
    name: 'a policy for another path',
    change: (world) => {
      world.setPolicy(policyFor({ ...parameters, path: '/other/' } as typeof parameters, place, 'least'));
    },
    uses: [useOf(parameters)],
    status: 'degraded',
    code: 'AWS_ACCESS_DENIED',
    advice: /Add this statement/,
  },
  {
    name: 'no policy at all',
    change: (world) => {
      world.setPolicy();
    },
    uses: [useOf(secrets)],
    status: 'degraded',
    code: 'AWS_ACCESS_DENIED',
  },
  {
    name: 'no policy at all, unused',
    change: (world) => {
      world.setPolicy();
    },
    status: 'valid',
  },
  {
    name: 'the documented policies of the field, verbatim',
    change: (world) => {
      world.setPolicy(...fieldPolicies());
    },
    uses: [useOf(parameters), useOf(secrets), useOf(rotation)],
    status: 'valid',
    findings: [
      'permission secretsmanager:RestoreSecret',
      'permission secretsmanager:ReplicateSecretToRegions',
      'permission secretsmanager:RemoveRegionsFromReplication',
      'permission iam:GetAccessKeyLastUsed',
      'permission iam:GetUser',
    ],
  },
  {
    name: 'a rotation of a user that does not exist',
    change: (world) => {
      world.setPolicy(policyFor({ use: 'access-key-rotation', userName: 'ghost' }, place));
    },
    uses: [useOf({ use: 'access-key-rotation', userName: 'ghost' })],
    status: 'degraded',
    code: 'AWS_NOT_FOUND',
    advice: /Create the user/,
  },
  {
    name: 'a write that was denied in the last run',
    uses: [
      useOf(parameters, {
        status: 'blocked',
        statusCode: 'AWS_ACCESS_DENIED',
        statusMessage: 'AWS denied ssm:PutParameter on arn:aws:ssm:x.',
      }),
    ],
    status: 'degraded',
    code: 'AWS_ACCESS_DENIED',
    findings: ['permission ssm:PutParameter'],
    advice: /Add this statement/,
  },
  {
    name: 'a KMS key that the last run could not use',
    uses: [useOf({ ...parameters, kmsKey: 'alias/app' }, { status: 'blocked', statusCode: 'AWS_KMS_DENIED' })],
    status: 'degraded',
    code: 'AWS_KMS_DENIED',
    findings: ['kms-key alias/app'],
    advice: /key’s policy/,
  },
  {
    name: 'a KMS key that works',
    uses: [useOf({ ...parameters, kmsKey: 'alias/app' }, { status: 'succeeded', lastSucceededAt: new Date() })],
    status: 'valid',
  },
];

function takingAnyExternalId(): PolicyDocument {
  const [statement] = trustPolicy(trust).Statement;
  return {
    Version: '2012-10-17',
    Statement: [
      { ...(statement as NonNullable<typeof statement>), Condition: { StringLike: { 'sts:ExternalId': '*' } } },
    ],
  };
}

interface RoleWish {
  readonly roleName: string;
  readonly path?: string;
  readonly accountId?: string;
}

function makeRole(world: World, role: RoleWish): void {
  world.sandbox.createRole({ accountId: CUSTOMER, ...role, trustPolicy: asSandboxTrust(trustPolicy(trust)) });
}

function makeBaseRole(world: World): void {
  const assume: PolicyDocument = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }],
  };
  const [statement] = anyone(trustPolicy(trust)).Statement;
  world.sandbox.createRole({
    accountId: BASE,
    roleName: 'hub',
    trustPolicy: asSandboxTrust({ Version: '2012-10-17', Statement: [statement as NonNullable<typeof statement>] }),
    policy: asSandboxPolicy(assume),
  });
}

function setBasePolicy(world: World, documents: readonly PolicyDocument[]): void {
  world.sandbox.setUserPolicy({ accountId: BASE, userName: 'keyferry', policy: asSandboxPolicy(...documents) });
}

/** FIELD.md 2: what the upstream product's documentation tells its users to attach. */
function fieldPolicies(): readonly PolicyDocument[] {
  const everything = (actions: string) =>
    ({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions.split(' '), Resource: '*' }] }) as const;
  const ssm =
    'PutParameter GetParameters GetParametersByPath DescribeParameters DeleteParameters ListTagsForResource AddTagsToResource RemoveTagsFromResource';
  const sm =
    'ListSecrets GetSecretValue BatchGetSecretValue CreateSecret UpdateSecret DeleteSecret DescribeSecret TagResource UntagResource';
  const iam = 'ListAccessKeys CreateAccessKey UpdateAccessKey DeleteAccessKey ListUsers';
  const named = (service: string, names: string) =>
    names
      .split(' ')
      .map((name) => `${service}:${name}`)
      .join(' ');
  return [everything(named('ssm', ssm)), everything(named('secretsmanager', sm)), everything(named('iam', iam))];
}

const byTarget = [
  ['parameter-store', parameters],
  ['secrets-manager', secrets],
  ['access-key-rotation', rotation],
] as const;

describe('a validation', () => {
  it.each(situations.map((situation) => [situation.name, situation] as const))(
    'judges %s',
    async (_name, situation) => {
      const world = createWorld(situation.sandbox);
      situation.change?.(world);
      const validate = createValidator(world, situation.access?.(world));
      const { changes, outcome } = await validate({
        row: situation.row?.(world) ?? random(),
        uses: situation.uses ?? [],
        ...(situation.isShared === undefined ? {} : { isShared: situation.isShared }),
      });
      const bad = (changes.checks ?? []).filter((check) => check.verdict === 'fail' || check.verdict === 'warn');
      expect({ status: changes.status, code: changes.statusCode }).toEqual({
        status: situation.status,
        code: situation.code ?? null,
      });
      if (situation.findings || situation.status === 'valid') expect(bad.map(nameOf)).toEqual(situation.findings ?? []);
      for (const check of bad) expect(check.fix?.advice, check.name).toBeTruthy();
      if (situation.advice) expect(bad.map((check) => check.fix?.advice).join('\n')).toMatch(situation.advice);
      expect(outcome.status).toBe({ valid: 'succeeded', degraded: 'partial', invalid: 'failed' }[situation.status]);
    },
  );

  const troubles: readonly (readonly [string, Partial<FaultRule>, string])[] = [
    ['a connection that breaks', { action: 'drop-before' }, 'AWS_UNREACHABLE'],
    ['a proxy’s error page', { action: 'html' }, 'AWS_UNAVAILABLE'],
    ['an internal error', { action: { error: { code: 'InternalFailure', status: 500 } } }, 'AWS_UNAVAILABLE'],
    ['throttling', { action: 'throttle' }, 'AWS_THROTTLED'],
  ];

  it.each(troubles)('proves nothing against the connection when STS has %s', async (_name, rule, code) => {
    const world = createWorld();
    fault(world, { service: 'sts', operation: 'AssumeRole', ...rule } as FaultRule);
    const validate = createValidator(world);
    const error: unknown = await validate().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(JobError);
    expect((error as JobError).code).toBe(code);
    expect((error as JobError).disposition).not.toBe('fail');
  });

  it.each([
    [
      'its key is gone',
      (world: World) => {
        world.sandbox.deleteAccessKey({ accessKeyId: world.baseKey.accessKeyId });
      },
    ],
    [
      'its key is inactive',
      (world: World) => {
        world.sandbox.setAccessKeyStatus({ accessKeyId: world.baseKey.accessKeyId, status: 'Inactive' });
      },
    ],
  ])('blames the base identity when %s', async (_name, change) => {
    const world = createWorld();
    change(world);
    const error: unknown = await createValidator(world)().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CONNECTION_BASE_REFUSED', disposition: 'snooze' });
  });

  it('gets over a wrong clock by itself', async () => {
    const world = createWorld();
    world.sandbox.setServerSkew(20 * 60_000);
    const { changes } = await createValidator(world)({ uses: [useOf(parameters)] });
    expect(changes.status).toBe('valid');
  });

  it.each(byTarget)('passes with the printed policy for %s, also as a user', async (_name, target) => {
    for (const variant of ['least', 'complete'] as const) {
      const world = createWorld();
      const policy = policyFor(target, place, variant);
      world.setPolicy(policy);
      world.setUserPolicy(policy);
      for (const row of [random(), keyRow(world.userKey)]) {
        const { changes } = await createValidator(world)({ row, uses: [useOf(target)] });
        expect(changes.status).toBe('valid');
        if (variant === 'complete')
          expect(
            (changes.checks ?? []).filter((check) => check.verdict === 'fail' || check.verdict === 'warn'),
          ).toEqual([]);
      }
    }
  });

  it.each(byTarget)('finds exactly the one action that a policy for %s lacks', async (_name, target) => {
    const complete = policyFor(target, place);
    for (const action of complete.Statement.flatMap((statement) => [statement.Action ?? []].flat())) {
      const world = createWorld();
      world.setPolicy(without(complete, action));
      const { changes } = await createValidator(world)({ uses: [useOf(target)] });
      const checks = changes.checks ?? [];
      const bad = checks
        .filter((check) => check.verdict === 'fail' || check.verdict === 'warn')
        .map((check) => check.subject);
      const unknown = checks.filter((check) => check.verdict === 'unknown').map((check) => check.subject);
      if (unknown.includes(action)) expect(bad, action).toEqual([]);
      else if (action === 'iam:ListAccessKeys') expect(bad).toEqual([action]);
      else expect(bad, action).toEqual([action]);
    }
  });

  it('gives a fix that is enough: the statement added, the check passes', async () => {
    const world = createWorld();
    world.setPolicy(without(policyFor(parameters, place), 'ssm:DeleteParameters'));
    const before = await createValidator(world)({ uses: [useOf(parameters)] });
    const fix = before.changes.checks?.find((check) => check.subject === 'ssm:DeleteParameters')?.fix
      ?.policy as PolicyDocument;
    world.setPolicy(without(policyFor(parameters, place), 'ssm:DeleteParameters'), fix);
    const after = await createValidator(world)({ uses: [useOf(parameters)] });
    expect(after.changes.status).toBe('valid');
  });

  it('shows each check as it is made, and in the end all of them', async () => {
    const world = createWorld();
    world.setPolicy(policyFor(parameters, place));
    const shown: (readonly Check[])[] = [];
    const noteResult = (result: unknown) => void shown.push((result as { checks: readonly Check[] }).checks);
    const { changes } = await createValidator(world)({ uses: [useOf(parameters)], noteResult });
    const names = (checks: readonly Check[]) => checks.map(({ name, subject = '' }) => `${name} ${subject}`);
    expect(names(shown[0] ?? [])).toEqual(['identity ', 'account ']);
    const permissions = shown.map((checks) => checks.filter(({ name }) => name === 'permission').length);
    // One after the other; those that cannot be tried come together.
    expect(new Set(permissions)).toEqual(new Set([...new Set(permissions).keys()].sort((a, b) => a - b)));
    expect(permissions).toEqual(expect.arrayContaining([0, 1, 2, 3, 4, 5]));
    expect(names(shown.at(-1) ?? []).sort()).toEqual(names(changes.checks ?? []).sort());
  });

  it('never shows a credential', async () => {
    const world = createWorld();
    const { changes, outcome } = await createValidator(world)({
      row: keyRow({ ...world.userKey, secretAccessKey: 'wrong-canary-value' }),
    });
    expect(JSON.stringify({ changes, outcome })).not.toContain('wrong-canary-value');
  });
});

function nameOf(check: { readonly name: string; readonly subject?: string }): string {
  return check.subject === undefined ? check.name : `${check.name} ${check.subject}`;
}
