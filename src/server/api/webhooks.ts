/**
 * `/api/v1/webhooks`: who receives events. They belong to the org as a whole, so that an identity
 * of single projects sees none.
 */
import type { Context } from 'hono';

import { newWebhookShape, webhookFormats } from '../../domain/webhooks.ts';
import type { Api, ApiOptions } from './env.ts';
import { ofWholeOrg } from './within-projects.ts';
import { answers, common, createRoute, jsonBody, moment, toMoment, z } from './operation.ts';
import type { Webhook, WebhookDelivery } from '../../client/types/webhook.ts';

const BASE = '/api/v1/webhooks';
const tag = 'Webhooks';
const byId = z.object({ webhookId: z.uuid() });

const webhookShape = z
  .object({
    id: z.uuid(),
    name: z.string(),
    origin: z.string().describe('Scheme, host and port; the rest of the URL may be a credential and is not shown'),
    format: z.enum(webhookFormats),
    events: z.array(z.string()).nullable().describe('Null: all'),
    namePattern: z.string().nullable().describe('Null: all'),
    waiting: z.number().int().describe('Events that are not delivered yet'),
    parked: z.number().int().describe('Events that were not taken within three days; replay sends them again'),
    lastError: z.string().nullable(),
    lastDeliveredAt: moment,
    createdAt: z.iso.datetime(),
  })
  .openapi('Webhook');

const deliveryShape = z
  .object({
    id: z.uuid().describe('The header `webhook-id` of the message'),
    event: z.string(),
    subjectId: z.uuid(),
    state: z.enum(['waiting', 'delivered', 'parked']),
    attempts: z.number().int(),
    createdAt: z.iso.datetime(),
    nextAttemptAt: moment,
    deliveredAt: moment,
    parkedAt: moment,
    lastError: z.string().nullable(),
  })
  .openapi('WebhookDelivery');

function toWebhook(webhook: Webhook): z.infer<typeof webhookShape> {
  const { id, name, origin, format, events, namePattern, waiting, parked, lastError } = webhook;
  return {
    ...{ id, name, origin, format, namePattern, waiting, parked, lastError },
    events: events === null ? null : [...events],
    lastDeliveredAt: toMoment(webhook.lastDeliveredAt),
    createdAt: webhook.createdAt.toISOString(),
  };
}

function toDelivery({ id, event, subjectId, state, attempts, lastError, ...at }: WebhookDelivery) {
  return {
    ...{ id, event, subjectId, state, attempts, lastError },
    createdAt: at.createdAt.toISOString(),
    nextAttemptAt: toMoment(at.nextAttemptAt),
    deliveredAt: toMoment(at.deliveredAt),
    parkedAt: toMoment(at.parkedAt),
  };
}

export function addWebhooks(api: Api, options: ApiOptions): void {
  addCreate(api, options);
  addReads(api, options);
  addDelete(api, options);
  addTest(api, options);
  addReplay(api, options);
}

/** For admins of the whole org only. */
function declared(id: string, summary: string, options: ApiOptions) {
  const { middleware, ...rest } = common({ id, scope: 'admin', summary, tag }, options);
  return { ...rest, middleware: [ofWholeOrg, ...middleware] };
}

function client(c: Context) {
  return c.get('client').webhooks;
}

function addCreate(api: Api, options: ApiOptions): void {
  const answer = z.object({
    webhook: webhookShape,
    secret: z.string().describe('Signs every message; shown only here'),
  });
  api.openapi(
    createRoute({
      ...declared('webhook.create', 'Create a webhook; the secret is shown once', options),
      method: 'post',
      path: BASE,
      request: { body: jsonBody(newWebhookShape.extend({}).openapi('CreateWebhook')) },
      responses: answers(answer),
    }),
    async (c) => {
      const { webhook, secret } = await client(c).create(c.req.valid('json'));
      c.set('subject', webhook.id);
      c.set('holdsSecret', true);
      return c.json({ webhook: toWebhook(webhook), secret }, 200);
    },
  );
}

function addReads(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...declared('webhook.list', 'List webhooks by name', options),
      method: 'get',
      path: BASE,
      responses: answers(z.object({ webhooks: z.array(webhookShape) })),
    }),
    async (c) => c.json({ webhooks: (await client(c).list()).map(toWebhook) }, 200),
  );
  api.openapi(
    createRoute({
      ...declared('webhook.listDeliveries', 'List deliveries, newest first', options),
      method: 'get',
      path: `${BASE}/{webhookId}/deliveries`,
      request: { params: byId, query: z.object({ limit: z.coerce.number().int().min(1).max(500).default(50) }) },
      responses: answers(z.object({ webhook: webhookShape, deliveries: z.array(deliveryShape) })),
    }),
    async (c) => {
      const { webhookId } = c.req.valid('param');
      const webhook = toWebhook(await client(c).get(webhookId));
      const deliveries = await client(c).deliveries(webhookId, c.req.valid('query').limit);
      return c.json({ webhook, deliveries: deliveries.map(toDelivery) }, 200);
    },
  );
}

function addDelete(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...declared('webhook.delete', 'Delete a webhook and what waits for it', options),
      method: 'delete',
      path: `${BASE}/{webhookId}`,
      request: { params: byId },
      responses: answers(z.object({ webhook: webhookShape })),
    }),
    async (c) => c.json({ webhook: toWebhook(await client(c).delete(c.req.valid('param').webhookId)) }, 200),
  );
}

function addTest(api: Api, options: ApiOptions): void {
  api.openapi(
    createRoute({
      ...declared('webhook.test', 'Send a test message; its delivery shows the result', options),
      method: 'post',
      path: `${BASE}/{webhookId}/test`,
      request: { params: byId },
      responses: answers(z.object({ delivery: deliveryShape })),
    }),
    async (c) => c.json({ delivery: toDelivery(await client(c).test(c.req.valid('param').webhookId)) }, 200),
  );
}

function addReplay(api: Api, options: ApiOptions): void {
  const query = z.object({ deliveryId: z.uuid().optional().describe('Only this one; without it all parked ones') });
  api.openapi(
    createRoute({
      ...declared('webhook.replay', 'Send parked events, or one event, again', options),
      method: 'post',
      path: `${BASE}/{webhookId}/replay`,
      request: { params: byId, query },
      responses: answers(z.object({ replayed: z.number().int() })),
    }),
    async (c) => {
      const { deliveryId } = c.req.valid('query');
      return c.json({ replayed: await client(c).replay(c.req.valid('param').webhookId, deliveryId) }, 200);
    },
  );
}
