/** `client.webhooks`: who is told when secrets changed. URL and secret go in; only the secret comes out, once. */
import type { DeliveryRow, Webhooks, WebhookRow, WebhookWithSecret } from '../db/webhooks.ts';
import { isUuid } from '../domain/reference.ts';
import { newWebhookShape, type NewWebhook } from '../domain/webhooks.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import { parseInput } from './input.ts';

export interface CreateWebhook {
  readonly name: string;
  /** https; plain http and private addresses only for hosts that the operator lists. */
  readonly url: string;
  /** `standard` (default): Standard Webhooks; `slack`: a text for an incoming webhook of Slack. */
  readonly format?: NewWebhook['format'];
  /** Such as `sync.changed` or `rotation.*`; null (default): all. */
  readonly events?: readonly string[] | null;
  /** Name of the sync, rotation or connection, where `*` stands for any letters; null (default): all. */
  readonly namePattern?: string | null;
}

export type Webhook = WebhookRow;
export type WebhookDelivery = DeliveryRow;

const MAX_DELIVERIES = 500;

export function createWebhooksClient(context: ClientContext, webhooks: Webhooks) {
  const { orgId } = context;
  const get = (webhook: string) => webhooks.get(orgId, context.refer(webhook));
  return {
    /** The secret is `whsec_` and base64 of 32 bytes, and is not shown again. Throws WEBHOOK_NAME_TAKEN, WEBHOOK_URL_REFUSED. */
    create: async (input: CreateWebhook): Promise<WebhookWithSecret> =>
      webhooks.create(orgId, parseInput(newWebhookShape, input)),
    list: (): Promise<readonly Webhook[]> => webhooks.list(orgId),
    /** Throws WEBHOOK_NOT_FOUND, as all that follow. */
    get,
    /** What waits for it is deleted, too. */
    delete: (webhook: string): Promise<Webhook> => webhooks.delete(orgId, context.refer(webhook)),
    /** Sends a `webhook.test`; a server delivers it. */
    test: async (webhook: string): Promise<WebhookDelivery> => webhooks.test(await get(webhook)),
    /** Newest first; kept for 7 days, parked ones for 30. */
    deliveries: async (webhook: string, limit = 50): Promise<readonly WebhookDelivery[]> =>
      webhooks.deliveries(await get(webhook), Math.min(limit, MAX_DELIVERIES)),
    /** Undefined when it is past its retention. */
    delivery: async (webhook: string, id: string): Promise<WebhookDelivery | undefined> =>
      webhooks.delivery(await get(webhook), requireId(id)),
    /** Sends parked events again, or the one with this id. Returns how many. */
    replay: async (webhook: string, id?: string): Promise<number> =>
      webhooks.replay(await get(webhook), id === undefined ? undefined : requireId(id)),
  };
}

function requireId(id: string): string {
  if (isUuid(id)) return id;
  throw new JobError('PAYLOAD_INVALID', { message: 'The id of a delivery must be a UUID.' });
}
