/**
 * Which encryption keys the rows use, and their renewal: re-encrypts everything under the first
 * key, online and restartable.
 */
import { sql, type SQL } from 'drizzle-orm';

import { counted } from '../domain/counted.ts';
import { isKmsFault } from '../domain/data-keys.ts';
import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { toDatabaseError } from './database-error.ts';
import { type CipherBinding, COMMITTED, isUndecryptable } from './cipher.ts';
import { encryptedColumns, type EncryptedColumn } from './encrypted-columns.ts';
import type { Encryption } from './encryption.ts';
import { raise } from './statement.ts';

export interface KeyUsage {
  /** Of a local key, or the ARN of a KMS key. */
  readonly keyId: string;
  readonly rows: number;
  readonly isConfigured: boolean;
}

export interface Rewrapped {
  readonly rows: number;
  /** Rows that could not be decrypted, by place; they are left as they are. */
  readonly failed: readonly string[];
}

/** Whether what a backup holds could be read with the configured keys. */
export interface CiphertextCheck {
  readonly kind: string;
  /** Ciphertexts tried: one for each key id in use. */
  readonly tried: number;
  /** Key ids that are missing, or whose configured bytes do not open it. */
  readonly unreadable: readonly string[];
}

export function createEncryptionKeys(db: Database, encryption: Encryption) {
  return {
    usage: () => readUsage(db, encryption),
    /**
     * Throws DB_KEY_MISSING naming the ids and how many rows use them. Returns the fault of KMS
     * that left its keys untried.
     */
    requireAll: () => requireAll(db, encryption),
    /** Tries one ciphertext of each kind and key id. Throws a fault of KMS. */
    tryAll: () => tryAll(db, encryption),
    /**
     * Throws a fault of KMS; what was done until then stays done, and is left out the next time.
     */
    rewrap: () => rewrap(db, encryption),
  };
}

async function readUsage(db: Database, encryption: Encryption): Promise<readonly KeyUsage[]> {
  const counts = new Map<string, number>();
  for (const { table, column } of encryptedColumns) {
    const rows = await db
      .execute<{ key_id: string; n: number }>(
        sql`select split_part(${column}, '.', 2) as key_id, count(*)::int as n from ${table}
          where ${column} is not null group by 1`,
      )
      .catch(raise);
    for (const row of rows) counts.set(row.key_id, (counts.get(row.key_id) ?? 0) + row.n);
  }
  return [...counts].map(([keyId, rows]) => ({ keyId, rows, isConfigured: encryption.keyIds.includes(keyId) }));
}

async function requireAll(db: Database, encryption: Encryption): Promise<JobError | undefined> {
  const missing = (await readUsage(db, encryption)).filter((usage) => !usage.isConfigured);
  if (missing.length > 0) {
    const list = missing.map(({ keyId, rows }) => `${keyId} (${counted(rows, 'row')})`).join(', ');
    const isKms = missing.some(({ keyId }) => keyId.startsWith('arn:'));
    throw new JobError('DB_KEY_MISSING', {
      message: `${isKms ? 'KEYFERRY_KMS_KEY_ARN' : 'KEYFERRY_ENCRYPTION_KEYS'} lacks keys that are in use: ${list}. Add them; all listed keys decrypt.`,
    });
  }
  return requireFitting(db, encryption);
}

/**
 * A key under a known id but with other bytes would only show at the first use: one row per id is
 * tried.
 */
async function requireFitting(db: Database, encryption: Encryption): Promise<JobError | undefined> {
  let fault: JobError | undefined;
  for (const column of encryptedColumns) {
    for (const row of await samplesOf(db, column)) {
      // Asked once: an outage need not be met for each column.
      if (fault && keyIdOf(String(row.cipher)).startsWith('arn:')) continue;
      fault = (await probe(encryption, String(row.cipher), column.place(row))) ?? fault;
    }
  }
  return fault;
}

/** One row per key id. */
async function samplesOf(db: Database, { rows, column }: EncryptedColumn): Promise<Record<string, unknown>[]> {
  return db
    .execute(
      sql`
        select distinct on (split_part(x.cipher, '.', 2)) x.*
        from (${rows} where t.${column} is not null limit 1000) x`,
    )
    .catch(raise);
}

/** Rows tried in each column; one damaged row does not make a key another. */
const SAMPLES = 3;

/**
 * DB_KEY_MISSING when the local key that encrypts opens none of the rows that are found under its
 * id. A key of KMS is AWS's to check.
 */
export async function findMisfit(db: Database, encryption: Encryption): Promise<JobError | undefined> {
  if (encryption.currentKeyId.startsWith('arn:')) return undefined;
  let misfit: JobError | undefined;
  for (const column of encryptedColumns) {
    for (const row of await db.execute(currentRows(column, encryption.currentKeyId)).catch(raise)) {
      const fault = await probe(encryption, String(row['cipher']), column.place(row));
      if (!fault) return undefined;
      misfit = fault;
    }
  }
  return misfit;
}

function currentRows({ rows, column }: EncryptedColumn, currentKeyId: string): SQL {
  return sql`${rows} where split_part(t.${column}, '.', 2) = ${currentKeyId} limit ${SAMPLES}`;
}

async function tryAll(db: Database, encryption: Encryption): Promise<readonly CiphertextCheck[]> {
  const checks: CiphertextCheck[] = [];
  for (const column of encryptedColumns) {
    const samples = await samplesOf(db, column);
    const unreadable: string[] = [];
    for (const row of samples) {
      const cipher = String(row.cipher);
      if (!(await opens(encryption, cipher, column.place(row)))) unreadable.push(keyIdOf(cipher));
    }
    checks.push({ kind: column.kind, tried: samples.length, unreadable });
  }
  return checks;
}

async function opens(encryption: Encryption, ciphertext: string, place: CipherBinding): Promise<boolean> {
  try {
    await encryption.decrypt(ciphertext, place);
    return true;
  } catch (error) {
    if (isUndecryptable(error)) return false;
    throw error;
  }
}

const keyIdOf = (ciphertext: string): string => ciphertext.split('.')[1] ?? '';

async function probe(encryption: Encryption, ciphertext: string, place: CipherBinding): Promise<JobError | undefined> {
  try {
    await encryption.decrypt(ciphertext, place);
    return undefined;
  } catch (cause) {
    if (isKmsFault(cause)) return cause;
    if (!isUndecryptable(cause)) throw cause;
    throw new JobError('DB_KEY_MISSING', {
      message: `The key ${keyIdOf(ciphertext)} is not the one that the rows were encrypted with. Configure the original one.`,
      cause,
    });
  }
}

const BATCH = 500;

async function rewrap(db: Database, encryption: Encryption): Promise<Rewrapped> {
  const misfit = await findMisfit(db, encryption);
  if (misfit) throw misfit;
  let rows = 0;
  const failed: string[] = [];
  for (const target of encryptedColumns) {
    const part = await rewrapColumn({ db, encryption, target });
    rows += part.rows;
    failed.push(...part.failed);
  }
  return { rows, failed };
}

async function rewrapColumn(rewrapping: Rewrapping): Promise<Rewrapped> {
  const { db, encryption, target } = rewrapping;
  let rows = 0;
  const failed: string[] = [];
  for (let after = '', batch: Record<string, unknown>[] = []; ; after = String(batch.at(-1)?.ref)) {
    batch = await db.execute(oldRows(target, encryption.currentKeyId, after)).catch(raise);
    for (const row of batch) {
      if (await rewrapRow(rewrapping, row)) rows += 1;
      else failed.push(target.place(row).rowKey);
    }
    if (batch.length < BATCH) return { rows, failed };
  }
}

/** Under another key, or of a version without commitment. */
function oldRows({ rows, column, ref }: EncryptedColumn, currentKeyId: string, after: string): SQL {
  const isOld = sql`(split_part(t.${column}, '.', 2) <> ${currentKeyId}
    or position(${COMMITTED} in t.${column}) = 0)`;
  return sql`${rows} where t.${column} is not null and ${isOld} and ${ref} > ${after}
    order by ${ref} limit ${BATCH}`;
}

interface Rewrapping {
  readonly db: Database;
  readonly encryption: Encryption;
  readonly target: EncryptedColumn;
}

/**
 * Compare-and-swap on the old ciphertext: a value written in between is newer and under the first
 * key already.
 */
async function rewrapRow({ db, encryption, target }: Rewrapping, row: Record<string, unknown>): Promise<boolean> {
  const place = target.place(row);
  const before = String(row.cipher);
  try {
    const after = await encryption.encrypt(await encryption.decrypt(before, place), place);
    await db.execute(
      sql`update ${target.table} t set ${target.column} = ${after}
        where ${target.ref} = ${String(row.ref)} and t.${target.column} = ${before}`,
    );
    return true;
  } catch (error) {
    if (isUndecryptable(error)) return false;
    throw toDatabaseError(error);
  }
}
