/**
 * Between hand-written statements and typed rows: column values in and out exactly as drizzle maps
 * them.
 */
import { getTableColumns, is, SQL, sql, type SQLWrapper } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';

import { isUuid, textOf, type Reference } from '../domain/reference.ts';
import { toStorable } from '../domain/text.ts';

type Columns = readonly (readonly [property: string, column: PgColumn])[];
/** Listed once per table: every claim reads a row. */
const columnLists = new WeakMap<PgTable, Columns>();

function columnList(table: PgTable): Columns {
  const known = columnLists.get(table);
  if (known) return known;
  const columns = Object.entries(getTableColumns(table));
  columnLists.set(table, columns);
  return columns;
}

/**
 * A row of `table` out of the raw result of a statement that selected its columns under their own
 * names.
 */
export function fromRow<T extends PgTable>(table: T, raw: Readonly<Record<string, unknown>>): T['$inferSelect'] {
  const row: Record<string, unknown> = {};
  for (const [property, column] of columnList(table)) {
    const value = raw[column.name];
    row[property] = value === null || value === undefined ? null : column.mapFromDriverValue(value);
  }
  return row;
}

/** `set` clauses for the given properties, each with a comma in front; empty for no properties. */
export function assignments<T extends PgTable>(table: T, changes: Partial<T['$inferSelect']>): SQL {
  const columns = getTableColumns(table);
  const parts = Object.entries(changes).flatMap(([property, value]) => {
    const column = columns[property];
    if (!column || value === undefined) return [];
    return [sql`, ${sql.identifier(column.name)} = ${sql.param(value, column)}`];
  });
  return sql.join(parts);
}

/** The columns of the given properties, in a stable order. */
export function columnNames<T extends PgTable>(table: T, changes: Partial<T['$inferSelect']>): readonly string[] {
  const columns = getTableColumns(table);
  const present = Object.keys(changes).filter((property) => changes[property as keyof typeof changes] !== undefined);
  return present.flatMap((property) => columns[property]?.name ?? []).sort();
}

/**
 * Columns with their types, as PostgreSQL's `jsonb_to_record` wants them. A record of all columns
 * costs it several times as much as one of those that a run changes.
 */
export function columnTypes(table: PgTable, names: readonly string[]): SQL {
  const columns = columnList(table).flatMap(([, column]) => (names.includes(column.name) ? [column] : []));
  return sql.join(
    columns.map((column) => sql`${sql.identifier(column.name)} ${sql.raw(column.getSQLType())}`),
    sql`, `,
  );
}

/** The given properties as PostgreSQL's `jsonb_to_record` reads them. */
export function toJsonRow<T extends PgTable>(table: T, changes: Partial<T['$inferSelect']>): Record<string, unknown> {
  const columns = getTableColumns(table);
  const row: Record<string, unknown> = {};
  for (const [property, value] of Object.entries(changes)) {
    const column = columns[property];
    // drizzle would make a text of what is JSON already.
    if (column && value !== undefined)
      row[column.name] = value === null || column.dataType === 'json' ? value : column.mapToDriverValue(value);
  }
  return row;
}

/**
 * `set` clauses that take the given columns from the record `changed`, each with a comma in front;
 * only where `condition` holds.
 */
export function assignedFrom(columns: readonly string[], condition?: SQL): SQL {
  const names = columns.map((column) => sql.identifier(column));
  const value = (name: SQLWrapper) =>
    condition === undefined
      ? sql`changed.${name}`
      : sql`case when ${condition} then changed.${name} else t.${name} end`;
  return sql.join(names.map((name) => sql`, ${name} = ${value(name)}`));
}

/** A value for each column, or an expression of PostgreSQL's. */
export type InsertValues<T extends PgTable> = { [K in keyof T['$inferInsert']]: T['$inferInsert'][K] | SQL };

/**
 * `(columns) values (parameters)` for an insert of one row; absent properties take their defaults.
 */
export function insertion<T extends PgTable>(table: T, values: InsertValues<T>): SQL {
  const columns = getTableColumns(table);
  const present = Object.entries(values).flatMap(([property, value]) => {
    const column = columns[property];
    return column && value !== undefined ? [{ column, value }] : [];
  });
  const names = sql.join(
    present.map(({ column }) => sql.identifier(column.name)),
    sql`, `,
  );
  const parameters = sql.join(
    present.map(({ column, value }) => (is(value, SQL) ? value : sql`${sql.param(value, column)}`)),
    sql`, `,
  );
  return sql`(${names}) values (${parameters})`;
}

/** Rows that a reference may mean: `pickReferred` chooses among them. */
export function referred(columns: { readonly id: SQLWrapper; readonly name: SQLWrapper }, reference: Reference): SQL {
  const text = textOf(reference);
  const byId = isUuid(text) ? sql`${columns.id} = ${text}` : sql`false`;
  const byName = sql`${columns.name} = ${text}`;
  if ('id' in reference) return byId;
  return 'name' in reference ? byName : sql`(${byId} or ${byName})`;
}

/** How JSON writes what PostgreSQL cannot hold. */
const escapedUnstorable = /\\u(?:0000|d[89a-f])/;

/**
 * What runs found out, for a statement that many of them share: text that PostgreSQL cannot hold
 * fails none of them.
 */
export function toStorableJson(found: readonly unknown[]): string {
  const json = JSON.stringify(found);
  // Checking each value costs more than all the rest, and hardly ever finds anything.
  if (!escapedUnstorable.test(json)) return json;
  return JSON.stringify(found, (_key, value: unknown) => (typeof value === 'string' ? toStorable(value) : value));
}
