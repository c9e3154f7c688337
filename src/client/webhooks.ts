/**
 * `client.webhooks`: who is notified when secrets change. URL and secret go in; only the secret
 * comes out, once.
 */
import type { z } from 'zod';

import type { Webhooks } from '../db/webhooks.ts';
import { isUuid } from '../domain/reference.ts';
import { newWebhookShape } from '../domain/webhooks.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { parseInput } from './input.ts';
import type { SameAs } from './same.ts';
import type { CreateWebhook, WebhooksClient } from './types/webhook.ts';
import { toDelivery, toWebhook } from './views.ts';

const MAX_DELIVERIES = 500;

export function createWebhooksClient(context: ClientContext, webhooks: Webhooks): WebhooksClient {
  const { orgId } = context;
  const get = (webhook: string) => webhooks.get(orgId, context.refer(webhook));
  return {
    async create(input: SameAs<CreateWebhook, z.input<typeof newWebhookShape>>) {
      const { webhook, secret } = await webhooks.create(orgId, parseInput(newWebhookShape, input));
      return { webhook: toWebhook(webhook), secret };
    },
    list: async () => (await webhooks.list(orgId)).map(toWebhook),
    get: async (webhook) => toWebhook(await get(webhook)),
    delete: async (webhook) => toWebhook(await webhooks.delete(orgId, context.refer(webhook))),
    test: async (webhook) => toDelivery(await webhooks.test(await get(webhook))),
    deliveries: async (webhook, limit = 50) =>
      (await webhooks.deliveries(await get(webhook), Math.min(limit, MAX_DELIVERIES))).map(toDelivery),
    async delivery(webhook, id) {
      const found = await webhooks.delivery(await get(webhook), requireId(id));
      return found && toDelivery(found);
    },
    replay: async (webhook, id) => webhooks.replay(await get(webhook), id === undefined ? undefined : requireId(id)),
  };
}

function requireId(id: string): string {
  if (isUuid(id)) return id;
  throw new JobError('PAYLOAD_INVALID', { message: 'The id of a delivery must be a UUID.' });
}
