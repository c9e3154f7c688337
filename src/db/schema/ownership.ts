/**
 * Tables that say whose an object at AWS is: this installation, and what its deleted syncs and
 * rotations left behind.
 */
import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, text, unique, uniqueIndex, uuid } from 'drizzle-orm/pg-core';

import type { DestinationService } from '../../domain/destinations/names.ts';
import type { GuardReason } from '../../domain/installation.ts';
import { moment } from '../moment.ts';
import { keyferry } from './columns.ts';

/** Exactly one row, inserted by `migrate`. Its id is part of every ownership tag. */
export const installation = keyferry.table(
  'installation',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    /** KEYFERRY_INSTALLATION of the first worker that had one. */
    name: text('name'),
    /** Grows when the database may have lost commits: a failover, or an accepted restore. */
    epoch: integer('epoch').notNull().default(1),
    /**
     * Null in the first epoch. Subjects that are older compare themselves with AWS before they
     * write.
     */
    epochStartedAt: moment('epoch_started_at'),
    /** Every worker raises it once a minute: a lower one than seen is an older database. */
    counter: bigint('counter', { mode: 'number' }).notNull().default(0),
    seenAt: moment('seen_at'),
    /**
     * From pg_control_system(); null before the first worker, and where the server does not let
     * this role read it.
     */
    systemIdentifier: text('system_identifier'),
    /**
     * Name and oid, as `shop/16384`: a restored dump gets another oid. Null before the first
     * worker.
     */
    databaseName: text('database_name'),
    /**
     * Of the write-ahead log; null before the first worker, and where the server does not let this
     * role read it.
     */
    timeline: integer('timeline'),
    /** Why workers change nothing at AWS; null while they may. */
    guardReason: text('guard_reason').$type<GuardReason>(),
    guardedAt: moment('guarded_at'),
    /** The time of the newest migration that a program must know to work with this schema. */
    compatibleSince: bigint('compatible_since', { mode: 'number' }).notNull().default(0),
    /**
     * The workers' own AWS identities, by kind and key or owner; one that is not used any more is
     * dropped after a while.
     */
    baseIdentities: jsonb('base_identities').$type<Readonly<Record<string, unknown>>>().notNull().default({}),
    /** The worker processes that reported themselves within the hour, by an id of the process. */
    workers: jsonb('workers').$type<Readonly<Record<string, unknown>>>().notNull().default({}),
    createdAt: moment('created_at')
      .notNull()
      .default(sql`now()`),
  },
  () => [uniqueIndex('installation_only').on(sql`(true)`)],
);

/**
 * Objects that a deleted sync or rotation left at AWS, one row per remote name. A tombstone may let
 * a new sync take the object over; it never authorises a deletion.
 */
export const tombstones = keyferry.table(
  'tombstones',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    installationId: uuid('installation_id').notNull(),
    orgId: text('org_id').notNull(),
    kind: text('kind').$type<'sync' | 'rotation'>().notNull(),
    /** The deleted sync or rotation. */
    subjectId: uuid('subject_id').notNull(),
    folderId: uuid('folder_id'),
    partition: text('partition').notNull(),
    accountId: text('account_id').notNull(),
    /** Empty for IAM. */
    region: text('region').notNull(),
    service: text('service').$type<DestinationService | 'iam'>().notNull(),
    /** Of a rotation: the IAM user's name. */
    remoteName: text('remote_name').notNull(),
    /** Null when the last write had no recorded answer. */
    lastVersion: text('last_version'),
    /** Access keys that a rotation left. */
    accessKeyIds: text('access_key_ids').array().notNull().default([]),
    /** Keys that a sync owned inside a JSON secret. */
    documentKeys: text('document_keys').array().notNull().default([]),
    /**
     * Tags that a sync set beside the one of ownership: whoever takes the object over sets its own
     * in their place.
     */
    tags: jsonb('tags').$type<Readonly<Record<string, string>>>().notNull().default({}),
    createdAt: moment('created_at')
      .notNull()
      .default(sql`now()`),
  },
  (t) => [
    unique('tombstones_object').on(t.partition, t.accountId, t.region, t.service, t.remoteName),
    index('tombstones_by_age').on(t.createdAt),
  ],
);
