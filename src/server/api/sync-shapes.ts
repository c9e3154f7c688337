/** Secret syncs on the wire: Infisical’s fields, and keyferry's own beside them. */
import { descriptionShape, nameShape, placeShape } from '../../client/input.ts';
import type { RunRowStatus, SyncStatus } from '../../db/status/queries.ts';
import { type DestinationName, destinationNames } from '../../domain/destinations/names.ts';
import { destinations } from '../../domain/destinations/registry.ts';
import { syncOptionChanges, syncOptions } from '../../domain/sync/config.ts';
import { JobError } from '../../errors.ts';
import {
  environmentShape,
  projectShape,
  sentId,
  toEnvironment,
  toProject,
  unsetAsNull,
  withoutUnset,
} from './infisical.ts';
import { moment, toMoment, z } from './operation.ts';
import { inOperations } from './wording.ts';

/**
 * A field of Infisical’s that has one meaning here: a recursive sync keeps the paths, and no other
 * has any.
 */
const fixed = { preserveSecretPaths: z.boolean().optional().describe('Must be what `recursive` is') };

const removable = ['keySchema', 'include', 'exclude', 'keyId', 'tags'] as const;
const options = z.preprocess(withoutUnset(...removable), syncOptions.extend(fixed));
const optionChanges = z
  .preprocess(unsetAsNull(...removable), syncOptionChanges.extend(fixed))
  .describe('With initialSyncBehavior: replaces all options that Infisical has. Without: changes only what is sent');

/** The provider sends an empty name where the mapping has none. */
const ofInfisical = <T extends z.ZodType>(config: T) => z.preprocess(withoutUnset('secretName'), config);

const { projectId, environment, secretPath } = placeShape.shape;

const fields = {
  App: z.string().optional().describe('Sent by Infisical’s Terraform provider; must be the destination of the path'),
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
  ID: sentId,
  name: nameShape.optional(),
  projectId: projectId.optional(),
  connectionId: z.uuid().optional(),
  environment: environment.optional(),
  secretPath: secretPath.optional(),
  syncOptions: optionChanges.optional(),
};

/** `ParameterStore` or `SecretsManager`, as names of operations and schemas have it. */
export function wordOf(destination: DestinationName): string {
  return destinations[destination].title.replaceAll(' ', '');
}

const check = {
  App: fields.App,
  projectId,
  connectionId: z.uuid().optional(),
  excludeSyncId: z.uuid().optional().describe('The sync that is to be changed'),
};

/**
 * What a sync to this destination takes when it is created, changed, and when its destination is
 * checked.
 */
export function shapesOf(destination: DestinationName) {
  const config = ofInfisical(destinations[destination].config);
  const create = z.strictObject({ ...fields, syncOptions: options.prefault({}), destinationConfig: config });
  const update = z.strictObject({ ...changes, destinationConfig: config.optional() });
  const word = wordOf(destination);
  return {
    create: create.openapi(`Create${word}Sync`),
    update: update.openapi(`Update${word}Sync`),
    check: z.strictObject({ ...check, destinationConfig: config }).openapi(`Check${word}Destination`),
  };
}

const lastStatus = z.enum(['pending', 'running', 'succeeded', 'failed']).nullable().describe('Of the last such run');

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
    syncStatus: z.enum(['pending', 'running', 'succeeded', 'failed']).describe('Infisical’s word'),
    status: z
      .enum(['pending', 'running', 'succeeded', 'partial', 'failed', 'blocked', 'cancelled'])
      .describe('keyferry’s word'),
    statusCode: z.string().nullable(),
    lastSyncJobId: z.uuid().nullable().describe('The last run'),
    lastSyncMessage: z.string().nullable(),
    lastSyncedAt: moment,
    importStatus: lastStatus,
    lastImportJobId: z.uuid().nullable(),
    lastImportMessage: z.string().nullable(),
    lastImportedAt: moment,
    removeStatus: lastStatus,
    lastRemoveJobId: z.uuid().nullable(),
    lastRemoveMessage: z.string().nullable(),
    lastRemovedAt: moment,
    syncedRevision: z.number().int().nullable(),
    drift: z.enum(['unknown', 'none', 'drifted']),
    isPaused: z.boolean(),
    nextDueAt: moment,
    syncOptions: z.record(z.string(), z.unknown()),
    connection: z.object({ app: z.literal('aws'), name: z.string(), id: z.uuid() }),
    environment: environmentShape,
    project: projectShape,
    folder: z.object({ id: z.uuid(), path: z.string() }),
    destination: z.enum(destinationNames),
    destinationConfig: z.record(z.string(), z.unknown()),
  })
  .openapi('SecretSync');

/** Scripts wait for `succeeded` or `failed`, so each end is one of the two. */
function toInfisicalStatus(status: SyncStatus['syncStatus'] | RunRowStatus) {
  switch (status) {
    case 'partial':
    case 'blocked':
    case 'cancelled':
    case 'abandoned':
      return 'failed';
    case 'continued':
      return 'running';
    default:
      return status;
  }
}

export function toSecretSync(row: SyncStatus): z.infer<typeof secretSyncShape> {
  const { folder } = row;
  const worded = (text: string | null | undefined) =>
    text ? inOperations(text, { kind: 'sync', id: row.id, destination: row.destination }) : null;
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
    syncStatus: toInfisicalStatus(row.syncStatus),
    status: row.syncStatus,
    statusCode: row.statusCode,
    lastSyncJobId: row.lastRunId,
    lastSyncMessage: worded(row.statusMessage),
    lastSyncedAt: toMoment(row.lastSyncedAt),
    importStatus: row.lastImport && toInfisicalStatus(row.lastImport.status),
    lastImportJobId: row.lastImport?.id ?? null,
    lastImportMessage: worded(row.lastImport?.errorMessage),
    lastImportedAt: toMoment(row.lastImport?.finishedAt ?? null),
    removeStatus: row.lastRemoval && toInfisicalStatus(row.lastRemoval.status),
    lastRemoveJobId: row.lastRemoval?.id ?? null,
    lastRemoveMessage: worded(row.lastRemoval?.errorMessage),
    lastRemovedAt: toMoment(row.lastRemoval?.finishedAt ?? null),
    syncedRevision: row.syncedRevision,
    drift: row.drift,
    isPaused: row.pausedAt !== null,
    nextDueAt: toMoment(row.nextDueAt),
    syncOptions: { ...row.syncOptions },
    connection: { app: 'aws', name: row.connectionName, id: row.connectionId },
    environment: toEnvironment(row.orgId, folder),
    project: toProject(folder.projectId),
    folder: { id: folder.id, path: folder.secretPath },
    destination: row.destination,
    destinationConfig: { ...row.destinationConfig },
  };
}

/** The options as the client takes them: without the field that only Infisical knows. */
export function toOptions<T extends { recursive?: boolean | undefined; preserveSecretPaths?: boolean | undefined }>(
  sent: T,
): Omit<T, 'preserveSecretPaths'> {
  const { preserveSecretPaths: preserves, ...known } = sent;
  const { recursive = preserves === true ? false : preserves } = known;
  if (preserves === undefined || preserves === recursive) return known;
  throw new JobError('PAYLOAD_INVALID', {
    message: 'syncOptions.preserveSecretPaths must be what recursive is: a recursive sync keeps the paths.',
  });
}
