/** What a role needs to create or change a schema, and the statement that grants it. Pure. */
import { JobError } from '../../errors.ts';

const DENIED = '42501';

/**
 * A schema that the role may not use is left out of its search path: then PostgreSQL says 3F000.
 */
export const isSchemaDenied = (code: unknown): boolean => code === DENIED || code === '3F000';

/** Identifiers as PostgreSQL quotes them. */
export interface SchemaRights {
  readonly role: string;
  readonly database: string;
  /** Null when the schema does not exist. */
  readonly owner: string | null;
}

/** One row of `SchemaRights` for the schema named by the first parameter. */
export const schemaRightsStatement = `
  select quote_ident(current_user) as role,
    quote_ident(current_database()) as database,
    (
      select quote_ident(pg_get_userbyid(n.nspowner)) from pg_namespace n where n.nspname = $1
    ) as owner`;

export function toSchemaDenied(schema: string, { role, database, owner }: SchemaRights, cause: unknown): JobError {
  const operatorMessage =
    owner === null
      ? `PostgreSQL denies ${role} the schema ${schema} (${DENIED}). Run: GRANT CREATE ON DATABASE ${database} TO ${role}; or: CREATE SCHEMA ${schema} AUTHORIZATION ${role};`
      : `PostgreSQL denies ${role} a right in the schema ${schema}, owned by ${owner} (${DENIED}). Run: ALTER SCHEMA ${schema} OWNER TO ${role}; with its tables, or migrate as ${owner}.`;
  return new JobError('DB_DENIED', { operatorMessage, context: { sqlState: DENIED }, cause });
}
