/**
 * `client.secrets`: folders of secrets, the source of every sync. Values go in; only names come
 * out.
 */
import { z } from 'zod';

import type { Folders } from '../db/folders.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { parseInput, placeShape, secretKeyShape, secretValueShape } from './input.ts';
import type { SameAs } from './same.ts';
import type { FolderPath, SecretsClient } from './types/folder.ts';

const valuesShape = z.record(secretKeyShape, secretValueShape.nullable());
const metadataShape = z.record(secretKeyShape, z.record(z.string().min(1).max(128), z.string().max(256)));

export function createSecretsClient(context: ClientContext, folders: Folders): SecretsClient {
  const find = async (place: SameAs<FolderPath, z.input<typeof placeShape>>) => {
    const parsed = parseInput(placeShape, place);
    const folder = await folders.find(context.orgId, parsed);
    if (folder) return folder;
    throw new JobError('SECRET_FOLDER_NOT_FOUND', {
      message: `There is no folder ${parsed.secretPath} in project ${parsed.projectId}, environment ${parsed.environment}. Create it with \`keyferry secrets set\`.`,
    });
  };
  return {
    async set(place, input) {
      const parsedPlace = parseInput(placeShape, place);
      const values = parseInput(valuesShape, input.values);
      const metadata = parseInput(metadataShape, input.metadata ?? {});
      const ifRevision = input.ifRevision === undefined ? undefined : [input.ifRevision].flat();
      // A change of what somebody has read creates nothing.
      const folder = ifRevision === undefined ? await folders.ensure(context.orgId, parsedPlace) : await find(place);
      const changes = Object.entries(values).map(([key, value]) => ({
        key,
        value,
        ...(Object.hasOwn(metadata, key) ? { metadata: metadata[key] } : {}),
      }));
      const described = Object.fromEntries(Object.entries(metadata).filter(([key]) => !Object.hasOwn(values, key)));
      return folders.changeIf(folder, changes, { mode: input.mode ?? 'merge', ifRevision, metadata: described });
    },
    revision: async (place) => (await find(place)).revision,
    list: async (place) => folders.names((await find(place)).id),
    async unset(place, keys) {
      const folder = await find(place);
      const present = new Set((await folders.names(folder.id)).map((secret) => secret.key));
      const missing = keys.filter((key) => !present.has(key));
      if (missing.length > 0)
        throw new JobError('PAYLOAD_INVALID', {
          message: `There is no secret ${missing.join(', ')} in ${folder.secretPath}.`,
        });
      return folders.change(
        folder,
        keys.map((key) => ({ key, value: null })),
        'merge',
      );
    },
  };
}
