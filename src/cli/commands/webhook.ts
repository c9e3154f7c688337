/** `keyferry webhook …`: who receives events. */
import { setTimeout as sleep } from 'node:timers/promises';

import { Option, type Command } from 'commander';

import { problemsIn } from '../../client/input.ts';
import { counted } from '../../domain/counted.ts';
import { eventKinds, newWebhookShape, webhookFormats } from '../../domain/webhooks.ts';
import { collect, done, leaf, runWithClient, text, type ClientInvocation, type Options } from '../command.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { timeout } from '../options.ts';
import { fields, table, type Output } from '../output.ts';
import { toTimeout } from '../waiting.ts';
import type { Client } from '../../client/types/client.ts';
import type { CreateWebhook, Webhook, WebhookDelivery } from '../../client/types/webhook.ts';

export function addWebhookCommands(noun: Command): void {
  addCreate(noun);
  runWithClient(leaf(noun, 'list', 'all webhooks of the org'), async ({ client, output }) => {
    const webhooks = await client.webhooks.list();
    output.result(webhooks, () =>
      table(
        ['NAME', 'ENDPOINT', 'FORMAT', 'EVENTS', 'NAMES', 'WAITING', 'PARKED', 'LAST DELIVERY', 'LAST ERROR'],
        webhooks.map((one) => [
          ...[one.name, one.origin, one.format, eventsOf(one), one.namePattern ?? 'all'],
          ...[one.waiting, one.parked, one.lastDeliveredAt, one.lastError],
        ]),
      ),
    );
    return done;
  });
  runWithClient(
    leaf(noun, 'show <name>', 'the webhook and its latest deliveries'),
    async ({ args: [name = ''], client, output }) => {
      const webhook = await client.webhooks.get(name);
      const deliveries = await client.webhooks.deliveries(name);
      output.result({ webhook, deliveries }, () => `${describe(webhook)}\n\n${describeDeliveries(deliveries)}`);
      return done;
    },
  );
  addTest(noun);
  addReplay(noun);
  addDelete(noun);
}

function addDelete(noun: Command): void {
  const command = withConfirmation(leaf(noun, 'delete <name>', 'delete a webhook and what waits for it'));
  runWithClient(command, async (invocation) => {
    const {
      args: [name = ''],
      client,
      output,
    } = invocation;
    const { waiting, parked } = await client.webhooks.get(name);
    await confirm(
      invocation,
      `The webhook ${name} is deleted, and ${counted(waiting + parked, 'undelivered event')} with it.`,
    );
    const webhook = await client.webhooks.delete(name);
    output.result({ deleted: webhook.name }, () => `Deleted ${webhook.name}.`);
    return done;
  });
}

function addCreate(noun: Command): void {
  const kinds = Object.keys(eventKinds).filter((kind) => kind !== 'webhook.test');
  const command = leaf(noun, 'create <name>', 'print the secret that signs its messages; it is shown once')
    .requiredOption('--url <url>', 'https URL that takes the messages')
    .addOption(new Option('--format <format>', 'form of the messages').choices([...webhookFormats]).default('standard'))
    .option(
      '--event <kind>',
      `only these (repeatable; default: all): ${kinds.join(', ')}, or such as rotation.*`,
      collect,
    )
    .option('--name-pattern <pattern>', 'only about syncs, rotations and connections of such names, as prod-*');
  const create = async ({ args, client, options, output }: ClientInvocation) => {
    const { webhook, secret } = await client.webhooks.create(toInput(options, args));
    output.result({ webhook, secret }, () => `${describe(webhook)}\nsecret  ${secret}`);
    output.note('The secret is not shown again. Keep it now; a server delivers from here on.');
    return done;
  };
  runWithClient(command, create, (options, args) => problemsIn(newWebhookShape, toInput(options, args)));
}

function toInput(options: Options, [name = '']: readonly string[]): CreateWebhook {
  return {
    name,
    url: text(options, 'url') ?? '',
    format: options.format as (typeof webhookFormats)[number],
    events: (options.event as readonly string[] | undefined) ?? null,
    namePattern: text(options, 'namePattern') ?? null,
  };
}

function addTest(noun: Command): void {
  const command = leaf(noun, 'test <name>', 'send a test message and wait for the answer').option(
    '--timeout <duration>',
    'how long to wait, such as 10s or 2m',
    timeout,
    '30s',
  );
  runWithClient(command, async ({ args: [name = ''], client, options, output }) => {
    const timeoutMs = toTimeout(text(options, 'timeout'));
    const { id } = await client.webhooks.test(name);
    const delivery = await waitForAttempt(client, { name, id, timeoutMs });
    return reportTest(output, delivery);
  });
}

const POLL_MS = 200;

async function waitForAttempt(
  client: Client,
  { name, id, timeoutMs }: { readonly name: string; readonly id: string; readonly timeoutMs: number },
): Promise<WebhookDelivery | undefined> {
  const startedAtMs = performance.now();
  for (;;) {
    const delivery = await client.webhooks.delivery(name, id);
    if (delivery === undefined || delivery.deliveredAt !== null || delivery.lastError !== null) return delivery;
    if (performance.now() - startedAtMs > timeoutMs) return delivery;
    await sleep(POLL_MS);
  }
}

function reportTest(output: Output, delivery: WebhookDelivery | undefined): ExitCode {
  const isDelivered = delivery?.state === 'delivered';
  const why = delivery?.lastError ?? 'no server took it; start one with `keyferry server`';
  output.result(delivery ?? null, () => (isDelivered ? 'Delivered.' : `Not delivered: ${why}.`));
  return isDelivered ? done : exitCodes.failed;
}

function addReplay(noun: Command): void {
  const command = leaf(noun, 'replay <name>', 'send parked events again').option(
    '--delivery <id>',
    'only this one of `webhook show`, even if it was delivered',
  );
  runWithClient(command, async ({ args: [name = ''], client, options, output }) => {
    const replayed = await client.webhooks.replay(name, text(options, 'delivery'));
    output.result({ replayed }, () => `${String(replayed)} ${replayed === 1 ? 'event is' : 'events are'} sent again.`);
    return done;
  });
}

const eventsOf = ({ events }: Webhook): string => events?.join(', ') ?? 'all';

function describe(webhook: Webhook): string {
  return fields([
    ['webhook', webhook.name],
    ['id', webhook.id],
    ['endpoint', webhook.origin],
    ['format', webhook.format],
    ['events', eventsOf(webhook)],
    ['names', webhook.namePattern ?? 'all'],
    ['waiting', webhook.waiting],
    ['parked', webhook.parked],
    ['last delivery', webhook.lastDeliveredAt],
    ['last error', webhook.lastError],
  ]);
}

function describeDeliveries(deliveries: readonly WebhookDelivery[]): string {
  if (deliveries.length === 0) return 'No deliveries yet.';
  return table(
    ['EVENT', 'CREATED', 'STATE', 'ATTEMPTS', 'NEXT ATTEMPT', 'LAST ERROR', 'DELIVERY'],
    deliveries.map((one) => [
      ...[one.event, one.createdAt, one.state, one.attempts, one.nextAttemptAt, one.lastError, one.id],
    ]),
  );
}
