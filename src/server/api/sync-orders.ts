/**
 * Orders for a sync: pause, resume, check, cancel. The same as `keyferry sync
 * pause|resume|check|cancel`.
 */
import type { Context } from 'hono';

import { answers, common, createRoute, waitQuery, z } from './operation.ts';
import { runShape, toApiRun } from './runs.ts';
import { act } from './sync-actions.ts';
import { secretSyncShape, toSecretSync } from './sync-shapes.ts';
import { findSync, type SyncApi } from './sync-part.ts';

const orders = ['pause', 'resume', 'check', 'cancel'] as const;
type Order = (typeof orders)[number];

const SUMMARY = `\`pause\` and \`resume\` automatic and scheduled runs; \`check\` for drift now, without a write; \`cancel\`: withdraw what was asked for and stop a run before its next write. What is written stays, and an automatic sync is paused`;

export function addSyncOrders(part: SyncApi): void {
  const { api, options, base, noun, tag } = part;
  api.openapi(
    createRoute({
      ...common({ id: `${noun}.order`, scope: 'write', summary: SUMMARY, tag }, options),
      method: 'post',
      path: `${base}/{syncId}/{order}`,
      request: { params: z.object({ syncId: z.uuid(), order: z.enum(orders) }), query: z.object(waitQuery) },
      responses: answers(
        z.object({
          secretSync: secretSyncShape,
          runRequestId: z.uuid().nullable().describe('Of a check: the recorded request'),
          run: runShape
            .nullable()
            .describe('Of a check: its run, if `wait` was long enough. The run that a cancel stops'),
        }),
      ),
    }),
    async (c) => {
      const { syncId, order } = c.req.valid('param');
      await findSync(c, part, { id: syncId });
      const done = await carryOut(c, part, { syncId, order, wait: c.req.valid('query').wait });
      return c.json({ secretSync: toSecretSync(await findSync(c, part, { id: syncId })), ...done }, 200);
    },
  );
}

interface Ordered {
  readonly syncId: string;
  readonly order: Order;
  readonly wait: number;
}

async function carryOut(c: Context, part: SyncApi, { syncId, order, wait }: Ordered) {
  const { syncs, runs } = c.get('client');
  const nothing = { runRequestId: null, run: null };
  switch (order) {
    case 'pause':
    case 'resume':
      await syncs[order](syncId);
      return nothing;
    case 'check': {
      const { runRequestId, run } = await act(c, part, { syncId, kind: 'check', waitSeconds: wait });
      return { runRequestId, run };
    }
    case 'cancel': {
      const { runId } = await syncs.cancel(syncId);
      return { ...nothing, run: runId === null ? null : toApiRun(await runs.get(runId)) };
    }
  }
}
