/** Rotations, their keys and their timeline. */
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  foreignKey,
  index,
  integer,
  interval,
  jsonb,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

import { moment } from '../moment.ts';
import { created, keyferry, troubled, updated, work, workIndexes } from './columns.ts';
import { connections } from './connections.ts';
import { folders } from './secrets.ts';

export const rotations = keyferry.table(
  'rotations',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    name: text('name').notNull(),
    connectionId: uuid('connection_id').notNull(),
    folderId: uuid('folder_id').notNull(),
    userName: text('user_name').notNull(),
    userId: text('user_id'),
    accountId: text('account_id'),
    secretsMapping: jsonb('secrets_mapping').$type<{ accessKeyId: string; secretAccessKey: string }>().notNull(),
    rotationIntervalDays: integer('rotation_interval_days').notNull(),
    rotateAtUtc: jsonb('rotate_at_utc').$type<{ hours: number; minutes: number }>().notNull(),
    /** Kept for clients that send one and expect it back; IAM is global. */
    region: text('region'),
    /** Whether a key is taken over that a deleted rotation of another folder left. */
    onExisting: text('on_existing').$type<'fail' | 'adopt'>().notNull().default('fail'),
    grace: interval('grace').notNull(),
    /** How `grace` is read: the text of an interval depends on the session's IntervalStyle. */
    graceSeconds: integer('grace_seconds')
      .generatedAlwaysAs(sql`extract(epoch from grace)::integer`)
      .notNull(),
    /** Further times of the machine. */
    quietSeconds: integer('quiet_seconds').notNull(),
    holdSeconds: integer('hold_seconds').notNull(),
    isAutoRotationEnabled: boolean('is_auto_rotation_enabled').notNull().default(true),
    phase: text('phase').notNull().default('idle'),
    /**
     * What the present phase needs to remember: the intent with the keys seen, counters, deadlines.
     * Never a secret.
     */
    phaseState: jsonb('phase_state').$type<Readonly<Record<string, unknown>>>().notNull().default({}),
    phaseEnteredAt: moment('phase_entered_at')
      .notNull()
      .default(sql`now()`),
    rotationStatus: text('rotation_status')
      .$type<'pending' | 'running' | 'succeeded' | 'failed' | 'blocked'>()
      .notNull()
      .default('pending'),
    statusCode: text('status_code'),
    statusMessage: text('status_message'),
    activeAccessKeyId: text('active_access_key_id'),
    lastRotatedAt: moment('last_rotated_at'),
    nextRotationAt: moment('next_rotation_at'),
    pausedAt: moment('paused_at'),
    /**
     * When this subject last compared itself with AWS because of a new epoch of the installation.
     */
    comparedAt: moment('compared_at'),
    createdAt: created(),
    updatedAt: updated(),
    isTroubled: troubled(sql`rotation_status in ('failed', 'blocked')`),
    ...work(),
  },
  (t) => [
    uniqueIndex('rotations_org_name').on(t.orgId, t.name, sql`coalesce(${t.projectId}, '')`),
    // What needs a person: few rows, read by the status page and the webhook.
    index('rotations_troubled')
      .on(t.statusSince)
      .where(sql`${t.isTroubled}`),
    // One rotation per IAM user: two would delete each other's keys. IAM does not distinguish names
    // by case.
    uniqueIndex('rotations_user').on(t.accountId, sql`lower(${t.userName})`),
    foreignKey({
      name: 'rotations_connection',
      columns: [t.orgId, t.connectionId],
      foreignColumns: [connections.orgId, connections.id],
    }),
    foreignKey({
      name: 'rotations_folder',
      columns: [t.orgId, t.folderId],
      foreignColumns: [folders.orgId, folders.id],
    }),
    index('rotations_by_connection').on(t.connectionId),
    ...workIndexes('rotations', t),
  ],
);

export const rotationKeys = keyferry.table(
  'rotation_keys',
  {
    rotationId: uuid('rotation_id')
      .notNull()
      .references(() => rotations.id, { onDelete: 'cascade' }),
    accessKeyId: text('access_key_id').notNull(),
    state: text('state').$type<'pending' | 'active' | 'retiring' | 'inactive' | 'deleted' | 'foreign'>().notNull(),
    secret: text('secret'),
    createdAt: created(),
    publishedAt: moment('published_at'),
    retireAfter: moment('retire_after'),
    lastUsedAt: moment('last_used_at'),
  },
  (t) => [primaryKey({ columns: [t.rotationId, t.accessKeyId] })],
);

/** The timeline of a rotation: one row per persisted step. */
export const rotationSteps = keyferry.table(
  'rotation_steps',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    rotationId: uuid('rotation_id')
      .notNull()
      .references(() => rotations.id, { onDelete: 'cascade' }),
    runId: uuid('run_id'),
    at: moment('at')
      .notNull()
      .default(sql`now()`),
    phase: text('phase').notNull(),
    step: text('step').notNull(),
    accessKeyId: text('access_key_id'),
    detail: text('detail'),
  },
  (t) => [index('rotation_steps_by_rotation').on(t.rotationId, t.id)],
);
