/**
 * What a request to a sync may ask for beside its kind. Read leniently: it comes out of a row that
 * may be older.
 */
import { z } from 'zod';

export const importBehaviors = ['prioritize-source', 'prioritize-destination'] as const;
export type ImportBehavior = (typeof importBehaviors)[number];

const flag = z.literal(true).optional().catch(undefined);

const shape = z.object({
  /** Which value counts where both sides hold one. */
  importBehavior: z.enum(importBehaviors).optional().catch(undefined),
  /** A person keeps what AWS holds after a restore. */
  acceptDestination: flag,
  /** A person keeps what the folder holds after a restore. */
  acceptSource: flag,
  /** How many deletions were confirmed. */
  confirmDeletions: z.number().optional().catch(undefined),
  /** The sync itself is deleted once nothing of it is left at AWS. */
  deleteAfterRemove: flag,
});

export type SyncParameters = Readonly<z.infer<typeof shape>>;

export function parseSyncParameters(parameters: Readonly<Record<string, unknown>>): SyncParameters {
  return shape.parse(parameters);
}
