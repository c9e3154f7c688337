/** Secret syncs on the wire: Infisical’s fields, and ours beside them. */
import { descriptionShape, nameShape, placeShape } from '../../client/input.ts';
import type { SyncStatus } from '../../db/status/queries.ts';
import { type DestinationName, destinationNames } from '../../domain/destinations/names.ts';
import { destinations } from '../../domain/destinations/registry.ts';
import { syncOptions } from '../../domain/sync/config.ts';
import { moment, toMoment, z } from './operation.ts';

/** Fields of Infisical’s that have one meaning here: sending that meaning is fine, anything else is refused. */
const options = syncOptions.extend({
  recursive: z.literal(false).optional(),
  preserveSecretPaths: z.literal(false).optional(),
});

const { projectId, environment, secretPath } = placeShape.shape;

const fields = {
  name: nameShape,
  description: descriptionShape.optional(),
  projectId,
  connectionId: z.uuid(),
  environment,
  secretPath,
  isAutoSyncEnabled: z.boolean().optional().describe('Default: true'),
  isEnabled: z.boolean().optional().describe('Infisical’s older name of isAutoSyncEnabled'),
};

const changes = {
  ...fields,
  name: nameShape.optional(),
  projectId: projectId.optional(),
  connectionId: z.uuid().optional(),
  environment: environment.optional(),
  secretPath: secretPath.optional(),
  syncOptions: options.partial().optional(),
};

/** `ParameterStore` or `SecretsManager`, as names of operations and schemas have it. */
export function wordOf(destination: DestinationName): string {
  return destinations[destination].title.replaceAll(' ', '');
}

/** What a sync to this destination takes when it is created and when it is changed. */
export function shapesOf(destination: DestinationName) {
  const { config } = destinations[destination];
  const create = z.strictObject({ ...fields, syncOptions: options.prefault({}), destinationConfig: config });
  const update = z.strictObject({ ...changes, destinationConfig: config.optional() });
  const word = wordOf(destination);
  return { create: create.openapi(`Create${word}Sync`), update: update.openapi(`Update${word}Sync`) };
}

export const secretSyncShape = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string().nullable(),
    isAutoSyncEnabled: z.boolean(),
    version: z.number().int(),
    folderId: z.uuid(),
    connectionId: z.uuid(),
    projectId: z.string(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    syncStatus: z.enum(['pending', 'running', 'succeeded', 'partial', 'failed', 'blocked']),
    statusCode: z.string().nullable(),
    lastSyncJobId: z.uuid().nullable().describe('The last run'),
    lastSyncMessage: z.string().nullable(),
    lastSyncedAt: moment,
    syncedRevision: z.number().int().nullable(),
    drift: z.enum(['unknown', 'none', 'drifted']),
    isPaused: z.boolean(),
    nextDueAt: moment,
    syncOptions: z.record(z.string(), z.unknown()),
    connection: z.object({ app: z.literal('aws'), name: z.string(), id: z.uuid() }),
    environment: z.object({ slug: z.string(), name: z.string(), id: z.string() }),
    folder: z.object({ id: z.uuid(), path: z.string() }),
    destination: z.enum(destinationNames),
    destinationConfig: z.record(z.string(), z.unknown()),
  })
  .openapi('SecretSync');

export function toSecretSync(row: SyncStatus): z.infer<typeof secretSyncShape> {
  const { folder } = row;
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    isAutoSyncEnabled: row.isAutoSyncEnabled,
    version: row.version,
    folderId: row.folderId,
    connectionId: row.connectionId,
    projectId: folder.projectId,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    syncStatus: row.syncStatus,
    statusCode: row.statusCode,
    lastSyncJobId: row.lastRunId,
    lastSyncMessage: row.statusMessage,
    lastSyncedAt: toMoment(row.lastSyncedAt),
    syncedRevision: row.syncedRevision,
    drift: row.drift,
    isPaused: row.pausedAt !== null,
    nextDueAt: toMoment(row.nextDueAt),
    syncOptions: { ...row.syncOptions },
    connection: { app: 'aws', name: row.connectionName, id: row.connectionId },
    environment: { slug: folder.environment, name: folder.environment, id: folder.environment },
    folder: { id: folder.id, path: folder.secretPath },
    destination: row.destination,
    destinationConfig: { ...row.destinationConfig },
  };
}

/** The options as the client takes them: without the fields that only Infisical knows. */
export function toOptions<T extends { recursive?: unknown; preserveSecretPaths?: unknown }>(
  sent: T,
): Omit<T, 'recursive' | 'preserveSecretPaths'> {
  const { recursive: _recursive, preserveSecretPaths: _preserve, ...known } = sent;
  return known;
}
