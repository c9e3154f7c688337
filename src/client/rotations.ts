/** `client.rotations`: access keys of IAM users, replaced on a schedule and published into a folder. */
import { z } from 'zod';

import type { Connections } from '../db/connections.ts';
import type { RotationRow } from '../db/engine/subjects.ts';
import type { Folders } from '../db/folders.ts';
import type { RotationWish } from '../db/rotation/orders.ts';
import type { AdoptedKeyPair } from '../db/rotation/adoption.ts';
import type { RotationStep, Rotations } from '../db/rotation/rotations.ts';
import { rotationChanges, rotationSettings } from '../domain/rotation/input.ts';
import type { KnownKey } from '../domain/rotation/rotation.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { parseInput, placeShape } from './input.ts';
import { isEmpty, updateVersion, type UpdateOptions } from './versions.ts';
import { toRotation, type Rotation, type RunRecord } from './views.ts';
import type { WaitOptions } from './waiting.ts';

const createShape = rotationSettings.extend({
  /** Name or id. */
  connection: z.string().min(1),
  /** The folder that the pair is published into; it is made if it is not there. */
  target: placeShape,
});

const updateShape = rotationChanges.extend({
  /** Name or id of another connection to the same account. */
  connection: z.string().min(1).optional(),
});

export type CreateRotation = z.input<typeof createShape>;
/** With the request that its first run answers: the key published, or, with an adopted one, the user's keys looked at. */
export type CreatedRotation = Rotation & { readonly requestId: string };
export type UpdateRotation = z.input<typeof updateShape>;
export type RunRotation = RotationWish & WaitOptions;

interface Stores {
  readonly rotations: Rotations;
  readonly connections: Connections;
  readonly folders: Folders;
}

export function createRotationsClient(context: ClientContext, stores: Stores) {
  const { orgId, actor } = context;
  const { rotations } = stores;
  const row = (idOrName: string) => rotations.get(orgId, context.refer(idOrName));
  return {
    /**
     * Records a rotation; its first run makes the first key. Throws CONNECTION_NOT_FOUND, KEY_ROTATION_NAME_TAKEN, KEY_USER_TAKEN, SECRET_MANAGED,
     * PAYLOAD_INVALID.
     */
    async create(input: CreateRotation): Promise<CreatedRotation> {
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
    get: async (idOrName: string): Promise<Rotation> => toRotation(await row(idOrName)),
    list: async (): Promise<readonly Rotation[]> => (await rotations.list(orgId)).map(toRotation),
    /** Keys by state, without their secrets. */
    keys: async (idOrName: string): Promise<readonly KnownKey[]> => rotations.keys((await row(idOrName)).id),
    /** Every persisted step, oldest first. */
    timeline: async (idOrName: string, limit?: number): Promise<readonly RotationStep[]> =>
      rotations.steps((await row(idOrName)).id, limit),
    /** Nothing when nothing is given. Throws PAYLOAD_STALE. */
    async update(idOrName: string, input: UpdateRotation, options: UpdateOptions = {}): Promise<Rotation> {
      const { connection, ...changes } = parseInput(updateShape, input);
      const read = () => row(idOrName);
      const write = async (as: RotationRow) => {
        const moved = connection === undefined ? {} : await connectionChange({ context, stores }, as, connection);
        return isEmpty({ ...changes, ...moved }) ? as : rotations.updateAsRead(as, { ...changes, ...moved });
      };
      return toRotation(await updateVersion({ read, write }, options));
    },
    /** Records the wish for a rotation now; returns the request's id. */
    request: async (idOrName: string, wish: RotationWish = {}): Promise<string> =>
      rotations.request(await row(idOrName), wish, actor),
    /** Rotates now and waits until the new key is published and confirmed; the old one is retired later. */
    async run(idOrName: string, { emergency, revokeNow, skipSync, ...options }: RunRotation = {}): Promise<RunRecord> {
      const wish = {
        ...(emergency ? { emergency } : {}),
        ...(revokeNow ? { revokeNow } : {}),
        ...(skipSync ? { skipSync } : {}),
      };
      return context.wait(await this.request(idOrName, wish), options);
    },
    pause: async (idOrName: string): Promise<Rotation> => toRotation(await rotations.pause(await row(idOrName))),
    resume: async (idOrName: string): Promise<Rotation> => toRotation(await rotations.resume(await row(idOrName))),
    /** Before the publication: the new key goes, the old one stays. Returns the request's id when a cycle was under way. */
    cancel: async (idOrName: string): Promise<string | undefined> => rotations.cancel(await row(idOrName), actor),
    /** During the hold: brings the old key back. Returns the request's id. */
    reactivate: async (idOrName: string): Promise<string> => rotations.reactivate(await row(idOrName), actor),
    /** Deletes every key of this rotation at AWS and pauses it. Returns the request's id. */
    revokeKeys: async (idOrName: string): Promise<string> => rotations.revokeKeys(await row(idOrName), actor),
    adoptKey: async (idOrName: string, pair: AdoptedKeyPair): Promise<Rotation> =>
      toRotation(await rotations.adoptKey(await row(idOrName), pair)),
    /** Keys at AWS stay; `secrets` says what becomes of the two in the folder. */
    delete: async (idOrName: string, secrets: 'keep' | 'remove' = 'keep'): Promise<void> => {
      await rotations.delete(await row(idOrName), secrets);
    },
  };
}

interface Parts {
  readonly context: ClientContext;
  readonly stores: Stores;
}

/** The user lives in one account, so only another connection to that account can take over. Nothing for the present connection. */
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
