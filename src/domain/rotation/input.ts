/**
 * What a rotation is created and changed with: the same rules for library, API and CLI. Unknown
 * fields are refused by name.
 */
import { z } from 'zod';

import { nameShape } from '../name.ts';
import { regionShape } from '../region-shape.ts';

const DAY_SECONDS = 86_400;

const secretKey = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .regex(/^[A-Za-z0-9_.-]+$/, 'may hold letters, digits and _ . -');

const SECONDS_PROBLEM = 'must be 0 to 31,536,000 seconds (365 days)';
const DAYS_PROBLEM = 'must be 1 to 3,650 days';

const seconds = z
  .number()
  .int(SECONDS_PROBLEM)
  .min(0, SECONDS_PROBLEM)
  .max(365 * DAY_SECONDS, SECONDS_PROBLEM);

const timeOfDay = z.strictObject({ hours: z.number().int().min(0).max(23), minutes: z.number().int().min(0).max(59) });

/** What may change while a rotation lives. */
const changeable = {
  name: nameShape,
  description: z.string().max(256).nullable(),
  rotationIntervalDays: z.number().int(DAYS_PROBLEM).min(1, DAYS_PROBLEM).max(3650, DAYS_PROBLEM),
  rotateAtUtc: timeOfDay,
  /** How long the old key stays active at least. */
  graceSeconds: seconds,
  /**
   * How long the old key must show no use. AWS reports uses late, so less than four hours proves
   * little.
   */
  quietSeconds: seconds,
  /** How long the old key stays inactive before it is deleted. */
  holdSeconds: seconds,
  isAutoRotationEnabled: z.boolean(),
  /** Given back to clients that send one. IAM is global, so nothing uses it. */
  region: regionShape.nullable(),
  /**
   * `adopt`: a key that a deleted rotation of another folder of this org left for the same user is
   * taken over.
   */
  onExisting: z.enum(['fail', 'adopt']),
};

const rotationDefaults = {
  rotateAtUtc: { hours: 0, minutes: 0 },
  graceSeconds: DAY_SECONDS,
  quietSeconds: DAY_SECONDS,
  holdSeconds: 7 * DAY_SECONDS,
} as const;

export const rotationSettings = z.strictObject({
  ...changeable,
  description: changeable.description.default(null),
  region: changeable.region.optional(),
  onExisting: changeable.onExisting.default('fail'),
  rotateAtUtc: timeOfDay.default(rotationDefaults.rotateAtUtc),
  graceSeconds: seconds.default(rotationDefaults.graceSeconds),
  quietSeconds: seconds.default(rotationDefaults.quietSeconds),
  holdSeconds: seconds.default(rotationDefaults.holdSeconds),
  isAutoRotationEnabled: z.boolean().default(true),
  /** IAM allows 64 characters; the path is not part of the name. */
  userName: z
    .string()
    .trim()
    .min(1)
    .max(64)
    .regex(/^[\w+=,.@-]+$/, 'must be the name of an IAM user, without its path'),
  secretsMapping: z
    .strictObject({ accessKeyId: secretKey, secretAccessKey: secretKey })
    .refine((mapping) => mapping.accessKeyId !== mapping.secretAccessKey, 'must name two different secrets'),
  /**
   * The key that consumers hold today: it is replaced at the first rotation, and nothing changes
   * for them before.
   */
  adoptKey: z
    .strictObject({
      accessKeyId: z
        .string()
        .trim()
        .regex(/^AKIA[A-Z0-9]{12,124}$/, 'must be a long-lived access key id (AKIA…)'),
      secretAccessKey: z.string().trim().min(16).max(128),
    })
    .optional(),
});

export type RotationSettings = z.infer<typeof rotationSettings>;

export const rotationChanges = z.strictObject(changeable).partial();
export type RotationChanges = z.infer<typeof rotationChanges>;

/** Settings with names resolved to rows of the same org. */
export interface NewRotation extends RotationSettings {
  readonly connectionId: string;
  readonly folderId: string;
  readonly projectId?: string | null;
  readonly requestedBy: string | null;
}
