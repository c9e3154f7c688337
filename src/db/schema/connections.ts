/** Connections: credentials, their verdict, and when they are checked again. */
import { sql } from 'drizzle-orm';
import { boolean, index, integer, jsonb, text, unique, uniqueIndex, uuid } from 'drizzle-orm/pg-core';

import type { ExternalIdException, StoredCandidate, Via } from '../../domain/connection/candidate.ts';
import type { Check } from '../../domain/connection/checks.ts';
import { moment } from '../moment.ts';
import { created, keyferry, troubled, updated, work, workIndexes } from './columns.ts';

export const connections = keyferry.table(
  'connections',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    orgId: text('org_id').notNull(),
    name: text('name').notNull(),
    method: text('method').$type<'assume-role' | 'access-key'>().notNull(),
    roleArn: text('role_arn'),
    externalId: text('external_id'),
    accessKeyId: text('access_key_id'),
    secretAccessKey: text('secret_access_key'),
    /** Grows with every change of role, key or secret: sessions and ciphertexts are bound to it. */
    credentialsRevision: integer('credentials_revision').notNull().default(1),
    /**
     * Credentials that replace the present ones once a validation accepts them; kept with the
     * reason when it refused them.
     */
    candidate: jsonb('candidate').$type<StoredCandidate>(),
    /** The candidate's secret access key, encrypted for the revision that it would become. */
    candidateSecret: text('candidate_secret'),
    /** An operator's permission to use this role although it does not insist on an external ID. */
    externalIdException: jsonb('external_id_exception').$type<ExternalIdException>(),
    /**
     * Whether syncs use the access key only through a federated session that their policy narrows.
     */
    narrowAccessKey: boolean('narrow_access_key').notNull().default(false),
    region: text('region'),
    /** Who set the credentials last. */
    createdVia: text('created_via').$type<Via>().notNull().default('operator'),
    status: text('status').$type<'pending' | 'valid' | 'degraded' | 'invalid'>().notNull().default('pending'),
    statusCode: text('status_code'),
    statusMessage: text('status_message'),
    accountId: text('account_id'),
    principalArn: text('principal_arn'),
    checks: jsonb('checks').$type<readonly Check[]>().notNull().default([]),
    lastValidatedAt: moment('last_validated_at'),
    nextValidationAt: moment('next_validation_at'),
    /** When the enforcement of the external ID was last probed. */
    externalIdProbedAt: moment('external_id_probed_at'),
    consecutiveFailures: integer('consecutive_failures').notNull().default(0),
    createdAt: created(),
    updatedAt: updated(),
    isTroubled: troubled(sql`status in ('invalid', 'degraded')`),
    ...work(),
  },
  (t) => [
    uniqueIndex('connections_org_name').on(t.orgId, t.name, sql`coalesce(${t.projectId}, '')`),
    unique('connections_org_id').on(t.orgId, t.id),
    // What needs a person: few rows, read by the status page and the webhook.
    index('connections_troubled')
      .on(t.statusSince)
      .where(sql`${t.isTroubled}`),
    ...workIndexes('connections', t),
  ],
);
