/** IAM user rotations on the wire: Infisical’s fields, and keyferry's own beside them. */
import { descriptionShape, nameShape, placeShape, regionShape } from '../../client/input.ts';
import type { RotationStatus } from '../../db/status/queries.ts';
import type { Caller } from '../../domain/caller.ts';
import { JobError } from '../../errors.ts';
import { environmentShape, projectShape, requireSame, sentId, toEnvironment, toProject } from './infisical.ts';
import { moment, toMoment, z } from './operation.ts';
import { inOperations } from './wording.ts';

const { projectId, environment, secretPath } = placeShape.shape;
const timeOfDay = z.strictObject({ hours: z.number().int().min(0).max(23), minutes: z.number().int().min(0).max(59) });
const parameters = z.strictObject({
  userName: z.string().min(1).max(64),
  region: regionShape.optional().describe('Given back and not used: IAM is global'),
});
const secretsMapping = z.strictObject({
  accessKeyId: z.string().min(1).max(255),
  secretAccessKey: z.string().min(1).max(255),
});
const seconds = z.number().int().min(0);
const waiting = {
  graceSeconds: seconds.optional().describe('How long the old key stays active at least'),
  quietSeconds: seconds.optional().describe('How long the old key must show no use'),
  holdSeconds: seconds.optional().describe('How long the old key stays inactive before it is deleted'),
};

const adoptKey = z.strictObject({ accessKeyId: z.string(), secretAccessKey: z.string() }).optional();
const onExisting = z
  .enum(['fail', 'adopt'])
  .optional()
  .describe('adopt: take over a key that a deleted rotation of another folder left; default: of the identity');

const provider = z.string().optional().describe('Sent by Infisical’s Terraform provider; must be the kind of the path');

export const createRotationBody = z
  .strictObject({
    Provider: provider,
    name: nameShape,
    description: descriptionShape.optional(),
    projectId,
    connectionId: z.uuid(),
    environment,
    secretPath,
    isAutoRotationEnabled: z.boolean().default(true),
    rotationInterval: z.number().int().min(1).max(3650).describe('Days'),
    rotateAtUtc: timeOfDay.optional(),
    parameters,
    secretsMapping,
    ...waiting,
    onExisting,
    adoptKey: adoptKey.describe('The key that consumers hold today'),
  })
  .openapi('CreateIamUserRotation');

export const updateRotationBody = z
  .strictObject({
    Provider: provider,
    ID: sentId,
    name: nameShape.optional(),
    description: descriptionShape.optional(),
    isAutoRotationEnabled: z.boolean().optional(),
    rotationInterval: z.number().int().min(1).max(3650).optional().describe('Days'),
    rotateAtUtc: timeOfDay.optional(),
    connectionId: z.uuid().optional().describe('Another connection to the same account'),
    parameters: parameters.optional().describe('userName cannot change'),
    environment: environment.optional().describe('Cannot change'),
    secretPath: secretPath.optional().describe('Cannot change'),
    secretsMapping: secretsMapping.optional().describe('Cannot change'),
    ...waiting,
    onExisting,
    adoptKey: adoptKey.describe('Before the first rotation, or after a restore: the key in use. Send it alone'),
  })
  .openapi('UpdateIamUserRotation');

export const secretRotationShape = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string().nullable(),
    type: z.literal('aws-iam-user-secret'),
    parameters: z.object({ userName: z.string(), region: z.string() }),
    secretsMapping: z.object({ accessKeyId: z.string(), secretAccessKey: z.string() }),
    isAutoRotationEnabled: z.boolean(),
    isPaused: z.boolean(),
    folderId: z.uuid(),
    connectionId: z.uuid(),
    projectId: z.string(),
    rotationInterval: z.number().int(),
    rotateAtUtc: timeOfDay,
    onExisting: z.enum(['fail', 'adopt']),
    phase: z.string(),
    rotationStatus: z.enum(['success', 'failed']).nullable().describe('Infisical’s word for the last rotation'),
    status: z.enum(['pending', 'running', 'succeeded', 'failed', 'blocked']).describe('keyferry’s word'),
    statusCode: z.string().nullable(),
    lastRotationMessage: z.string().nullable(),
    activeAccessKeyId: z.string().nullable(),
    activeIndex: z.number().int().min(0).max(1).describe('Changes with every published key'),
    lastRotatedAt: moment,
    lastRotationAttemptedAt: moment,
    lastRotationJobId: z.uuid().nullable().describe('The last run'),
    isLastRotationManual: z.boolean(),
    nextRotationAt: moment,
    nextDueAt: moment,
    version: z.number().int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    connection: z.object({ app: z.literal('aws'), name: z.string(), id: z.uuid() }),
    environment: environmentShape,
    project: projectShape,
    folder: z.object({ id: z.uuid(), path: z.string() }),
  })
  .openapi('IamUserRotation');

const infisicalStatuses = {
  pending: null,
  running: null,
  succeeded: 'success',
  failed: 'failed',
  blocked: 'failed',
} as const satisfies Record<RotationStatus['rotationStatus'], string | null>;

/** Clients demand a region. A rotation that was made without one answers with IAM’s own. */
const DEFAULT_REGION = 'us-east-1';

/** Refuses what Infisical’s clients send with each change and what cannot change here. */
export function requireSamePlace(sent: z.infer<typeof updateRotationBody>, row: RotationStatus): void {
  requireSame('parameters.userName', sent.parameters?.userName, row.userName);
  requireSame('environment', sent.environment, row.folder.environment);
  requireSame('secretPath', sent.secretPath, row.folder.secretPath);
  requireSame('secretsMapping.accessKeyId', sent.secretsMapping?.accessKeyId, row.secretsMapping.accessKeyId);
  const { secretAccessKey } = row.secretsMapping;
  requireSame('secretsMapping.secretAccessKey', sent.secretsMapping?.secretAccessKey, secretAccessKey);
}

/**
 * What the request or its identity says. The left key may be another project's, so an identity that
 * is limited to projects does not take it over.
 */
export function toOnExisting({ projects, onExisting }: Caller, sent: 'fail' | 'adopt' | undefined): 'fail' | 'adopt' {
  if (projects === null) return sent ?? onExisting;
  if (sent !== 'adopt') return 'fail';
  throw new JobError('PAYLOAD_INVALID', {
    message:
      'onExisting: this identity is limited to projects and cannot take over keys of others. Leave it out, or use an identity of the whole org.',
  });
}

export function toSecretRotation(row: RotationStatus): z.infer<typeof secretRotationShape> {
  const { folder } = row;
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    type: 'aws-iam-user-secret',
    parameters: { userName: row.userName, region: row.region ?? DEFAULT_REGION },
    secretsMapping: row.secretsMapping,
    isAutoRotationEnabled: row.isAutoRotationEnabled,
    isPaused: row.pausedAt !== null,
    folderId: row.folderId,
    connectionId: row.connectionId,
    projectId: folder.projectId,
    rotationInterval: row.rotationIntervalDays,
    rotateAtUtc: row.rotateAtUtc,
    onExisting: row.onExisting,
    phase: row.phase,
    rotationStatus: infisicalStatuses[row.rotationStatus],
    status: row.rotationStatus,
    statusCode: row.statusCode,
    lastRotationMessage: row.statusMessage && inOperations(row.statusMessage, { kind: 'rotation', id: row.id }),
    activeAccessKeyId: row.activeAccessKeyId,
    activeIndex: Math.max(0, row.publishedKeys - 1) % 2,
    lastRotatedAt: toMoment(row.lastRotatedAt),
    lastRotationAttemptedAt: toMoment(row.lastRun?.startedAt ?? null),
    lastRotationJobId: row.lastRun?.id ?? null,
    isLastRotationManual: row.lastRun?.reason === 'requested',
    nextRotationAt: toMoment(row.nextRotationAt),
    nextDueAt: toMoment(row.nextDueAt),
    version: row.version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    connection: { app: 'aws', name: row.connectionName, id: row.connectionId },
    environment: toEnvironment(row.orgId, folder),
    project: toProject(folder.projectId),
    folder: { id: folder.id, path: folder.secretPath },
  };
}
