/** A key that a person hands over to a rotation: the one that consumers hold. */
import { sql, type SQL } from 'drizzle-orm';

import { JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { toDatabaseError } from '../database-error.ts';
import { type Encryption, rotationKeyPlace } from '../encryption.ts';
import { fromRow } from '../rows.ts';
import { rotations } from '../schema.ts';
import { type RotationRow } from '../engine/subjects.ts';
import { dueUnlessPaused } from '../engine/due.ts';
import { wakes } from '../engine/wake.ts';
import type { AdoptedKeyPair } from '../../domain/rotation/records.ts';

interface Stores {
  readonly db: Database;
  readonly encryption: Encryption;
}

/**
 * The key that consumers hold, as a person states. After a restore it replaces whatever this
 * database takes for the active one: the rotation continues with its publication, and what it knew
 * before is retired as every old key is. Rows: one, or none where neither is allowed. Locks: the
 * rotation's row. Fence: no run holds it, and its state is the one that the condition names.
 */
export async function adoptKey(
  { db, encryption }: Stores,
  row: RotationRow,
  pair: AdoptedKeyPair,
): Promise<RotationRow> {
  const place = rotationKeyPlace({ orgId: row.orgId, rotationId: row.id, accessKeyId: pair.accessKeyId });
  const secret = await encryption.encrypt(pair.secretAccessKey, place);
  const [updated] = await db
    .execute(
      sql`
      with ${restoredRotation(row, pair)},
      ${firstRotation(row, pair)},
      changed as (
        select * from restored union all select * from adopted
      ),
      key as (
        insert into keyferry.rotation_keys (rotation_id, access_key_id, state, secret)
        select changed.id, ${pair.accessKeyId}, 'active', ${secret} from changed
        on conflict (rotation_id, access_key_id) do update
        set state = 'active', secret = excluded.secret
      ),
      step as (
        insert into keyferry.rotation_steps (rotation_id, phase, step, access_key_id)
        select changed.id, changed.phase, 'key-adopted', ${pair.accessKeyId} from changed
      )
      select changed.*, ${wakes('rotate')} as woken from changed`,
    )
    .catch((error: unknown) => {
      throw toDatabaseError(error);
    });
  if (!updated) {
    throw new JobError('KEY_ROTATION_BUSY', {
      message: `${row.name} already has a key of its own, or is in progress. A key is adopted before the first rotation.`,
    });
  }
  return fromRow(rotations, updated);
}

/**
 * Blocked by what a restored database does not know: whatever phase it was in, it continues with
 * this key's publication.
 */
const restoredRotation = (row: RotationRow, pair: AdoptedKeyPair): SQL => sql`
      restored as (
        update keyferry.rotations t
        set active_access_key_id = ${pair.accessKeyId},
          phase = 'publishing',
          phase_state = t.phase_state - 'cycle' - 'intent' - 'orphan' - 'wait' - 'block' - 'failure'
            || jsonb_build_object('cycle', jsonb_build_object(
              'startedAt', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
              'newKeyId', ${pair.accessKeyId}::text,
              'oldKeyIds', (
                select coalesce(jsonb_agg(k.access_key_id), '[]')
                from keyferry.rotation_keys k
                where k.rotation_id = t.id
                  and k.access_key_id <> ${pair.accessKeyId}
                  and k.state not in ('deleted', 'foreign')
              )
            )),
          updated_at = now(),
          ${dueUnlessPaused('changed')}
        where t.id = ${row.id}
          and t.status_code = 'KEY_RESTORED'
          and t.run_token is null
        returning t.*
      )`;

/** Before its first rotation. */
const firstRotation = (row: RotationRow, pair: AdoptedKeyPair): SQL => sql`
      adopted as (
        -- Looked at again at once: the pair is checked, and a block by this key ends.
        update keyferry.rotations t
        set active_access_key_id = ${pair.accessKeyId},
          phase_state = t.phase_state - 'inspectedAt' - 'block',
          updated_at = now(),
          ${dueUnlessPaused('changed')}
        where t.id = ${row.id} and t.phase in ('idle', 'creating')
          and t.phase_state -> 'intent' is null and t.run_token is null
          and t.status_code is distinct from 'KEY_RESTORED'
          and not exists (select 1 from keyferry.rotation_keys k
            where k.rotation_id = t.id and k.state in ('pending', 'active', 'retiring')
            and k.access_key_id <> ${pair.accessKeyId})
        returning t.*
      )`;
