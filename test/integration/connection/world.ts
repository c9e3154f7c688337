/**
 * A customer's account and the base identity in the sandbox, and a connection row as the database
 * would give it.
 */
import { createAwsAccess, type AwsAccessOptions } from '../../../src/aws/access.ts';
import { createProbes } from '../../../src/aws/probes.ts';
import type { ConnectionRow } from '../../../src/db/engine/subjects.ts';
import { createCallLog } from '../../../src/domain/call-log.ts';
import type { ConnectionUse } from '../../../src/domain/connection/uses.ts';
import { baseUserPolicy, policyFor, type PolicyTarget, trustPolicy } from '../../../src/domain/policy/policies.ts';
import type { PolicyDocument } from '../../../src/domain/policy/document.ts';
import type { Reason } from '../../../src/domain/run.ts';
import { createLog } from '../../../src/observe/log.ts';
import {
  type AwsSandbox,
  type AwsSandboxOptions,
  createAwsSandbox,
  createSandboxRequestHandler,
} from '../../../src/sandbox/aws/index.ts';
import type { Run } from '../../../src/workers/engine/processor.ts';
import { createValidateProcessor } from '../../../src/workers/validate/processor.ts';

export const BASE = '999988887777';
export const CUSTOMER = '111122223333';
export const ORG = 'acme';
export const REGION = 'eu-west-1';
export const ROLE_ARN = `arn:aws:iam::${CUSTOMER}:role/app`;
export const place = { partition: 'aws', accountId: CUSTOMER } as const;
export const trust = { partition: 'aws', baseAccountId: BASE, externalId: ORG } as const;

export const parameters: PolicyTarget = { use: 'parameter-store', region: REGION, path: '/app/prod/' };
export const secrets: PolicyTarget = { use: 'secrets-manager', region: REGION, prefix: 'app/prod/' };
export const rotation: PolicyTarget = { use: 'access-key-rotation', userName: 'deployer' };

type Documents = Parameters<AwsSandbox['setRolePolicy']>[0]['policy'];
/** Our documents and the sandbox's are the same JSON. */
export const asSandboxPolicy = (...documents: readonly PolicyDocument[]) => documents as unknown as Documents;
export const asSandboxTrust = (document: PolicyDocument) =>
  document as unknown as Parameters<AwsSandbox['setRoleTrust']>[0]['trustPolicy'];

export interface World {
  readonly sandbox: AwsSandbox;
  /** The customer's IAM user `deployer`, with a key. */
  readonly userKey: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly baseKey: { readonly accessKeyId: string; readonly secretAccessKey: string };
  setPolicy(...documents: readonly PolicyDocument[]): void;
  setUserPolicy(...documents: readonly PolicyDocument[]): void;
  setTrust(document: PolicyDocument): void;
}

export function createWorld(options: AwsSandboxOptions = {}): World {
  const sandbox = createAwsSandbox(options);
  sandbox.createAccount(BASE);
  sandbox.createAccount(CUSTOMER);
  sandbox.createUser({ accountId: BASE, userName: 'keyferry', policy: asSandboxPolicy(baseUserPolicy('aws')) });
  const baseKey = sandbox.createAccessKey({ accountId: BASE, userName: 'keyferry' });
  sandbox.createRole({
    accountId: CUSTOMER,
    roleName: 'app',
    trustPolicy: asSandboxTrust(trustPolicy(trust)),
    policy: asSandboxPolicy(...[parameters, secrets, rotation].map((target) => policyFor(target, place))),
  });
  sandbox.createUser({ accountId: CUSTOMER, userName: 'deployer' });
  const userKey = sandbox.createAccessKey({ accountId: CUSTOMER, userName: 'deployer' });
  return {
    sandbox,
    userKey,
    baseKey,
    setPolicy: (...documents) => {
      sandbox.setRolePolicy({ accountId: CUSTOMER, roleName: 'app', policy: asSandboxPolicy(...documents) });
    },
    setUserPolicy: (...documents) => {
      sandbox.setUserPolicy({ accountId: CUSTOMER, userName: 'deployer', policy: asSandboxPolicy(...documents) });
    },
    setTrust: (document) => {
      sandbox.setRoleTrust({ accountId: CUSTOMER, roleName: 'app', trustPolicy: asSandboxTrust(document) });
    },
  };
}

const CREATED = new Date('2026-01-01T00:00:00Z');

/** A connection that was validated before, an hour ago. */
export function connectionRow(overrides: Partial<ConnectionRow> = {}): ConnectionRow {
  return {
    statusSince: CREATED,
    datedStatus: null,
    id: '11111111-1111-4111-8111-111111111111',
    orgId: ORG,
    name: 'prod',
    method: 'assume-role',
    roleArn: ROLE_ARN,
    externalId: ORG,
    accessKeyId: null,
    secretAccessKey: null,
    credentialsRevision: 1,
    candidate: null,
    candidateSecret: null,
    externalIdException: null,
    narrowAccessKey: false,
    region: REGION,
    createdVia: 'api',
    status: 'valid',
    statusCode: null,
    statusMessage: null,
    accountId: CUSTOMER,
    principalArn: null,
    checks: [],
    lastValidatedAt: CREATED,
    nextValidationAt: null,
    externalIdProbedAt: null,
    consecutiveFailures: 0,
    createdAt: CREATED,
    updatedAt: CREATED,
    description: null,
    projectId: null,
    version: 1,
    nextDueAt: null,
    wantedRevision: 1,
    doneRevision: 0,
    attempt: 1,
    dueReason: 'requested',
    dueRequestedBy: null,
    dueTraceparent: null,
    claimedDueAt: null,
    claims: 1,
    dispatchLeaseUntil: null,
    runLeaseUntil: null,
    runToken: null,
    isInFlight: true,
    isTroubled: false,
    ...overrides,
  };
}

export function keyRow(
  key: { readonly accessKeyId: string; readonly secretAccessKey: string },
  overrides: Partial<ConnectionRow> = {},
): ConnectionRow {
  return connectionRow({ method: 'access-key', roleArn: null, externalId: null, ...key, ...overrides });
}

export function useOf(target: PolicyTarget, overrides: Partial<ConnectionUse> = {}): ConnectionUse {
  const kind = target.use === 'access-key-rotation' ? 'rotation' : 'sync';
  return {
    kind,
    id: 'use',
    name: 'use',
    target,
    status: 'pending',
    statusCode: null,
    statusMessage: null,
    lastSucceededAt: null,
    ...overrides,
  };
}

export interface Validation {
  /** More than one tenant uses the base identity. */
  readonly isShared?: boolean;
  readonly row?: ConnectionRow;
  readonly uses?: readonly ConnectionUse[];
  readonly reason?: Reason;
  readonly access?: Partial<AwsAccessOptions>;
  readonly now?: Date;
  readonly id?: string;
  readonly noteResult?: Run<'validate'>['noteResult'];
}

/** Runs the processor once. What it throws is returned, too. */
export function createValidator(world: World, access: Partial<AwsAccessOptions> = {}) {
  const aws = createAwsAccess({
    baseCredentials: world.baseKey,
    region: REGION,
    requestHandler: createSandboxRequestHandler(world.sandbox),
    nowMs: () => world.sandbox.clock.now().getTime(),
    ...access,
  });
  return async ({
    row = connectionRow(),
    uses = [],
    reason = 'requested',
    now = world.sandbox.clock.now(),
    id = 'run-1',
    noteResult,
    isShared = true,
  }: Validation = {}) => {
    const releases: unknown[] = [];
    const processor = createValidateProcessor({
      aws,
      probes: createProbes(),
      connections: {
        credentialsOf: (row) => Promise.resolve(toCredentials(row)),
        candidateOf: () => Promise.resolve(undefined),
      },
      status: {
        newestRevisionOf: () => Promise.resolve(0),
        usesOf: () => Promise.resolve(uses),
        release: (release) => Promise.resolve(releases.push(release)),
        acceptCandidate: () => Promise.resolve(true),
        refuseCandidate: () => Promise.resolve(true),
      },
      isShared: () => Promise.resolve(isShared),
      isForeignExternalId: () => Promise.resolve(false),
      revalidateEveryMs: 3_600_000,
    });
    const run = createRun(row, { reason, now, id, ...(noteResult && { noteResult }) });
    const performed = await processor.perform(run);
    return { ...performed, calls: run.scope.calls.counts, releases, processor, run };
  };
}

function toCredentials(row: ConnectionRow) {
  const base = { connectionId: row.id, orgId: row.orgId, credentialsRevision: row.credentialsRevision };
  if (row.method === 'assume-role')
    return { ...base, method: 'assume-role', roleArn: row.roleArn ?? '', externalId: row.externalId ?? '' } as const;
  return {
    ...base,
    method: 'access-key',
    accessKeyId: row.accessKeyId ?? '',
    secretAccessKey: row.secretAccessKey ?? '',
  } as const;
}

function createRun(
  row: ConnectionRow,
  options: Pick<Validation, 'noteResult'> & { readonly reason: Reason; readonly now: Date; readonly id: string },
): Run<'validate'> {
  return {
    id: options.id,
    kind: 'validate',
    requestKind: undefined,
    isDirect: false,
    unchangedEntries: undefined,
    subject: row,
    statusBefore: row.status,
    attempt: 1,
    reason: options.reason,
    parameters: {},
    scope: {
      signal: new AbortController().signal,
      calls: createCallLog(),
      beforeMutation: () => Promise.resolve(),
      subjectId: row.id,
    },
    log: createLog({ level: 'silent' }),
    now: () => options.now,
    random: () => 0.5,
    isCancelled: () => false,
    isAwaited: () => false,
    noteProgress: () => undefined,
    noteResult: options.noteResult ?? (() => undefined),
  };
}
