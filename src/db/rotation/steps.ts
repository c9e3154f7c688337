/**
 * What a running rotation writes; its reads are in `reads.ts`. Every write is one statement under
 * the run's token: phase, state, keys and a line of the timeline are stored together or not at all,
 * and a run that lost its lease writes nothing.
 */
import { sql, type SQL } from 'drizzle-orm';

import type { RotationTimes, Transition } from '../../domain/rotation/rotation.ts';
import type { Database } from '../client.ts';
import { type Encryption, rotationKeyPlace } from '../encryption.ts';
import type { RotationRow } from '../engine/subjects.ts';
import { retiredKeys } from '../events.ts';
import { publish, type Publication } from './publication.ts';
import { createRotationReads } from './reads.ts';
import {
  execute,
  keyRecords,
  leaseLost,
  transitionParts,
  type RotationFence,
  type TransitionStores,
} from './transitions.ts';

/** What a person may have changed since the claim. */
export interface Advanced {
  readonly isPaused: boolean;
  readonly times: RotationTimes;
}

export type RotationSteps = ReturnType<typeof createRotationSteps>;

export function createRotationSteps(db: Database, encryption: Encryption) {
  const stores = { db, encryption };
  return {
    /**
     * Undefined when the row has another version than `fence.version`. Throws LEASE_LOST when the
     * run does not hold the rotation any more.
     */
    advance: (fence: RotationFence, transition: Transition) => advance(stores, fence, transition),
    /** Throws what keeps the secret of a new key from being encrypted now. */
    requireSealing: async ({ orgId, id: rotationId }: RotationRow): Promise<void> => {
      await encryption.encrypt('', rotationKeyPlace({ orgId, rotationId, accessKeyId: 'none' }));
    },
    /** Throws SECRET_MANAGED when another rotation writes one of the secrets. */
    publish: (fence: RotationFence, publication: Publication) => publish(stores, fence, publication),
    ...createRotationReads(db, encryption),
  };
}

async function advance(
  stores: TransitionStores,
  fence: RotationFence,
  transition: Transition,
): Promise<Advanced | undefined> {
  const { version, rotation, runId } = fence;
  const gate = version === undefined ? sql`true` : sql`t.version = ${version}`;
  const keys = await keyRecords(stores.encryption, fence, transition);
  const [row] = await execute(
    stores.db,
    sql`with ${transitionParts(fence, { transition, gate, keys })}${toldRetirement(transition)}
      select r.run_token = ${runId} as is_held, subject.id is not null as is_written,
        subject.paused_at is not null as is_paused,
        r.grace_seconds, r.quiet_seconds, r.hold_seconds
      from keyferry.rotations r left join subject on subject.id = r.id where r.id = ${rotation.id}`,
  );
  if (row?.is_written === true) return { isPaused: row.is_paused === true, times: toTimes(row) };
  if (version !== undefined && row?.is_held === true) return undefined;
  throw leaseLost(fence);
}

/** Empty where no key stops working. */
function toldRetirement({ keys = [] }: Transition): SQL {
  const gone = keys.filter(({ state }) => state === 'inactive' || state === 'deleted');
  if (gone.length === 0) return sql``;
  return sql`, ${retiredKeys(gone.map(({ accessKeyId }) => accessKeyId))}`;
}

function toTimes(row: Record<string, unknown>): RotationTimes {
  const ms = (seconds: unknown) => Number(seconds) * 1_000;
  return { graceMs: ms(row.grace_seconds), quietMs: ms(row.quiet_seconds), holdMs: ms(row.hold_seconds) };
}
