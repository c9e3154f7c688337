/** The parts of a statement that write a transition of a rotation, under the token of the run. */
import { sql, type SQL } from 'drizzle-orm';

import type { Transition } from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { toDatabaseError, violatedConstraint } from '../database-error.ts';
import { type Encryption, rotationKeyPlace } from '../encryption.ts';
import type { RotationRow } from '../engine/subjects.ts';
import { assignments } from '../rows.ts';
import { rotations } from '../schema.ts';

/** Which run writes, and when by its own clock. */
export interface RotationFence {
  readonly rotation: RotationRow;
  readonly runId: string;
  readonly now: Date;
  /**
   * Set where the write depends on settings: nothing is written when a person has changed them
   * since.
   */
  readonly version?: number;
}

export interface TransitionStores {
  readonly db: Database;
  readonly encryption: Encryption;
}

export async function execute(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    // The account is pinned by the first verification: only then is it certain that the user is
    // already managed.
    if (violatedConstraint(error) === 'rotations_user') throw new JobError('KEY_USER_TAKEN', { cause: error });
    throw toDatabaseError(error);
  }
}

export function leaseLost(fence: RotationFence): JobError {
  return new JobError('LEASE_LOST', { context: { subjectId: fence.rotation.id, runId: fence.runId } });
}

/**
 * The common table expressions that write a transition: `subject`, which is empty when the run may
 * not write, then all that hangs on it.
 */
export function transitionParts(
  fence: RotationFence,
  write: { transition: Transition; gate: SQL; keys: readonly KeyRecord[] },
): SQL {
  const { transition, gate, keys } = write;
  const now = fence.now.toISOString();
  const { note } = transition;
  return sql`
    subject as (
      update keyferry.rotations t
      set updated_at = now(), phase = ${transition.phase},
        phase_state = ${JSON.stringify(transition.state)}::jsonb,
        phase_entered_at = case when t.phase = ${transition.phase} then t.phase_entered_at
          else ${now}::timestamptz end
        ${assignments(rotations, transition.changes ?? {})}
      where t.id = ${fence.rotation.id} and t.run_token = ${fence.runId} and ${gate}
      returning t.id, t.paused_at
    ),
    step as (
      insert into keyferry.rotation_steps (rotation_id, run_id, at, phase, step, access_key_id,
        detail)
      select subject.id, ${fence.runId}, ${now}::timestamptz, ${transition.phase},
        ${note?.step ?? ''}, ${note?.accessKeyId ?? null}, ${note?.detail ?? null}
      from subject where ${note !== undefined}
    ),
    key_rows as (
      insert into keyferry.rotation_keys
        as k (rotation_id, access_key_id, state, secret, created_at, published_at, retire_after,
        last_used_at)
      select subject.id, c.access_key_id, c.state, c.secret,
        coalesce(c.created_at, ${now}::timestamptz), c.published_at, c.retire_after, c.last_used_at
      from subject, jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
        as c(access_key_id text, state text, secret text, created_at timestamptz,
          published_at timestamptz, retire_after timestamptz, last_used_at timestamptz)
      on conflict (rotation_id, access_key_id) do update set state = excluded.state,
        secret = case when excluded.state = 'deleted' then null
          else coalesce(excluded.secret, k.secret) end,
        published_at = coalesce(excluded.published_at, k.published_at),
        retire_after = coalesce(excluded.retire_after, k.retire_after),
        last_used_at = coalesce(excluded.last_used_at, k.last_used_at)
    )`;
}

type KeyRecord = Readonly<Record<string, unknown>>;

export async function keyRecords(
  encryption: Encryption,
  fence: RotationFence,
  { keys = [] }: Transition,
): Promise<readonly KeyRecord[]> {
  const { orgId, id: rotationId } = fence.rotation;
  const records = keys.map(async ({ accessKeyId, secretAccessKey, ...key }) => ({
    access_key_id: accessKeyId,
    state: key.state,
    secret:
      secretAccessKey === undefined
        ? null
        : await encryption.encrypt(secretAccessKey, rotationKeyPlace({ orgId, rotationId, accessKeyId })),
    created_at: key.createdAt,
    published_at: key.publishedAt,
    retire_after: key.retireAfter,
    last_used_at: key.lastUsedAt,
  }));
  return Promise.all(records);
}
