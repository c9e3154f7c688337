/**
 * Where a sync writes and how: the shapes of `destination_config` and `sync_options`, the same for library, API and
 * database. The schemas are strict: an unknown field is an error that names it.
 */
import { z } from 'zod';

import { regionShape as region } from '../regions.ts';

export const parameterStoreConfig = z.strictObject({
  region,
  /** Starts and ends with a slash; dots, dashes and underscores as AWS allows. */
  path: z
    .string({ error: 'is required, such as /app/prod/' })
    .trim()
    .max(900)
    .regex(
      /^\/([A-Za-z0-9_.-]+\/)*$/,
      'must start and end with / and hold only letters, digits and . - _ between slashes',
    ),
});

export const secretsManagerConfig = z.discriminatedUnion('mappingBehavior', [
  z.strictObject({
    region,
    mappingBehavior: z.literal('one-to-one'),
    prefix: z
      .string()
      .max(400)
      .regex(/^[A-Za-z0-9/_+=.@-]*$/, 'may hold letters, digits and / _ + = . @ -')
      .optional(),
  }),
  z.strictObject({
    region,
    mappingBehavior: z.literal('many-to-one'),
    secretName: z
      .string({ error: 'is required: the name of the one secret that holds all keys' })
      .min(1)
      .max(512)
      .regex(/^[A-Za-z0-9/_+=.@-]+$/, 'may hold letters, digits and / _ + = . @ -'),
  }),
]);

export type ParameterStoreConfig = z.infer<typeof parameterStoreConfig>;
export type SecretsManagerConfig = z.infer<typeof secretsManagerConfig>;
export type DestinationConfig = ParameterStoreConfig | SecretsManagerConfig;

export const destinations = ['aws-secrets-manager', 'aws-parameter-store'] as const;
export type Destination = (typeof destinations)[number];

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
      /^[A-Za-z0-9_\-/]*(\{\{(secretKey|environment)\}\}[A-Za-z0-9_\-/]*)*$/,
      'may hold letters, digits, _ - / and the placeholders {{secretKey}} and {{environment}}',
    )
    .refine((schema) => schema.split('{{secretKey}}').length === 2, 'must hold {{secretKey}} exactly once')
    .optional(),
  disableSecretDeletion: z.boolean().default(false),
  keyId: z
    .string()
    .max(256)
    .regex(/^[a-zA-Z0-9:/_-]+$/, 'must be a KMS key id, alias or ARN')
    .optional(),
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
  /** Days of the recovery window of Secrets Manager, or deletion at once. */
  recoveryDays: z
    .union([z.number().int().min(7).max(30), z.literal('force')], { error: 'must be 7 to 30 days, or force' })
    .default(7),
  replicaRegions: z.array(region).max(20).optional(),
});

export type SyncOptions = z.infer<typeof syncOptions>;
