/**
 * Tables of the operations server: who changed what, answers kept for repeated requests,
 * notifications. Part of the schema `keyferry`.
 */
import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';

import type { Caller, Scope } from '../../domain/caller.ts';
import type { WebhookFormat } from '../../domain/webhooks.ts';
import { moment } from '../moment.ts';
import { keyferry } from './columns.ts';

/**
 * One row per change that somebody asked for through API, board, command line or library, refused
 * ones included.
 */
export const auditLog = keyferry.table(
  'audit_log',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    at: moment('at')
      .notNull()
      .default(sql`now()`),
    /** Null for operators, who stand above the orgs. */
    orgId: text('org_id'),
    actor: text('actor').notNull(),
    /**
     * `api`, `board`, `cli`, `library` or `page`; `operator` for what an operator allows an org.
     */
    via: text('via').notNull(),
    /** `connection.create`, `sync.remove`, `board.retry`. */
    action: text('action').notNull(),
    /** Id or name of what it was about; never its content. */
    subject: text('subject'),
    /** Of the HTTP request, as in its answer and in the log; else of nothing but this row. */
    requestId: text('request_id').notNull(),
    /**
     * HTTP status of the answer, or the one that the API would give; null while it is not known,
     * and for ever when the process ended in between.
     */
    statusCode: integer('status_code'),
  },
  (t) => [
    index('audit_log_by_org').on(t.orgId, t.at),
    index('audit_log_by_request').on(t.requestId),
    index('audit_log_by_age').on(t.at),
  ],
);

/** Answers to POST requests with an idempotency key, kept for a day. */
export const idempotencyKeys = keyferry.table(
  'idempotency_keys',
  {
    orgId: text('org_id').notNull(),
    actor: text('actor').notNull(),
    key: text('key').notNull(),
    /**
     * HMAC of method, path and body under the caller's token: it reveals nothing to a reader of the
     * table.
     */
    requestHash: text('request_hash').notNull(),
    createdAt: moment('created_at')
      .notNull()
      .default(sql`now()`),
    /** Null while the first request runs. */
    statusCode: integer('status_code'),
    response: text('response'),
  },
  (t) => [primaryKey({ columns: [t.orgId, t.actor, t.key] }), index('idempotency_keys_by_age').on(t.createdAt)],
);

/** The problem of a subject that was last reported to webhooks. */
export const notificationStates = keyferry.table(
  'notification_states',
  {
    subjectId: uuid('subject_id').notNull(),
    /** `connection`, `sync`, `drift`, `rotation` or `source`: a sync may fail and drift at once. */
    topic: text('topic').notNull(),
    state: text('state').notNull(),
    changedAt: moment('changed_at')
      .notNull()
      .default(sql`now()`),
  },
  (t) => [primaryKey({ columns: [t.subjectId, t.topic] })],
);

/** Endpoints of an org, and how deliveries to them go. */
export const webhooks = keyferry.table(
  'webhooks',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    name: text('name').notNull(),
    /** Scheme, host and port; the rest of the URL may be a credential, as with Slack. */
    origin: text('origin').notNull(),
    /** Encrypted JSON: the whole URL and the secret that signs. */
    target: text('target').notNull(),
    format: text('format').$type<WebhookFormat>().notNull(),
    /** Kinds, where `*` stands for any letters; null: all. */
    events: jsonb('events').$type<readonly string[]>(),
    /** Name of the subject, where `*` stands for any letters; null: all. */
    namePattern: text('name_pattern'),
    /** Attempts in a row without any answer. */
    failures: integer('failures').notNull().default(0),
    /** Nothing is sent before. */
    retryAt: moment('retry_at'),
    lastError: text('last_error'),
    lastDeliveredAt: moment('last_delivered_at'),
    createdAt: moment('created_at')
      .notNull()
      .default(sql`now()`),
  },
  (t) => [unique('webhooks_org_name').on(t.orgId, t.name)],
);

/** The outbox: one row for each event and endpoint. */
export const notifications = keyferry.table(
  'notifications',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    /** Events of one subject leave in this order. */
    seq: bigint('seq', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    /**
     * Null: the operator's endpoint. No foreign key: the deletion of an endpoint must not fail a
     * settlement.
     */
    webhookId: uuid('webhook_id'),
    createdAt: moment('created_at')
      .notNull()
      .default(sql`now()`),
    event: text('event').notNull(),
    subjectId: uuid('subject_id').notNull(),
    payload: jsonb('payload').$type<Readonly<Record<string, unknown>>>().notNull(),
    attempts: integer('attempts').notNull().default(0),
    /** Null once delivered or parked. */
    nextAttemptAt: moment('next_attempt_at').default(sql`now()`),
    deliveredAt: moment('delivered_at'),
    /** Creation or replay: what is not delivered within three days of it is parked. */
    queuedAt: moment('queued_at')
      .notNull()
      .default(sql`now()`),
    parkedAt: moment('parked_at'),
    lastError: text('last_error'),
  },
  (t) => [
    index('notifications_due')
      .on(t.nextAttemptAt)
      .where(sql`${t.nextAttemptAt} is not null`),
    index('notifications_pending')
      .on(t.subjectId, t.seq)
      .where(sql`${t.nextAttemptAt} is not null`),
    index('notifications_queue')
      .on(t.webhookId, t.seq)
      .where(sql`${t.nextAttemptAt} is not null`),
    index('notifications_by_webhook').on(t.webhookId, t.seq),
    index('notifications_parked')
      .on(t.webhookId)
      .where(sql`${t.parkedAt} is not null`),
  ],
);

/** Machine identities: who may log in to the API. The client id is the row's id. */
export const identities = keyferry.table(
  'identities',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    name: text('name').notNull(),
    /** Of the client secret, hex. The secret has 256 random bits, so its hash cannot be guessed. */
    secretSha256: text('secret_sha256').notNull(),
    scope: text('scope').$type<Scope>().notNull(),
    /** Null: all projects of the org. */
    projects: jsonb('projects').$type<readonly string[]>(),
    /**
     * What a sync or rotation that this identity creates does with what exists, where the request
     * does not say.
     */
    onExisting: text('on_existing').$type<'fail' | 'adopt'>().notNull().default('fail'),
    expiresAt: moment('expires_at'),
    secretChangedAt: moment('secret_changed_at')
      .notNull()
      .default(sql`now()`),
    createdAt: moment('created_at')
      .notNull()
      .default(sql`now()`),
  },
  (t) => [unique('identities_org_name').on(t.orgId, t.name)],
);

/** What a login gives. A deleted row is a revoked token. */
export const accessTokens = keyferry.table(
  'access_tokens',
  {
    /** Of the token, hex. */
    sha256: text('sha256').primaryKey(),
    /** Null for a login by JWT, which has no row of its own: then `caller` says who it is. */
    identityId: uuid('identity_id').references(() => identities.id, { onDelete: 'cascade' }),
    caller: jsonb('caller').$type<Caller>(),
    expiresAt: moment('expires_at').notNull(),
    /** The latest time to which it can be renewed. */
    renewableUntil: moment('renewable_until').notNull(),
  },
  (t) => [index('access_tokens_by_identity').on(t.identityId), index('access_tokens_by_expiry').on(t.expiresAt)],
);
