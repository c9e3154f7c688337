/**
 * A lane for each endpoint: while it is open, nothing else is claimed for that endpoint, and a slow
 * endpoint delays no other.
 */
import type { DueNotification } from '../../db/outbox.ts';

/** Endpoints that are sent to at once. */
const MAX_LANES = 500;

export interface Lanes {
  /** Claims what is due of endpoints that are not busy, and again when a lane is free. */
  fill(): void;
  /** Resolves when nothing is due or under way. */
  idle(): Promise<void>;
}

interface LaneOptions {
  /** Takes due events of endpoints other than these; null is the operator's. */
  claim(busy: readonly (string | null)[]): Promise<readonly DueNotification[]>;
  deliver(row: DueNotification): Promise<void>;
  onError(error: unknown): void;
  readonly signal: AbortSignal;
}

export function createLanes({ claim: claimDue, deliver, onError, signal }: LaneOptions): Lanes {
  const lanes = new Map<string | null, Promise<void>>();
  let filling: Promise<void> | undefined;
  let isWantedAgain = false;
  const open = (webhookId: string | null, rows: readonly DueNotification[]) => {
    const lane = Promise.all(rows.map((row) => deliver(row).catch(onError)));
    lanes.set(
      webhookId,
      lane.then(() => {
        lanes.delete(webhookId);
        fill();
      }),
    );
  };
  const mayClaim = () => isWantedAgain && !signal.aborted && lanes.size < MAX_LANES;
  const claim = async () => {
    while (mayClaim()) {
      isWantedAgain = false;
      const due = await claimDue([...lanes.keys()]);
      if (due.length > 0) isWantedAgain = true;
      for (const [webhookId, rows] of byEndpoint(due)) open(webhookId, rows);
    }
  };
  const fill = () => {
    isWantedAgain = true;
    filling ??= claim()
      .catch((error: unknown) => {
        isWantedAgain = false;
        onError(error);
      })
      .finally(() => {
        filling = undefined;
        if (mayClaim()) fill();
      });
  };
  return {
    fill,
    async idle() {
      for (;;) {
        await filling;
        if (filling === undefined && lanes.size === 0) return;
        await Promise.all(lanes.values());
      }
    },
  };
}

function byEndpoint(due: readonly DueNotification[]): ReadonlyMap<string | null, readonly DueNotification[]> {
  const groups = new Map<string | null, DueNotification[]>();
  for (const row of due) groups.set(row.webhookId, [...(groups.get(row.webhookId) ?? []), row]);
  return groups;
}
