/** What a list of subjects is narrowed to, and in which order its pages come. */
import { sql, type SQL } from 'drizzle-orm';

import type { DestinationName } from '../../domain/destinations/names.ts';

export interface ListQuery {
  /** Part of a name, an id, a path, an account or a user, whatever case. */
  readonly search?: string | undefined;
  readonly status?: string | undefined;
  readonly orgId?: string | undefined;
  readonly projectId?: string | undefined;
  /** Of syncs. */
  readonly destination?: DestinationName | undefined;
  /** `trouble` puts what needs a person first; both then sort by name. */
  readonly order: 'trouble' | 'name';
  readonly offset: number;
  readonly limit: number;
}

/** `%` and `_` of the reader are letters. */
function pattern(search: string): string {
  return `%${search.replace(/[\\%_]/g, (character) => `\\${character}`)}%`;
}

/** A condition of its own, or a column that is searched for the reader's words. */
type Searched = SQL | { readonly condition: SQL };

/** Subjects whose connection or folder fits: looked up once, instead of joined to every row. */
export function relatives({ search }: ListQuery): readonly Searched[] {
  if (search === undefined) return [];
  const like = pattern(search);
  const connectionIds = sql`select id from keyferry.connections where name ilike ${like}`;
  const folderIds = sql`
    select id from keyferry.folders where secret_path ilike ${like} or environment ilike ${like}`;
  return [
    { condition: sql`t.connection_id in (${connectionIds})` },
    {
      condition: sql`t.folder_id in
        (${folderIds})`,
    },
  ];
}

export function filter(query: ListQuery, statusColumn: SQL, searched: readonly Searched[]): SQL {
  const conditions = [sql`true`];
  if (query.orgId !== undefined) conditions.push(sql`t.org_id = ${query.orgId}`);
  if (query.projectId !== undefined) conditions.push(sql`t.project_id = ${query.projectId}`);
  if (query.destination !== undefined) conditions.push(sql`t.destination = ${query.destination}`);
  if (query.status === 'drifted') conditions.push(sql`t.drift = 'drifted'`);
  else if (query.status === 'paused') conditions.push(sql`t.paused_at is not null`);
  else if (query.status !== undefined) conditions.push(sql`${statusColumn} = ${query.status}`);
  if (query.search !== undefined) {
    const like = pattern(query.search);
    const matches = searched.map((one) => {
      if ('condition' in one) return one.condition;
      return sql`${one} ilike ${like}`;
    });
    conditions.push(sql`(${sql.join(matches, sql` or `)})`);
  }
  return sql.join(conditions, sql` and `);
}

export function window(query: ListQuery): SQL {
  return sql`limit ${query.limit} offset ${query.offset}`;
}

export function orderOf({ order }: ListQuery, column: SQL): SQL {
  if (order === 'name') return sql`order by t.name, t.id`;
  return sql`order by case ${column} when 'invalid' then 0 when 'failed' then 0 when 'blocked'
    then 1 when 'degraded' then 2 when 'partial' then 2
    when 'running' then 3 when 'pending' then 4 else 5 end, t.name, t.id`;
}
