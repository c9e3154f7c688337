/**
 * What an org can look back on: its runs, its folders and the audit trail. Only reads; values and
 * ciphertexts are in none of it.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Database } from './client.ts';
import { logicalRuns, toLogicalRun, type LogicalRun } from './logical-runs.ts';
import { parseMoment } from './moment.ts';
import { fromRow } from './rows.ts';
import { auditLog } from './schema.ts';
import { execute } from './statement.ts';
import { readerCount } from './sync/tree.ts';
import type { ListedFolder } from '../domain/folders.ts';

export interface RunFilter {
  readonly subjectId?: string | undefined;
  readonly kind?: string | undefined;
  readonly status?: string | undefined;
  readonly limit: number;
}

export type ListedChange = typeof auditLog.$inferSelect;

export type History = ReturnType<typeof createHistory>;

export function createHistory(db: Database) {
  return {
    /** Newest first; a run in slices is one. */
    runs: (orgId: string, filter: RunFilter) => listRuns(db, orgId, filter),
    /** By project, environment and path. */
    folders: (orgId: string, projectId?: string) => listFolders(db, orgId, projectId),
    /** Newest first. */
    audit: (orgId: string, limit: number) => listChanges(db, orgId, limit),
  };
}

async function listRuns(db: Database, orgId: string, filter: RunFilter): Promise<readonly LogicalRun[]> {
  const { subjectId, kind, status, limit } = filter;
  const conditions: SQL[] = [sql`r.org_id = ${orgId}`];
  if (subjectId !== undefined) conditions.push(sql`r.subject_id = ${subjectId}`);
  if (kind !== undefined) conditions.push(sql`r.kind = ${kind}`);
  if (status !== undefined) conditions.push(sql`r.status = ${status}`);
  return (await execute(db, logicalRuns(conditions, limit))).map(toLogicalRun);
}

async function listFolders(db: Database, orgId: string, projectId?: string): Promise<readonly ListedFolder[]> {
  const rows = await execute(
    db,
    sql`
      select f.id, f.project_id, f.environment, f.secret_path, f.revision::int as revision,
        f.updated_at,
        (select count(*)::int from keyferry.secrets s where s.folder_id = f.id) as secrets,
        ${readerCount} as syncs
      from keyferry.folders f
      where f.org_id = ${orgId}
        and (${projectId ?? null}::text is null or f.project_id = ${projectId ?? null})
      order by f.project_id, f.environment, f.secret_path`,
  );
  return rows.map((row) => ({
    id: String(row['id']),
    projectId: String(row['project_id']),
    environment: String(row['environment']),
    secretPath: String(row['secret_path']),
    revision: Number(row['revision']),
    secrets: Number(row['secrets']),
    syncs: Number(row['syncs']),
    updatedAt: parseMoment(row['updated_at']),
  }));
}

async function listChanges(db: Database, orgId: string, limit: number): Promise<readonly ListedChange[]> {
  const rows = await execute(
    db,
    sql`select * from keyferry.audit_log a where a.org_id = ${orgId} order by a.at desc, a.id desc
      limit ${limit}`,
  );
  return rows.map((row) => fromRow(auditLog, row));
}
