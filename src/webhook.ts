/** What the delivery of events is made of: part of the composition root. */
import type { Config } from './config/config.ts';
import { EVENTS_CHANNEL } from './db/events.ts';
import { createNotifications } from './db/notifications.ts';
import { createOutbox } from './db/outbox.ts';
import type { ServerDependencies } from './server/server.ts';
import type { OpenStores } from './stores.ts';

export function toWebhook(
  config: Pick<Config, 'webhook' | 'webhookHosts'>,
  stores: OpenStores,
): NonNullable<ServerDependencies['webhook']> {
  const { db, client } = stores.database;
  return {
    operator: config.webhook,
    hosts: config.webhookHosts,
    notifications: createNotifications(db, { hasOperator: config.webhook !== undefined }),
    outbox: createOutbox(db, stores.encryption),
    async listen(onEvent) {
      const subscription = await client.listen(EVENTS_CHANNEL, onEvent);
      return () => subscription.unlisten();
    },
  };
}
