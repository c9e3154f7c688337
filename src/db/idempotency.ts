/**
 * Answers to repeated POST requests: the first with a key runs, the others get its answer. One
 * statement each; kept for a day.
 */
import { sql } from 'drizzle-orm';

import type { Database } from './client.ts';
import { execute } from './statement.ts';

export interface IdempotentRequest {
  readonly orgId: string;
  readonly actor: string;
  readonly key: string;
  /** Of method, path and body. */
  readonly requestHash: string;
}

export type IdempotencyClaim =
  | { readonly is: 'first' }
  | { readonly is: 'running' }
  /** The key was used for another request. */
  | { readonly is: 'different' }
  | { readonly is: 'answered'; readonly statusCode: number; readonly response: string };

export interface IdempotencyKeys {
  claim(request: IdempotentRequest): Promise<IdempotencyClaim>;
  /** Keeps the answer. */
  answer(request: IdempotentRequest, answer: { readonly statusCode: number; readonly response: string }): Promise<void>;
  /** Forgets the key: the request failed in a way that may pass. */
  release(request: IdempotentRequest): Promise<void>;
}

const KEPT = sql`interval '24 hours'`;
/** A request that did not end within this died with its server: the key may be used again. */
const ABANDONED = sql`interval '2 minutes'`;

export function createIdempotencyKeys(db: Database): IdempotencyKeys {
  return {
    claim: (request) => claim(db, request),
    // One row, fenced by nothing: only the request that claimed the key gets here.
    async answer(request, { statusCode, response }) {
      await execute(
        db,
        sql`update keyferry.idempotency_keys set status_code = ${statusCode}, response = ${response}
          where ${isSame(request)}`,
      );
    },
    async release(request) {
      await execute(
        db,
        sql`delete from keyferry.idempotency_keys
          where ${isSame(request)} and status_code is null`,
      );
    },
  };
}

function isSame({ orgId, actor, key }: IdempotentRequest) {
  return sql`org_id = ${orgId} and actor = ${actor} and key = ${key}`;
}

/**
 * Returns a row to the one request that inserts the key, or takes over one that expired or was
 * abandoned; the others read the stored row. Locks the row of the key, and those of expired keys
 * that it deletes. The primary key is the fence between two requests.
 */
async function claim(db: Database, request: IdempotentRequest): Promise<IdempotencyClaim> {
  const { orgId, actor, key, requestHash } = request;
  const [reserved] = await execute(
    db,
    sql`
      with expired as (
        delete from keyferry.idempotency_keys
        where created_at < now() - ${KEPT} and not (${isSame(request)})
      )
      insert into keyferry.idempotency_keys as k (org_id, actor, key, request_hash)
      values (${orgId}, ${actor}, ${key}, ${requestHash})
      on conflict (org_id, actor, key) do update
      set request_hash = excluded.request_hash, created_at = now(), status_code = null,
        response = null
        where k.created_at < now() - ${KEPT}
          or (k.status_code is null and k.created_at < now() - ${ABANDONED})
      returning key`,
  );
  if (reserved) return { is: 'first' };
  const [known] = await execute(
    db,
    sql`select request_hash, status_code, response from keyferry.idempotency_keys
      where ${isSame(request)}`,
  );
  if (known?.request_hash !== requestHash) return known ? { is: 'different' } : { is: 'running' };
  if (known.status_code === null) return { is: 'running' };
  return { is: 'answered', statusCode: Number(known.status_code), response: String(known.response) };
}
