/**
 * How a sync writes: the shape of `sync_options`, the same for library, API and database. The
 * schema is strict: an unknown field is an error that names it. Where a sync writes is in
 * `domain/destinations/`.
 */
import { z } from 'zod';

import { patternsShape } from '../patterns.ts';
import { regionShape as region } from '../region-shape.ts';
import { regionOfKey } from './kms-keys.ts';

const kmsKey = z
  .string()
  .max(256)
  .regex(/^[a-zA-Z0-9:/_-]+$/, 'must be a KMS key id, alias or ARN');

/** By region. A key of another region can encrypt nothing there. */
const replicaKeysShape = z.record(z.string(), kmsKey).superRefine((keys, context) => {
  for (const [region, key] of Object.entries(keys)) {
    const other = regionOfKey(key);
    if (other === undefined || other === region) continue;
    const message = `must be a KMS key of ${region}; this one is of ${other || 'no region'}`;
    context.addIssue({ code: 'custom', path: [region], message });
  }
});

const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

export const syncOptions = z.strictObject({
  initialSyncBehavior: z
    .enum(['overwrite-destination', 'import-prioritize-source', 'import-prioritize-destination'])
    .default('overwrite-destination'),
  keySchema: z
    .string()
    .trim()
    .max(255)
    .regex(
      /^[A-Za-z0-9_\-/]*(\{\{(secretKey|environment|project|path|folder)\}\}[A-Za-z0-9_\-/]*)*$/,
      'may hold letters, digits, _ - / and the placeholders {{secretKey}}, {{environment}}, {{project}}, {{path}} and {{folder}}',
    )
    .refine((schema) => schema.split('{{secretKey}}').length === 2, 'must hold {{secretKey}} exactly once')
    .optional(),
  /** With the folders below the sync's. */
  recursive: z.boolean().optional(),
  include: patternsShape.optional(),
  exclude: patternsShape.optional(),
  disableSecretDeletion: z.boolean().default(false),
  keyId: kmsKey.optional(),
  tags: z
    .array(
      z.strictObject({
        key: z
          .string()
          .min(1)
          .max(128)
          .regex(tagText)
          .refine((key) => !/^(aws|keyferry):/i.test(key), 'must not start with aws: or keyferry:'),
        value: z.string().max(256).regex(tagText),
      }),
    )
    // AWS allows 50; one is the ownership tag.
    .max(49)
    .refine((tags) => new Set(tags.map((tag) => tag.key)).size === tags.length, 'must not name a key twice')
    .optional(),
  syncSecretMetadataAsTags: z.boolean().default(false),
  onExisting: z.enum(['fail', 'adopt']).default('fail'),
  drift: z.enum(['detect', 'repair']).default('detect'),
  tier: z.enum(['standard', 'advanced', 'intelligent']).default('standard'),
  /** Days of the recovery window of Secrets Manager, or immediate deletion. */
  recoveryDays: z
    .union([z.number().int().min(7).max(30), z.literal('force')], { error: 'must be 7 to 30 days, or force' })
    .default(7),
  replicaRegions: z.array(region).max(20).optional(),
  /** Regions of `replicaRegions` whose replica has a KMS key of its own. */
  replicaKeys: replicaKeysShape.optional(),
});

export type SyncOptions = z.infer<typeof syncOptions>;

const { keySchema, include, exclude, keyId, tags, replicaRegions, replicaKeys } = syncOptions.shape;

/** What a change of options takes. Null removes an option that has no default. */
export const syncOptionChanges = syncOptions.partial().extend({
  keySchema: keySchema.nullable(),
  include: include.nullable(),
  exclude: exclude.nullable(),
  keyId: keyId.nullable(),
  tags: tags.nullable(),
  replicaRegions: replicaRegions.nullable(),
  replicaKeys: replicaKeys.nullable(),
});

export type SyncOptionChanges = z.infer<typeof syncOptionChanges>;

/** The present options with the changes, field by field. */
export function changedOptions(present: SyncOptions, changes: Partial<SyncOptionChanges>): SyncOptions {
  const entries = Object.entries({ ...present, ...changes }).filter(([, value]) => value !== null);
  return Object.fromEntries(entries) as SyncOptions;
}
