/**
 * Orders for a rotation: pause, resume, cancel, reactivate, emergency. The same as the commands of
 * `keyferry rotation`.
 */
import type { Context, MiddlewareHandler } from 'hono';

import type { RotationStatus } from '../../db/status/queries.ts';
import { JobError } from '../../errors.ts';
import type { Api, ApiOptions } from './env.ts';
import { needs } from './gate.ts';
import { answers, common, createRoute, waitQuery, z } from './operation.ts';
import { secretRotationShape, toSecretRotation } from './rotation-shapes.ts';
import { runShape, waitForRun } from './runs.ts';

export interface RotationOrders {
  readonly api: Api;
  readonly options: ApiOptions;
  readonly base: string;
  readonly tag: string;
  /** Throws KEY_ROTATION_NOT_FOUND. */
  find(c: Context, id: string): Promise<RotationStatus>;
}

const orders = ['pause', 'resume', 'cancel', 'reactivate', 'emergency'] as const;

const SUMMARY = `\`pause\` at the next safe point, \`resume\`; \`cancel\` before the publication: the new key goes, the old one stays; \`reactivate\` during the hold: the old key becomes active again; \`emergency\` (scope admin): rotate now and retire the old key without quiet time and hold`;

const emergencyNeedsAdmin: MiddlewareHandler = (c, next) =>
  c.req.path.endsWith('/emergency') ? needs('admin')(c, next) : next();

export function addRotationOrders({ api, options, base, tag, find }: RotationOrders): void {
  const route = createRoute({
    ...common({ id: 'rotation.order', scope: 'write', summary: SUMMARY, tag }, options),
    method: 'post',
    path: `${base}/{rotationId}/{order}`,
    request: {
      params: z.object({ rotationId: z.uuid(), order: z.enum(orders) }),
      query: z.object({
        ...waitQuery,
        revokeNow: z
          .string()
          .max(256)
          .optional()
          .describe('With `emergency`, cuts consumers off at once: the rotation’s name, as a confirmation'),
      }),
    },
    responses: answers(
      z.object({
        secretRotation: secretRotationShape,
        runRequestId: z.uuid().nullable().describe('The recorded request; null when there was nothing to record'),
        run: runShape.nullable().describe('Null while it is in progress: see `GET /api/v1/runs?subjectId=`'),
      }),
    ),
  });
  api.use(route.getRoutingPath(), emergencyNeedsAdmin);
  api.openapi(route, async (c) => {
    const { rotationId, order } = c.req.valid('param');
    const { wait, revokeNow } = c.req.valid('query');
    const requestId = await carryOut(c, await find(c, rotationId), { order, revokeNow });
    const waited = requestId === undefined ? undefined : await waitForRun(c, requestId, wait);
    const secretRotation = toSecretRotation(await find(c, rotationId));
    return c.json({ secretRotation, ...(waited ?? { runRequestId: null, run: null }) }, 200);
  });
}

interface Order {
  readonly order: (typeof orders)[number];
  readonly revokeNow: string | undefined;
}

/** Returns the request's id, where one is recorded. */
async function carryOut(c: Context, { id, name }: RotationStatus, { order, revokeNow }: Order) {
  const { rotations } = c.get('client');
  if (revokeNow !== undefined && (revokeNow !== name || order !== 'emergency'))
    throw new JobError('PAYLOAD_INVALID', {
      message: `revokeNow cuts consumers off: send it with emergency and the rotation’s own name, ${name}.`,
    });
  switch (order) {
    case 'pause':
    case 'resume':
      await rotations[order](id);
      return undefined;
    case 'cancel':
    case 'reactivate':
      return rotations[order](id);
    case 'emergency':
      return rotations.request(id, { emergency: true, ...(revokeNow === undefined ? {} : { revokeNow: true }) });
  }
}
