/** What should be at AWS: folders, their secrets, and the sources that write them. */
import { sql } from 'drizzle-orm';
import { bigint, foreignKey, index, integer, jsonb, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';

import type { SourceConfig, SourceKind } from '../../domain/sources.ts';
import { moment } from '../moment.ts';
import { created, keyferry, updated } from './columns.ts';

export const folders = keyferry.table(
  'folders',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    projectId: text('project_id').notNull(),
    environment: text('environment').notNull(),
    secretPath: text('secret_path').notNull(),
    revision: bigint('revision', { mode: 'number' }).notNull().default(1),
    updatedAt: updated(),
  },
  (t) => [
    unique('folders_place').on(t.orgId, t.projectId, t.environment, t.secretPath),
    unique('folders_org_id').on(t.orgId, t.id),
  ],
);

export const secrets = keyferry.table(
  'secrets',
  {
    folderId: uuid('folder_id')
      .notNull()
      .references(() => folders.id, { onDelete: 'cascade' }),
    key: text('key').notNull(),
    /** Ciphertext, bound to org, folder, key and revision. */
    value: text('value').notNull(),
    /** The folder's revision at which this value was written. */
    revision: bigint('revision', { mode: 'number' }).notNull(),
    metadata: jsonb('metadata').$type<Readonly<Record<string, string>>>().notNull().default({}),
    /** The rotation that alone may write this secret. */
    managedBy: uuid('managed_by'),
    updatedAt: updated(),
  },
  (t) => [primaryKey({ columns: [t.folderId, t.key] })],
);

/** The source of a folder: who alone writes its secrets, besides rotations. */
export const sources = keyferry.table(
  'sources',
  {
    folderId: uuid('folder_id').primaryKey(),
    orgId: text('org_id').notNull(),
    kind: text('kind').$type<SourceKind>().notNull(),
    /** What may be shown. */
    config: jsonb('config').$type<SourceConfig>().notNull(),
    /** Encrypted JSON: all settings, with URL and credentials. */
    target: text('target').notNull(),
    /** Grows with every change of the settings: the ciphertext is bound to it. */
    targetRevision: integer('target_revision').notNull().default(1),
    everySeconds: integer('every_seconds').notNull(),
    status: text('status').$type<'pending' | 'succeeded' | 'blocked' | 'failed'>().notNull().default('pending'),
    statusCode: text('status_code'),
    statusMessage: text('status_message'),
    statusSince: moment('status_since')
      .notNull()
      .default(sql`now()`),
    /** Failed pulls in a row. */
    failures: integer('failures').notNull().default(0),
    etag: text('etag'),
    /**
     * The folder's revision that the last pull left: with `etag` it decides that an unchanged
     * answer need not be parsed. Null: not read with these settings.
     */
    pulledRevision: bigint('pulled_revision', { mode: 'number' }),
    /** The last pull that left the folder equal to its source. */
    lastPulledAt: moment('last_pulled_at'),
    /** Keys of the source that a rotation manages. */
    skippedKeys: jsonb('skipped_keys').$type<readonly string[]>().notNull().default([]),
    nextDueAt: moment('next_due_at')
      .notNull()
      .default(sql`now()`),
    /** Pulls ever asked for, and how many of them are answered. */
    asked: bigint('asked', { mode: 'number' }).notNull().default(1),
    answered: bigint('answered', { mode: 'number' }).notNull().default(0),
    /** `--confirm-deletions N` of the open request. */
    confirmedDeletions: integer('confirmed_deletions'),
    /** Every write of a pull is bound to it. Null with a lease: the pull is in the queue. */
    leaseToken: uuid('lease_token'),
    leaseUntil: moment('lease_until'),
    /**
     * Time of the last accepted notification, in milliseconds of its sender's clock; older ones are
     * refused.
     */
    notifiedAtMs: bigint('notified_at_ms', { mode: 'number' }),
    createdAt: created(),
    updatedAt: updated(),
  },
  (t) => [
    foreignKey({
      name: 'sources_folder',
      columns: [t.orgId, t.folderId],
      foreignColumns: [folders.orgId, folders.id],
    }).onDelete('cascade'),
    index('sources_due').on(t.nextDueAt),
  ],
);
