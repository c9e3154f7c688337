/**
 * `client.webhooks`: who is notified when secrets change. URL and secret go in; only the secret
 * comes out, once.
 */

/** An endpoint of the org, without its URL and its secret. */
export interface Webhook {
  /** A UUID. */
  readonly id: string;
  /** The org that it belongs to. */
  readonly orgId: string;
  /** Unique in the org. */
  readonly name: string;
  /** Scheme, host and port; the rest of the URL may be a credential. */
  readonly origin: string;
  /** `standard`: Standard Webhooks; `slack`: a text for an incoming webhook of Slack. */
  readonly format: 'standard' | 'slack';
  /** Such as `sync.changed` or `rotation.*`; null: all. */
  readonly events: readonly string[] | null;
  /** Name of the subject, where `*` stands for any letters; null: all. */
  readonly namePattern: string | null;
  /** Attempts in a row without any answer. */
  readonly failures: number;
  /** Nothing is sent before; null: no pause. */
  readonly retryAt: Date | null;
  /** What the last attempt that failed met; never a URL. */
  readonly lastError: string | null;
  /** When an event was last delivered. */
  readonly lastDeliveredAt: Date | null;
  /** When it was created. */
  readonly createdAt: Date;
  /** Events that are still to be delivered. */
  readonly waiting: number;
  /** Events that could not be delivered within three days. */
  readonly parked: number;
}

/** One event on its way to an endpoint. */
export interface WebhookDelivery {
  /** A UUID, the `webhook-id` of its message. */
  readonly id: string;
  /** Such as `rotation.published`; docs/events.md lists them. */
  readonly event: string;
  /** Id of the connection, sync, rotation or folder. */
  readonly subjectId: string;
  /** When the event happened. */
  readonly createdAt: Date;
  /** Attempts so far. */
  readonly attempts: number;
  /** Null once delivered or parked. */
  readonly nextAttemptAt: Date | null;
  /** Null until the endpoint has accepted it. */
  readonly deliveredAt: Date | null;
  /** When keyferry gave up; `replay` sends it again. */
  readonly parkedAt: Date | null;
  /** What the last attempt that failed met. */
  readonly lastError: string | null;
  /** Where it stands. */
  readonly state: 'waiting' | 'delivered' | 'parked';
}

/** An endpoint to be. */
export interface CreateWebhook {
  /** 1 to 256 letters, digits or `. _ -`; unique in the org. */
  readonly name: string;
  /** https; plain http and private addresses only for hosts that the operator lists. */
  readonly url: string;
  /** `standard` (default): Standard Webhooks; `slack`: a text for an incoming webhook of Slack. */
  readonly format?: 'standard' | 'slack' | undefined;
  /** Such as `sync.changed` or `rotation.*`; null (default): all. */
  readonly events?: readonly string[] | null | undefined;
  /**
   * Name of the sync, rotation or connection, where `*` stands for any letters; null (default):
   * all.
   */
  readonly namePattern?: string | null | undefined;
}

/** What `create` answers. */
export interface CreatedWebhook {
  /** As recorded. */
  readonly webhook: Webhook;
  /** `whsec_` and base64 of 32 bytes; not shown again. */
  readonly secret: string;
}

/** Throws WEBHOOK_NOT_FOUND where an id or a name is given that the org does not have. */
export interface WebhooksClient {
  /** Throws WEBHOOK_NAME_TAKEN, WEBHOOK_URL_REFUSED, PAYLOAD_INVALID. */
  create(input: CreateWebhook): Promise<CreatedWebhook>;
  /** All endpoints of the org. */
  list(): Promise<readonly Webhook[]>;
  /** The endpoint of this id or name. */
  get(webhook: string): Promise<Webhook>;
  /** What waits for it is deleted, too. */
  delete(webhook: string): Promise<Webhook>;
  /** Sends a `webhook.test`; a server delivers it. */
  test(webhook: string): Promise<WebhookDelivery>;
  /** Newest first; kept for 7 days, parked ones for 30. `limit` is 50 by default, 500 at most. */
  deliveries(webhook: string, limit?: number): Promise<readonly WebhookDelivery[]>;
  /** Undefined when it is past its retention. Throws PAYLOAD_INVALID for an id that is no UUID. */
  delivery(webhook: string, id: string): Promise<WebhookDelivery | undefined>;
  /** Sends parked events again, or the one with this id. Returns how many. */
  replay(webhook: string, id?: string): Promise<number>;
}
