/** `client.syncs`: what keeps AWS equal to a folder. */
import { z } from 'zod';

import type { Connections } from '../db/connections.ts';
import type { Folders } from '../db/folders.ts';
import type { ConnectionRow, SyncRow } from '../db/engine/subjects.ts';
import type { SyncChanges, Syncs } from '../db/sync/syncs.ts';
import { defined } from '../domain/defined.ts';
import type { Reference } from '../domain/reference.ts';
import { type DestinationName, destinationNames } from '../domain/destinations/names.ts';
import { type DestinationConfig, type DestinationOfSync, destinations } from '../domain/destinations/registry.ts';
import { partitionOfConnection, partitionProblem } from '../domain/partitions.ts';
import { changedOptions, syncOptionChanges, syncOptions } from '../domain/sync/config.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { descriptionShape, nameShape, parseInput, placeShape, problemsIn, refuse } from './input.ts';
import { targetProblems } from './sync-target.ts';
import { isEmpty, otherThan, updateVersion } from './versions.ts';
import type { SameAs } from './same.ts';
import type { RunRecord, WaitOptions } from './types/run.ts';
import type { CancelledSync, CreateSync, SyncRequestKind, SyncsClient, UpdateSync } from './types/sync.ts';
import { toSync } from './views.ts';

const createShape = z.strictObject({
  name: nameShape,
  description: descriptionShape.optional(),
  /** Name or id. */
  connection: z.string().min(1),
  source: placeShape,
  destination: z.enum(destinationNames),
  destinationConfig: z.unknown(),
  syncOptions: syncOptions.prefault({}),
  isAutoSyncEnabled: z.boolean().default(true),
  /** Created paused: `plan` previews the first write, `resume` makes it. */
  isPaused: z.boolean().default(false),
});

const updateShape = z.strictObject({
  name: nameShape.optional(),
  description: descriptionShape.optional(),
  connection: z.string().min(1).optional(),
  /** Parts that are left out stay as they are. */
  source: placeShape.partial().optional(),
  destinationConfig: z.unknown().optional(),
  /** Options that are left out stay as they are; null removes one. */
  syncOptions: syncOptionChanges.optional(),
  isAutoSyncEnabled: z.boolean().optional(),
});

interface Stores {
  readonly syncs: Syncs;
  readonly connections: Connections;
  readonly folders: Folders;
}

interface Parts {
  readonly context: ClientContext;
  readonly stores: Stores;
}

export function createSyncsClient(context: ClientContext, stores: Stores): SyncsClient {
  const { orgId } = context;
  const { syncs } = stores;
  const get = (idOrName: string) => syncs.get(orgId, context.refer(idOrName));
  const view = async (reference: Reference) => toSync(await syncs.view(orgId, reference));
  const request = async (
    kind: SyncRequestKind,
    idOrName: string,
    parameters: Readonly<Record<string, unknown>> = {},
  ): Promise<string> => {
    const sync = await get(idOrName);
    return context.requests.open({ orgId, kind, subjectId: sync.id, parameters, actor: context.actor });
  };
  const requestAndWait = async (
    kind: SyncRequestKind,
    idOrName: string,
    options: WaitOptions & { parameters?: Record<string, unknown> },
  ): Promise<RunRecord> => context.wait(await request(kind, idOrName, options.parameters), options);
  return {
    async create(input: SameAs<CreateSync, z.input<typeof createShape>>) {
      const { connection: named, source, ...target } = parseCreate(input);
      refuse(targetProblems(target, source));
      const connection = await stores.connections.get(orgId, context.refer(named));
      refuse(regionProblems(target, connection));
      const row = await syncs.create(orgId, {
        ...target,
        projectId: source.projectId,
        connectionId: connection.id,
        folderId: (await findRoot(stores.folders, orgId, { source, recursive: target.syncOptions.recursive })).id,
        requestedBy: context.actor,
      });
      return view(row);
    },
    get: async (idOrName) => view(context.refer(idOrName)),
    list: async () => (await syncs.list(orgId)).map(toSync),
    async update(idOrName, input: SameAs<UpdateSync, z.input<typeof updateShape>>, options = {}) {
      const read = () => get(idOrName);
      const write = (sync: SyncRow) => updateSync({ context, stores }, sync, input);
      return view(await updateVersion({ read, write }, options));
    },
    request,
    run: (idOrName, { confirmDeletions, acceptSource, ...options } = {}) =>
      requestAndWait('sync', idOrName, { ...options, parameters: defined({ confirmDeletions, acceptSource }) }),
    acceptDestination: (idOrName, options = {}) =>
      requestAndWait('import', idOrName, { ...options, parameters: { acceptDestination: true } }),
    plan: (idOrName, options = {}) => requestAndWait('plan', idOrName, options),
    check: (idOrName, options = {}) => requestAndWait('check', idOrName, options),
    import: (idOrName, behavior, options = {}) =>
      requestAndWait('import', idOrName, { ...options, parameters: { importBehavior: behavior } }),
    remove: (idOrName, options = {}) => requestAndWait('remove', idOrName, options),
    pause: async (idOrName) => view(await syncs.pause(await get(idOrName))),
    resume: async (idOrName) => view(await syncs.resume(await get(idOrName))),
    cancel: async (idOrName) => cancelSync(stores, await get(idOrName)),
    deleteWithSecrets: (idOrName, options = {}) =>
      requestAndWait('remove', idOrName, { ...options, parameters: { deleteAfterRemove: true } }),
    delete: async (idOrName, deletion = { abandon: false }) => syncs.delete(await get(idOrName), deletion),
  };
}

async function cancelSync({ syncs }: Stores, row: SyncRow): Promise<CancelledSync> {
  const { runId } = await syncs.cancel(row);
  return { sync: toSync(await syncs.view(row.orgId, { id: row.id })), runId };
}

/** What AWS keeps separate from the connection's account. */
function regionProblems({ destinationConfig }: DestinationOfSync, connection: ConnectionRow): readonly string[] {
  const problem = partitionProblem(destinationConfig.region, partitionOfConnection(connection));
  return problem === undefined ? [] : [`destinationConfig.region ${problem}`];
}

function isMove({ destinationConfig, syncOptions: options, folderId: folder }: SyncChanges): boolean {
  return destinationConfig !== undefined || options !== undefined || folder !== undefined;
}

/** Undefined when the sync changed since it was read. */
async function updateSync({ context, stores }: Parts, sync: SyncRow, input: UpdateSync): Promise<SyncRow | undefined> {
  const given = new Set(Object.keys(input.syncOptions ?? {}));
  const parsed = withoutDefaults(parseUpdate(sync, input), given);
  const changes = otherThan(sync, await toChanges({ context, stores }, sync, parsed));
  if (isEmpty(changes)) return sync;
  const after = { ...sync, ...changes };
  // A sync that is older than the rules can still be renamed or given another connection.
  if (isMove(changes)) refuse(targetProblems(after, await stores.folders.get(after.folderId)));
  if (changes.destinationConfig !== undefined || changes.connectionId !== undefined)
    refuse(regionProblems(after, await stores.connections.byId(after.connectionId)));
  return stores.syncs.update(sync, changes, context.actor);
}

/** A recursive sync may begin at a folder that holds nothing but folders. */
async function findRoot(
  folders: Folders,
  orgId: string,
  { source, recursive }: { source: z.output<typeof placeShape>; recursive: boolean | undefined },
) {
  if (recursive === true && (await folders.hasBelow(orgId, source))) return folders.ensure(orgId, source);
  return findFolder(folders, orgId, source);
}

async function findFolder(folders: Folders, orgId: string, place: z.output<typeof placeShape>) {
  const folder = await folders.find(orgId, place);
  if (folder) return folder;
  throw new JobError('SECRET_FOLDER_NOT_FOUND', {
    message: `There is no folder ${place.secretPath} in project ${place.projectId}, environment ${place.environment}. Create it with \`keyferry secrets set\`.`,
  });
}

/** Empty when the folder stays the same. */
async function movedFolder(
  folders: Folders,
  sync: SyncRow,
  changed: Partial<z.output<typeof placeShape>>,
): Promise<Pick<SyncChanges, 'folderId' | 'projectId'>> {
  const { projectId, environment, secretPath } = await folders.get(sync.folderId);
  const folder = await findFolder(folders, sync.orgId, { projectId, environment, secretPath, ...changed });
  return folder.id === sync.folderId ? {} : { folderId: folder.id, projectId: folder.projectId };
}

/** The settings of the destination with the others, so that all problems are reported at once. */
function parseCreate(input: unknown) {
  return parseInput(shapeFor(input), input);
}

function shapeFor(input: unknown) {
  const { destination } = Object(input) as { readonly destination?: unknown };
  const name = destinationNames.find((one) => one === destination);
  return createShape.extend({ destinationConfig: name ? configOf(name) : anyConfig });
}

/** What `create` would refuse before it reads anything. */
export function findSyncProblems(input: unknown): readonly string[] {
  const { data, error } = shapeFor(input).safeParse(input);
  return error ? problemsIn(shapeFor(input), input) : targetProblems(data, data.source);
}

/** What `update` would refuse whatever the sync is. */
export const findSyncChangeProblems = (input: unknown): readonly string[] => problemsIn(updateShape, input);

function parseUpdate({ destination }: SyncRow, input: unknown) {
  return parseInput(updateShape.extend({ destinationConfig: configOf(destination).optional() }), input);
}

type ParsedUpdate = ReturnType<typeof parseUpdate>;

const configOf = (destination: DestinationName): z.ZodType<DestinationConfig> => destinations[destination].config;

/** Of a destination that does not exist, which is refused. */
const anyConfig = z.custom<DestinationConfig>();

/** A partial shape still fills in defaults; what was not given must keep its present value. */
function withoutDefaults(input: ParsedUpdate, given: ReadonlySet<string>): ParsedUpdate {
  if (input.syncOptions === undefined) return input;
  return {
    ...input,
    syncOptions: Object.fromEntries(Object.entries(input.syncOptions).filter(([name]) => given.has(name))),
  };
}

async function toChanges({ context, stores }: Parts, sync: SyncRow, input: ParsedUpdate): Promise<SyncChanges> {
  const { connection, source, destinationConfig, syncOptions: options, ...rest } = input;
  return {
    ...rest,
    ...(connection === undefined
      ? {}
      : { connectionId: (await stores.connections.get(sync.orgId, context.refer(connection))).id }),
    ...(source === undefined || isEmpty(source) ? {} : await movedFolder(stores.folders, sync, source)),
    ...defined({ destinationConfig }),
    ...(options === undefined || isEmpty(options) ? {} : { syncOptions: changedOptions(sync.syncOptions, options) }),
  };
}
