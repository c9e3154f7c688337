/** IAM user rotations on the wire: Infisical’s fields, and ours beside them. */
import { descriptionShape, nameShape, placeShape, regionShape } from '../../client/input.ts';
import type { RotationStatus } from '../../db/status/queries.ts';
import { moment, toMoment, z } from './operation.ts';

const { projectId, environment, secretPath } = placeShape.shape;
const timeOfDay = z.strictObject({ hours: z.number().int().min(0).max(23), minutes: z.number().int().min(0).max(59) });
const parameters = z.strictObject({
  userName: z.string().min(1).max(64),
  region: regionShape.optional().describe('Accepted and not used: IAM is global'),
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

export const createRotationBody = z
  .strictObject({
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
    adoptKey: z
      .strictObject({ accessKeyId: z.string(), secretAccessKey: z.string() })
      .optional()
      .describe('The key that consumers hold today'),
  })
  .openapi('CreateIamUserRotation');

export const updateRotationBody = z
  .strictObject({
    name: nameShape.optional(),
    description: descriptionShape.optional(),
    isAutoRotationEnabled: z.boolean().optional(),
    rotationInterval: z.number().int().min(1).max(3650).optional().describe('Days'),
    rotateAtUtc: timeOfDay.optional(),
    ...waiting,
  })
  .openapi('UpdateIamUserRotation');

export const secretRotationShape = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string().nullable(),
    type: z.literal('aws-iam-user-secret'),
    parameters: z.object({ userName: z.string() }),
    secretsMapping: z.object({ accessKeyId: z.string(), secretAccessKey: z.string() }),
    isAutoRotationEnabled: z.boolean(),
    isPaused: z.boolean(),
    folderId: z.uuid(),
    connectionId: z.uuid(),
    projectId: z.string(),
    rotationInterval: z.number().int(),
    rotateAtUtc: timeOfDay,
    phase: z.string(),
    rotationStatus: z.enum(['pending', 'running', 'succeeded', 'failed', 'blocked']),
    statusCode: z.string().nullable(),
    lastRotationMessage: z.string().nullable(),
    activeAccessKeyId: z.string().nullable(),
    lastRotatedAt: moment,
    nextRotationAt: moment,
    nextDueAt: moment,
    version: z.number().int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    connection: z.object({ app: z.literal('aws'), name: z.string(), id: z.uuid() }),
    environment: z.object({ slug: z.string(), name: z.string(), id: z.string() }),
    folder: z.object({ id: z.uuid(), path: z.string() }),
  })
  .openapi('IamUserRotation');

export function toSecretRotation(row: RotationStatus): z.infer<typeof secretRotationShape> {
  const { folder } = row;
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    type: 'aws-iam-user-secret',
    parameters: { userName: row.userName },
    secretsMapping: row.secretsMapping,
    isAutoRotationEnabled: row.isAutoRotationEnabled,
    isPaused: row.pausedAt !== null,
    folderId: row.folderId,
    connectionId: row.connectionId,
    projectId: folder.projectId,
    rotationInterval: row.rotationIntervalDays,
    rotateAtUtc: row.rotateAtUtc,
    phase: row.phase,
    rotationStatus: row.rotationStatus,
    statusCode: row.statusCode,
    lastRotationMessage: row.statusMessage,
    activeAccessKeyId: row.activeAccessKeyId,
    lastRotatedAt: toMoment(row.lastRotatedAt),
    nextRotationAt: toMoment(row.nextRotationAt),
    nextDueAt: toMoment(row.nextDueAt),
    version: row.version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    connection: { app: 'aws', name: row.connectionName, id: row.connectionId },
    environment: { slug: folder.environment, name: folder.environment, id: folder.environment },
    folder: { id: folder.id, path: folder.secretPath },
  };
}
