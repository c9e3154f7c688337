/**
 * Orders for a rotation: pause, resume, cancel, reactivate, revoke, delete. An order to a rotation
 * in progress is a row in `requests`, which its next run answers; an order that the phase does not
 * allow is refused here, with the reason.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { Command } from '../../domain/rotation/wishes.ts';
import { JobError } from '../../errors.ts';
import type { Database } from '../client.ts';
import { dueReaders } from '../sync/due-readers.ts';
import { foldersAbove, isAboveAsSeen, syncsReading } from '../sync/tree.ts';
import { leftKeys } from './tombstones.ts';
import { fromRow } from '../rows.ts';
import { rotations } from '../schema.ts';
import { closedWork, isAsSeen, type RotationRow, untilAsSeen } from '../engine/subjects.ts';
import { execute } from '../statement.ts';
import { dueNow } from '../engine/due.ts';
import { wakes } from '../engine/wake.ts';
import type { RotationWish } from '../../domain/rotation/records.ts';

export function createRotationOrders(db: Database) {
  return {
    /** Stops at the next safe point; keys stay as they are. */
    pause: (row: RotationRow) => untilAsSeen(() => pauseRotation(db, row)),
    resume: (row: RotationRow) => resumeRotation(db, row),
    /** Records the wish for a rotation now. Returns the request's id. */
    request: async (row: RotationRow, wish: RotationWish, actor: string | null) => {
      await requireSyncs(db, row, wish.skipSync ?? []);
      return order(db, { row, actor, parameters: { ...wish }, when: sql`true` }, paused);
    },
    /**
     * Before the publication: the new key goes, the old one stays. Undefined when no cycle was
     * under way; a rotation that was only due is put off.
     */
    cancel: (row: RotationRow, actor: string | null) => cancelRotation(db, row, actor),
    /** During the hold: the old key becomes active again. */
    reactivate: (row: RotationRow, actor: string | null) =>
      order(db, { row, actor, parameters: command('reactivate'), when: sql`t.phase = 'hold'` }, notInHold),
    /**
     * Deletes every key of this rotation at AWS, then pauses it; call `delete` once the request is
     * answered.
     */
    revokeKeys: (row: RotationRow, actor: string | null) =>
      order(db, { row, actor, parameters: command('revoke'), when: notOwnKey }, ownKey),
    /** Keys at AWS stay as they are. `secrets`: what becomes of the two secrets in the folder. */
    delete: (row: RotationRow, secrets: 'keep' | 'remove') => untilAsSeen(() => deleteRotation(db, row, secrets)),
  };
}

function command(name: Command): { readonly command: Command } {
  return { command: name };
}

const notOwnKey = sql`not exists (select 1 from keyferry.connections c
  join keyferry.rotation_keys k on k.access_key_id = c.access_key_id
  where c.id = t.connection_id and k.rotation_id = t.id and k.state <> 'deleted')`;

/**
 * A name that skips nothing is a mistake; it is refused before the rotation waits for the sync that
 * was meant.
 */
async function requireSyncs(db: Database, row: RotationRow, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const [found] = await execute(
    db,
    sql`
      select string_agg(n.name, ', ') as unknown
      from jsonb_array_elements_text(${JSON.stringify(names)}::jsonb) as n(name)
      where not exists (select 1 from ${syncsReading(row.folderId)} s
        where n.name in (s.name, s.id::text))`,
  );
  if (typeof found?.unknown !== 'string') return;
  throw new JobError('SYNC_NOT_FOUND', {
    message: `${row.name} waits for no sync named ${found.unknown}: only syncs of its folder can be skipped.`,
  });
}

function paused(row: RotationRow): JobError {
  return new JobError('KEY_ROTATION_PAUSED', {
    message: `${row.name} is paused. Resume it with \`keyferry rotation resume ${row.name}\`.`,
  });
}

function notInHold(row: RotationRow): JobError {
  return new JobError('KEY_ROTATION_BUSY', {
    message: `${row.name} has no inactive key to bring back: it is in phase ${row.phase}. Only during the hold does this exist.`,
  });
}

function ownKey(row: RotationRow): JobError {
  return new JobError('KEY_ROTATION_BUSY', {
    message: `The connection of ${row.name} signs with this rotation’s key. Give it other credentials first, or delete the rotation without revoking keys.`,
  });
}

interface Order {
  readonly row: RotationRow;
  readonly actor: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** On the row `t`: whether it may be ordered now. */
  readonly when: SQL;
}

/**
 * Writes the request and makes the rotation due. Commands also reach a paused rotation; a wish does
 * not.
 */
async function order(db: Database, wanted: Order, refusal: (row: RotationRow) => JobError): Promise<string> {
  const isCommand = 'command' in wanted.parameters;
  const [row] = await execute(
    db,
    sql`
      with due as (
        update keyferry.rotations t set
          wanted_revision = t.wanted_revision + 1,
          ${dueNow('requested', wanted.actor)}
        where t.id = ${wanted.row.id} and (t.paused_at is null or ${isCommand}) and ${wanted.when}
        returning t.id, t.org_id
      ),
      asked as (
        insert into keyferry.requests (org_id, kind, subject_id, parameters, actor)
        select due.org_id, 'rotate', due.id, ${JSON.stringify(wanted.parameters)}::jsonb,
          ${wanted.actor} from due returning id
      )
      select asked.id, ${wakes('rotate')} as woken from asked`,
  );
  if (!row) throw refusal(wanted.row);
  return String(row.id);
}

/** The rotation as the statement's snapshot shows it, and whether a request of it is open. */
function seenRotation(rotationId: string): SQL {
  return sql`seen as materialized (
        select r.id, r.xmin as row_version, exists (
          select 1 from keyferry.requests q where q.subject_id = r.id and q.done_at is null
        ) as is_asked
        from keyferry.rotations r where r.id = ${rotationId}
      )`;
}

/** Undefined when another transaction changed the row first. */
async function pauseRotation(db: Database, row: RotationRow): Promise<RotationRow | undefined> {
  const rows = await execute(
    db,
    sql`
      with ${seenRotation(row.id)},
      paused as (
        update keyferry.rotations t set
          paused_at = coalesce(t.paused_at, now()),
          next_due_at = case when seen.is_asked then coalesce(t.next_due_at, now()) end,
          updated_at = now(),
          version = t.version + 1
        from seen where t.id = seen.id and ${isAsSeen} returning t.*
      ),
      step as (
        insert into keyferry.rotation_steps (rotation_id, phase, step)
        select paused.id, paused.phase, 'paused' from paused
      )
      select seen.id as _seen_id, paused.* from seen left join paused on paused.id = seen.id`,
  );
  return rows[0]?.['id'] === null ? undefined : changed(rows);
}

/** Writes the rotation’s row and inserts a step. No fence: it is right in every phase. */
async function resumeRotation(db: Database, row: RotationRow): Promise<RotationRow> {
  return changed(
    await execute(
      db,
      sql`
      with resumed as (
        update keyferry.rotations t set
          paused_at = null,
          wanted_revision = t.wanted_revision + 1,
          ${dueNow('changed', null)},
          updated_at = now(),
          version = t.version + 1
        where t.id = ${row.id} returning t.*
      ),
      step as (
        insert into keyferry.rotation_steps (rotation_id, phase, step)
        select resumed.id, resumed.phase, 'resumed' from resumed
      )
      select resumed.*, ${wakes('rotate')} as woken from resumed`,
    ),
  );
}

function changed(rows: readonly Record<string, unknown>[]): RotationRow {
  const [row] = rows;
  if (!row) throw new JobError('KEY_ROTATION_NOT_FOUND');
  return fromRow(rotations, row);
}

async function cancelRotation(db: Database, row: RotationRow, actor: string | null): Promise<string | undefined> {
  if (row.phase === 'creating' || row.phase === 'verifying') {
    const when = sql`t.phase in ('creating', 'verifying')`;
    return order(db, { row, actor, parameters: command('cancel'), when }, tooLate);
  }
  if (row.phase !== 'idle') throw tooLate(row);
  await execute(
    db,
    sql`update keyferry.requests set done_at = now()
      where subject_id = ${row.id} and kind = 'rotate' and done_at is null
      and exists (select 1 from keyferry.rotations t where t.id = ${row.id} and t.phase = 'idle')`,
  );
  return undefined;
}

function tooLate(row: RotationRow): JobError {
  return new JobError('KEY_ROTATION_BUSY', {
    message: `${row.name} has published its new key and cannot be cancelled. \`rotation pause\` keeps the old key; in the hold, \`rotation reactivate\` brings it back.`,
  });
}

/**
 * Rows: one, saying whether the rotation was deleted. Locks: the rotation, its folder, the folders
 * above and the syncs that read it. Fence: the versions of rotation and folder; undefined when one
 * changed first. A cycle that may have made a key nobody knows, or holds one that nobody else
 * knows, must end first.
 */
async function deleteRotation(db: Database, row: RotationRow, secrets: 'keep' | 'remove'): Promise<true | undefined> {
  // A paused rotation whose worker died is claimed by nobody, so that its token would stay for
  // ever.
  const isIdle = sql`(t.run_token is null or t.run_lease_until < now()) and t.phase <> 'verifying'
          and t.phase_state -> 'intent' is null and t.phase_state -> 'orphan' is null`;
  const [result] = await execute(
    db,
    sql`
      with ${seenRotation(row.id)},
      -- The folder, too: a sync that was just attached to it must become due below.
      seen_folder as materialized (
        select f.id, f.xmin as row_version from keyferry.folders f where f.id = ${row.folderId}
      ),
      folder as materialized (
        select f.id from keyferry.folders f join seen_folder using (id)
        where f.xmin = seen_folder.row_version for update of f
      ),
      ${foldersAbove(row.folderId)},
      gone as (
        delete from keyferry.rotations t using seen, folder
        where t.id = seen.id and ${isAsSeen} and ${isAboveAsSeen} and ${isIdle}
        returning t.id, t.org_id, t.folder_id, t.connection_id, t.account_id, t.user_name
      ),
      ${leftKeys(sql`gone`)},
      moved as (
        update keyferry.folders f set revision = f.revision + 1, updated_at = now() from gone
        where f.id = gone.folder_id and ${secrets === 'remove'}
          and exists (select 1 from keyferry.secrets s
            where s.folder_id = f.id and s.managed_by = gone.id)
        returning f.id
      ),
      removed as (
        delete from keyferry.secrets s using moved, gone
        where s.folder_id = moved.id and s.managed_by = gone.id
      ),
      freed as (
        update keyferry.secrets s set managed_by = null from gone
        where s.folder_id = gone.folder_id and s.managed_by = gone.id and ${secrets === 'keep'}
      ),
      ${closedWork(sql`gone`)},
      ${dueReaders()}
      select (select count(*) from gone)::int as gone,
        (select ${wakes('sync')} where exists (select 1 from due)) as woken,
        exists (select 1 from keyferry.rotations t join seen using (id)
          where ${isIdle}) as was_idle`,
  );
  if (Number(result?.gone ?? 0) === 1) return true;
  if (result?.was_idle === true) return undefined;
  throw new JobError('KEY_ROTATION_BUSY', {
    message: `${row.name} is in progress (phase ${row.phase}) and may hold a key that only it knows. Cancel it, or wait until it is published, then delete it.`,
  });
}
