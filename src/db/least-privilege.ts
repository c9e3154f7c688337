/**
 * Least-privilege roles of PostgreSQL, as statements to run once as an administrator, and the views
 * for reports: all columns of all tables but ciphertexts, hashes and what may quote them. Pure.
 */
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';

import * as schema from './schema.ts';

/** Columns, and whole tables (`*`), that no report shows. */
const hidden: Readonly<Record<string, readonly string[] | '*'>> = {
  orgs: ['fingerprint_key'],
  connections: ['secret_access_key', 'candidate', 'candidate_secret'],
  secrets: ['value'],
  sync_entries: ['fingerprint', 'in_flight', 'observed'],
  rotations: ['phase_state'],
  rotation_keys: ['secret'],
  identities: ['secret_sha256'],
  webhooks: ['target'],
  sources: ['target'],
  access_tokens: '*',
  idempotency_keys: '*',
  tombstones: '*',
};

export interface ReportingView {
  readonly table: string;
  readonly columns: readonly string[];
}

const tables: readonly PgTable[] = Object.values(schema);

export const reportingViews: readonly ReportingView[] = tables.flatMap((table) => {
  const { name, columns } = getTableConfig(table);
  const unseen = hidden[name] ?? [];
  if (unseen === '*') return [];
  return [{ table: name, columns: columns.map((column) => column.name).filter((column) => !unseen.includes(column)) }];
});

const rights = {
  tables: 'select, insert, update, delete',
  sequences: 'usage, select',
  functions: 'execute',
} as const;

/**
 * What each role may do; run by an administrator, once, before the first `keyferry migrate`, and
 * the views after it.
 */
export const databaseStatements: readonly string[] = [
  '-- Roles: one that migrates and owns the schemas, one that works, one that reads reports. Give each a password of its own.',
  'create role keyferry_migrate login;',
  'create role keyferry_work login;',
  'create role keyferry_report login;',
  '-- keyferry’s tables, and those of the queues where REDIS_URL is not set.',
  ...['keyferry', 'bullmq'].flatMap((name) => [
    `create schema if not exists ${name} authorization keyferry_migrate;`,
    `grant usage on schema ${name} to keyferry_work;`,
    ...['tables', 'sequences', 'functions'].map(
      (what) =>
        `alter default privileges for role keyferry_migrate in schema ${name} grant ${rights[what as keyof typeof rights]} on ${what} to keyferry_work;`,
    ),
    `grant ${rights.tables} on all tables in schema ${name} to keyferry_work;`,
    `grant ${rights.sequences} on all sequences in schema ${name} to keyferry_work;`,
  ]),
];

/** Again after each `keyferry migrate` that adds a column. */
export const reportingStatements: readonly string[] = [
  '-- Views without ciphertexts.',
  'create schema if not exists reporting;',
  'grant usage on schema reporting to keyferry_report;',
  ...reportingViews.flatMap(({ table, columns }) => [
    `drop view if exists reporting.${table};`,
    `create view reporting.${table} as select ${columns.map((column) => `"${column}"`).join(', ')} from keyferry.${table};`,
    `grant select on reporting.${table} to keyferry_report;`,
  ]),
];
