/** `client.secrets`: folders of secrets, the source of every sync. Values go in; only names come out. */
import { z } from 'zod';

import type { FolderChange, Folders, SecretName } from '../db/folders.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { parseInput, placeShape, secretKeyShape, secretValueShape } from './input.ts';

const valuesShape = z.record(secretKeyShape, secretValueShape.nullable());
const metadataShape = z.record(secretKeyShape, z.record(z.string().min(1).max(128), z.string().max(256)));

export type FolderPath = z.input<typeof placeShape>;

export interface SetSecrets {
  /** Key to value; null removes the key. */
  readonly values: Readonly<Record<string, string | null>>;
  /** Key to metadata, which syncs may write as tags. A key without a value here keeps its value. */
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** `merge` (default) leaves other keys alone; `replace` removes them, except those that a rotation manages. */
  readonly mode?: 'merge' | 'replace';
  /** Refuses the change with PAYLOAD_STALE unless the folder still has this revision (or one of these). */
  readonly ifRevision?: number | readonly number[];
}

export function createSecretsClient(context: ClientContext, folders: Folders) {
  const find = async (place: FolderPath) => {
    const parsed = parseInput(placeShape, place);
    const folder = await folders.find(context.orgId, parsed);
    if (folder) return folder;
    throw new JobError('SECRET_FOLDER_NOT_FOUND', {
      message: `There is no folder ${parsed.secretPath} in project ${parsed.projectId}, environment ${parsed.environment}. Create it with \`keyferry secrets set\`.`,
    });
  };
  return {
    /** One new revision of the folder; its syncs become due. Throws SECRET_MANAGED for keys of a rotation. */
    async set(place: FolderPath, input: SetSecrets): Promise<FolderChange> {
      const parsedPlace = parseInput(placeShape, place);
      const values = parseInput(valuesShape, input.values);
      const metadata = parseInput(metadataShape, input.metadata ?? {});
      const ifRevision = input.ifRevision === undefined ? undefined : [input.ifRevision].flat();
      // A change of what somebody has read creates nothing.
      const folder = ifRevision === undefined ? await folders.ensure(context.orgId, parsedPlace) : await find(place);
      const changes = Object.entries(values).map(([key, value]) => ({
        key,
        value,
        ...(metadata[key] ? { metadata: metadata[key] } : {}),
      }));
      const described = Object.fromEntries(Object.entries(metadata).filter(([key]) => !Object.hasOwn(values, key)));
      return folders.changeIf(folder, changes, { mode: input.mode ?? 'merge', ifRevision, metadata: described });
    },
    /** Grows with every change of the folder. */
    revision: async (place: FolderPath): Promise<number> => (await find(place)).revision,
    /** Names and revisions, never values. */
    list: async (place: FolderPath): Promise<readonly SecretName[]> => folders.names((await find(place)).id),
    /** Removes keys; a key that is not there is an error that names it. */
    async unset(place: FolderPath, keys: readonly string[]): Promise<FolderChange> {
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
