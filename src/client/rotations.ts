/**
 * `client.rotations`: access keys of IAM users, replaced on a schedule and published into a folder.
 */
import { z } from 'zod';

import type { Connections } from '../db/connections.ts';
import type { RotationRow } from '../db/engine/subjects.ts';
import type { Folders } from '../db/folders.ts';
import type { Rotations } from '../db/rotation/rotations.ts';
import { rotationChanges, rotationSettings } from '../domain/rotation/input.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { parseInput, placeShape, problemsIn } from './input.ts';
import { isEmpty, otherThan, updateVersion } from './versions.ts';
import type { SameAs } from './same.ts';
import type { CreateRotation, RotationsClient, UpdateRotation } from './types/rotation.ts';
import { toRotation } from './views.ts';

const createShape = rotationSettings.extend({
  /** Name or id. */
  connection: z.string().min(1),
  /** The folder that the pair is published into; it is made if it is not there. */
  target: placeShape,
});

/** What `create` would refuse before it reads anything. */
export const findRotationProblems = (input: unknown): readonly string[] => problemsIn(createShape, input);

const updateShape = rotationChanges.extend({
  /** Name or id of another connection to the same account. */
  connection: z.string().min(1).optional(),
});

/** What `update` would refuse before it reads anything, with the key that is adopted beside it. */
export const findRotationChangeProblems = (input: unknown): readonly string[] =>
  problemsIn(updateShape.extend({ adoptKey: rotationSettings.shape.adoptKey }), input);

interface Stores {
  readonly rotations: Rotations;
  readonly connections: Connections;
  readonly folders: Folders;
}

export function createRotationsClient(context: ClientContext, stores: Stores): RotationsClient {
  const { orgId, actor } = context;
  const { rotations } = stores;
  const row = (idOrName: string) => rotations.get(orgId, context.refer(idOrName));
  return {
    async create(input: SameAs<CreateRotation, z.input<typeof createShape>>) {
      const { connection, target, ...settings } = parseInput(createShape, input);
      const created = await rotations.create(orgId, {
        ...settings,
        projectId: target.projectId,
        connectionId: (await stores.connections.get(orgId, context.refer(connection))).id,
        folderId: (await stores.folders.ensure(orgId, target)).id,
        requestedBy: actor,
      });
      return { ...toRotation(created), requestId: created.requestId };
    },
    get: async (idOrName) => toRotation(await row(idOrName)),
    list: async () => (await rotations.list(orgId)).map(toRotation),
    keys: async (idOrName) => rotations.keys((await row(idOrName)).id),
    timeline: async (idOrName, limit) => rotations.steps((await row(idOrName)).id, limit),
    async update(idOrName, input: SameAs<UpdateRotation, z.input<typeof updateShape>>, options = {}) {
      const { connection, ...changes } = parseInput(updateShape, input);
      const read = () => row(idOrName);
      const write = async (as: RotationRow) => {
        const moved = connection === undefined ? {} : await connectionChange({ context, stores }, as, connection);
        const others = otherThan(toRotation(as), { ...changes, ...moved });
        return isEmpty(others) ? as : rotations.updateAsRead(as, others);
      };
      return toRotation(await updateVersion({ read, write }, options));
    },
    request: async (idOrName, wish = {}) => rotations.request(await row(idOrName), wish, actor),
    async run(idOrName, { emergency, revokeNow, skipSync, ...options } = {}) {
      const wish = {
        ...(emergency ? { emergency } : {}),
        ...(revokeNow ? { revokeNow } : {}),
        ...(skipSync ? { skipSync } : {}),
      };
      return context.wait(await this.request(idOrName, wish), options);
    },
    pause: async (idOrName) => toRotation(await rotations.pause(await row(idOrName))),
    resume: async (idOrName) => toRotation(await rotations.resume(await row(idOrName))),
    cancel: async (idOrName) => rotations.cancel(await row(idOrName), actor),
    reactivate: async (idOrName) => rotations.reactivate(await row(idOrName), actor),
    revokeKeys: async (idOrName) => rotations.revokeKeys(await row(idOrName), actor),
    adoptKey: async (idOrName, pair) => toRotation(await rotations.adoptKey(await row(idOrName), pair)),
    delete: async (idOrName, secrets = 'keep') => {
      await rotations.delete(await row(idOrName), secrets);
    },
  };
}

interface Parts {
  readonly context: ClientContext;
  readonly stores: Stores;
}

/**
 * The user lives in one account, so only another connection to that account can take over. Nothing
 * for the present connection.
 */
async function connectionChange(
  { context, stores }: Parts,
  rotation: RotationRow,
  connection: string,
): Promise<{ readonly connectionId?: string }> {
  const { id, name, accountId } = await stores.connections.get(context.orgId, context.refer(connection));
  if (id === rotation.connectionId) return {};
  if (rotation.accountId === null || accountId === rotation.accountId) return { connectionId: id };
  const reason =
    accountId === null ? 'is not validated yet, so its account is not known' : `reaches account ${accountId}`;
  throw new JobError('PAYLOAD_INVALID', {
    message: `${name} ${reason}, and ${rotation.name} rotates a user of account ${rotation.accountId}. Choose a valid connection to that account.`,
  });
}
