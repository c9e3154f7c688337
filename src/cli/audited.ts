/**
 * The audit row of a command that changes the installation and not an org. Commands of an org are
 * recorded by its client.
 */
import { randomUUID } from 'node:crypto';

import { type AuditLog, createAuditLog } from '../db/audit-log.ts';
import { openDatabase } from '../db/client.ts';
import { statusOf } from '../domain/http-status.ts';
import { toJobError } from '../errors.ts';
import { personName } from './person.ts';

export async function auditedChange<T>(log: AuditLog, action: string, change: () => Promise<T>): Promise<T> {
  const requestId = randomUUID();
  await log.record({ orgId: undefined, actor: personName(), via: 'cli', action, subject: undefined, requestId });
  // The change is made and on record; only how it ended may be missing.
  const settle = (statusCode: number) => log.settle({ requestId, statusCode }).catch(() => undefined);
  try {
    const result = await change();
    await settle(200);
    return result;
  } catch (error) {
    await settle(statusOf(toJobError(error).code));
    throw error;
  }
}

/** Afterwards: the first migration makes the table. */
export async function recordMigration(databaseUrl: string): Promise<void> {
  const database = openDatabase(databaseUrl);
  try {
    await auditedChange(createAuditLog(database.db), 'database.migrate', () => Promise.resolve());
  } finally {
    await database.close();
  }
}
