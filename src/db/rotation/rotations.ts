/**
 * Rotations: the rows, their creation and change, and the reading of keys and timeline, without
 * secrets. Orders of people for a rotation in progress are in `orders.ts`, what a run writes in
 * `steps.ts`.
 */
import { and, asc, desc, eq, sql } from 'drizzle-orm';

import { pickReferred, textOf, type Reference } from '../../domain/reference.ts';
import type { NewRotation, RotationChanges } from '../../domain/rotation/input.ts';
import { nextRotationAt, type RotationSchedule } from '../../domain/rotation/schedule.ts';
import { parsePhaseState } from '../../domain/rotation/rotation.ts';
import { JobError } from '../../errors.ts';
import { currentTraceparent } from '../../observe/trace.ts';
import type { Database } from '../client.ts';
import { toDatabaseError, violatedConstraint } from '../database-error.ts';
import { type Encryption, rotationKeyPlace } from '../encryption.ts';
import { adoptKey } from './adoption.ts';
import { createRotationOrders } from './orders.ts';
import { heldElsewhere, rotationById } from './reads.ts';
import { createRotationSteps } from './steps.ts';
import { findLeftKeys } from './tombstones.ts';
import { assignments, fromRow, insertion, referred } from '../rows.ts';
import { rotations, rotationSteps } from '../schema.ts';
import { nowMs, type RotationRow } from '../engine/subjects.ts';
import { raise } from '../statement.ts';
import { dueUnlessPaused } from '../engine/due.ts';
import { wakes } from '../engine/wake.ts';
import type { AdoptedKeyPair, KnownKey, RotationStep } from '../../domain/rotation/records.ts';

/**
 * The row, and the request that its first run answers: published, or, with an adopted key, the
 * user's keys listed.
 */
export type CreatedRotationRow = RotationRow & { readonly requestId: string };

/** With the connection resolved to a row of the same org and account. */
export type ResolvedChanges = RotationChanges & { readonly connectionId?: string };

interface Stores {
  readonly db: Database;
  readonly encryption: Encryption;
}

export type Rotations = ReturnType<typeof createRotations>;

export function createRotations(db: Database, encryption: Encryption) {
  const stores = { db, encryption };
  const run = createRotationSteps(db, encryption);
  return {
    /**
     * Due at once: its first run makes the first key, or, with an adopted one, only looks at the
     * user's keys.
     */
    create: (orgId: string, input: NewRotation) => createRotation(stores, orgId, input),
    get: (orgId: string, reference: Reference) => getRotation(db, orgId, reference),
    byId: (id: string) => rotationById(db, id),
    list: (orgId: string) => listRotations(db, orgId),
    /**
     * New times count from now on; a new schedule counts from the rotation in progress, or from the
     * last one. Undefined when the row changed since it was read.
     */
    updateAsRead: (row: RotationRow, changes: ResolvedChanges) => updateAsRead(db, row, changes),
    /**
     * The key that consumers hold, before the first rotation or after a restore. Throws
     * KEY_ROTATION_BUSY.
     */
    adoptKey: (row: RotationRow, pair: AdoptedKeyPair) => adoptKey(stores, row, pair),
    keys: (rotationId: string): Promise<readonly KnownKey[]> => run.knownKeys(rotationId),
    /** The timeline, oldest first; of a long one the latest `limit` lines. */
    steps: (rotationId: string, limit = 200) => listSteps(db, rotationId, limit),
    ...createRotationOrders(db),
    /** For the processor. */
    run,
  };
}

/**
 * Rows: one, the rotation with the id of its first request. Locks: the inserted rows, and the two
 * secrets that it manages from now on. Fence: unique indexes on the name and on the user. Throws
 * CONNECTION_NOT_FOUND, KEY_ROTATION_NAME_TAKEN, KEY_USER_TAKEN, SECRET_MANAGED.
 */
async function createRotation(stores: Stores, orgId: string, given: NewRotation): Promise<CreatedRotationRow> {
  const { db, encryption } = stores;
  const { accountId, now } = await requireParents(db, orgId, given);
  const id = crypto.randomUUID();
  const input = await withLeftKey(stores, id, { ...given, orgId, accountId });
  const { adoptKey: pair, requestedBy } = input;
  // It is in the folder, so it is published.
  const isLeft = pair !== undefined && given.adoptKey === undefined;
  const secret =
    pair &&
    (await encryption.encrypt(
      pair.secretAccessKey,
      rotationKeyPlace({ orgId, rotationId: id, accessKeyId: pair.accessKeyId }),
    ));
  const values = { id, ...toColumns(input, now) };
  try {
    const [row] = await db.execute(sql`
      with made as (insert into keyferry.rotations ${insertion(rotations, values)} returning *),
      key as (
        insert into keyferry.rotation_keys (rotation_id, access_key_id, state, secret, published_at)
        select made.id, ${pair?.accessKeyId ?? ''}, 'active', ${secret ?? null},
          case when ${isLeft} then now() end
        from made where ${pair !== undefined}
      ),
      managed as (
        update keyferry.secrets s set managed_by = made.id
        from made
        where ${isLeft} and s.folder_id = made.folder_id
          and s.key in (${input.secretsMapping.accessKeyId},
            ${input.secretsMapping.secretAccessKey})
      ),
      step as (
        insert into keyferry.rotation_steps (rotation_id, phase, step, detail, access_key_id)
        select made.id, 'idle', 'rotation-created',
          ${requestedBy === null ? null : `by ${requestedBy}`}, ${pair?.accessKeyId ?? null}
        from made
      ),
      request as (
        insert into keyferry.requests (org_id, kind, subject_id, actor, reason, parameters)
        select made.org_id, 'rotate', made.id, ${requestedBy}, 'created',
          ${JSON.stringify(pair ? { command: 'inspect' } : {})}::jsonb from made
        returning id
      )
      select made.*, request.id as _request_id, ${wakes('rotate')} as _woken from made, request`);
    return { ...fromRow(rotations, row ?? {}), requestId: String(row?._request_id) };
  } catch (error) {
    throw toRowError(error, input);
  }
}

type Owned = NewRotation & { readonly orgId: string; readonly accountId: string | null };

/**
 * What a deleted rotation left and the folder still gives to consumers is adopted: a new key at
 * once would take a second place from the user.
 */
async function withLeftKey(stores: Stores, id: string, input: Owned): Promise<Owned> {
  if (input.adoptKey !== undefined) return input;
  const { pair } = await findLeftKeys(stores, input);
  if (pair?.isHere !== true) return input;
  const { accessKeyId, secretAccessKey } = pair;
  const held = await heldElsewhere(stores.db, { id, connectionId: input.connectionId }, [accessKeyId]);
  return held.length > 0 ? input : { ...input, adoptKey: { accessKeyId, secretAccessKey } };
}

function toColumns(input: Owned, now: Date) {
  const { adoptKey: pair, requestedBy, graceSeconds, ...columns } = input;
  const scheduled = nextRotationAt(now, { intervalDays: input.rotationIntervalDays, rotateAtUtc: input.rotateAtUtc });
  const afterAdoption = input.isAutoRotationEnabled ? scheduled : null;
  return {
    ...columns,
    grace: toInterval(graceSeconds),
    nextRotationAt: pair ? afterAdoption : now,
    activeAccessKeyId: pair?.accessKeyId ?? null,
    nextDueAt: now,
    dueReason: 'created',
    dueRequestedBy: requestedBy,
    dueTraceparent: currentTraceparent(),
  };
}

function toInterval(seconds: number): string {
  return `${String(seconds)} seconds`;
}

/**
 * Connection and folder of this org, with secrets that no other rotation writes. Returns the
 * connection's account, and the database's clock.
 */
async function requireParents(
  db: Database,
  orgId: string,
  input: NewRotation,
): Promise<{ readonly accountId: string | null; readonly now: Date }> {
  const { accessKeyId, secretAccessKey } = input.secretsMapping;
  const [row] = await db
    .execute(
      sql`
      select ${nowMs} as now_ms, c.account_id, c.id is not null as has_connection,
        f.id is not null as has_folder, (
          select r.name from keyferry.rotations r where r.folder_id = f.id and (
            r.secrets_mapping ->> 'accessKeyId' in (${accessKeyId}, ${secretAccessKey})
            or r.secrets_mapping ->> 'secretAccessKey' in (${accessKeyId}, ${secretAccessKey}))
              limit 1
        ) as other
      from (select 1) one
        left join keyferry.connections c on c.id = ${input.connectionId} and c.org_id = ${orgId}
        left join keyferry.folders f on f.id = ${input.folderId} and f.org_id = ${orgId}`,
    )
    .catch(raise);
  if (row?.has_connection !== true) throw new JobError('CONNECTION_NOT_FOUND');
  if (row.has_folder !== true) throw new JobError('SECRET_FOLDER_NOT_FOUND');
  if (typeof row.other === 'string') {
    throw new JobError('SECRET_MANAGED', {
      message: `The rotation ${row.other} already writes these secrets. Choose other names, or delete it first.`,
    });
  }
  return { accountId: typeof row.account_id === 'string' ? row.account_id : null, now: new Date(Number(row.now_ms)) };
}

function toRowError(error: unknown, input: { name?: string | undefined; userName?: string | undefined }): JobError {
  switch (violatedConstraint(error)) {
    case 'rotations_org_name':
      return new JobError('KEY_ROTATION_NAME_TAKEN', {
        message: `A rotation named ${input.name ?? ''} already exists. Choose another name, or update that one.`,
      });
    case 'rotations_user':
      // It may be another org's, so it is not named.
      return new JobError('KEY_USER_TAKEN', {
        message: `Another rotation manages the IAM user ${input.userName ?? ''}. Delete that one first.`,
      });
    default:
      return toDatabaseError(error);
  }
}

/** Throws KEY_ROTATION_NOT_FOUND, also for another org's rotation. */
async function getRotation(db: Database, orgId: string, reference: Reference): Promise<RotationRow> {
  const matches = await db
    .select()
    .from(rotations)
    .where(and(eq(rotations.orgId, orgId), referred(rotations, reference)))
    .catch(raise);
  const row = pickReferred(reference, matches);
  if (!row) throw new JobError('KEY_ROTATION_NOT_FOUND', { message: `There is no rotation ${textOf(reference)}.` });
  return row;
}

async function listRotations(db: Database, orgId: string): Promise<readonly RotationRow[]> {
  return db.select().from(rotations).where(eq(rotations.orgId, orgId)).orderBy(asc(rotations.name)).catch(raise);
}

/**
 * Undefined when settings or phase are not those of `row` any more: the next rotation was counted
 * from them.
 */
async function updateAsRead(
  db: Database,
  row: RotationRow,
  changes: ResolvedChanges,
): Promise<RotationRow | undefined> {
  const { graceSeconds, ...columns } = changes;
  const set = assignments(rotations, {
    ...columns,
    ...(graceSeconds === undefined ? {} : { grace: toInterval(graceSeconds) }),
    ...rescheduled(row, changes),
  });
  try {
    const [updated] = await db.execute(sql`
      update keyferry.rotations t set
        version = t.version + 1,
        updated_at = now(),
        ${dueUnlessPaused('changed')}
        -- What it may adopt may be what blocks it.
        ${changes.onExisting === undefined ? sql`` : sql`, phase_state = t.phase_state - 'block'`}
        ${set}
      where t.id = ${row.id} and t.version = ${row.version} and t.phase = ${row.phase}
      returning *, ${wakes('rotate')} as woken`);
    return updated && fromRow(rotations, updated);
  } catch (error) {
    throw toRowError(error, { name: changes.name });
  }
}

function rescheduled(row: RotationRow, changes: RotationChanges): { nextRotationAt?: Date | null } {
  const { rotationIntervalDays, rotateAtUtc, isAutoRotationEnabled } = changes;
  if (rotationIntervalDays === undefined && rotateAtUtc === undefined && isAutoRotationEnabled === undefined) return {};
  const startedAt = parsePhaseState(row.phaseState).cycle?.startedAt;
  // The first rotation is due regardless of the schedule.
  if (startedAt === undefined && row.lastRotatedAt === null && row.activeAccessKeyId === null) return {};
  if (!(isAutoRotationEnabled ?? row.isAutoRotationEnabled)) return { nextRotationAt: null };
  const schedule: RotationSchedule = {
    intervalDays: rotationIntervalDays ?? row.rotationIntervalDays,
    rotateAtUtc: rotateAtUtc ?? row.rotateAtUtc,
  };
  const last = startedAt === undefined ? (row.lastRotatedAt ?? row.createdAt) : new Date(startedAt);
  return { nextRotationAt: nextRotationAt(last, schedule) };
}

async function listSteps(db: Database, rotationId: string, limit: number): Promise<readonly RotationStep[]> {
  const rows = await db
    .select()
    .from(rotationSteps)
    .where(eq(rotationSteps.rotationId, rotationId))
    .orderBy(desc(rotationSteps.id))
    .limit(limit)
    .catch(raise);
  return rows
    .reverse()
    .map(({ at, phase, step, accessKeyId, detail, runId }) => ({ at, phase, step, accessKeyId, detail, runId }));
}
