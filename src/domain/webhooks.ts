/** Which events consumers get, and which endpoints may receive them. Pure. */
import { z } from 'zod';

import { isLoopback } from './servers/loopback.ts';
import { nameShape } from './name.ts';

export const webhookFormats = ['standard', 'slack'] as const;
export type WebhookFormat = (typeof webhookFormats)[number];

/** Every event, and when it is sent. */
export const eventKinds = {
  'sync.changed': 'A run of a sync ended that wrote or deleted objects at AWS.',
  'sync.failed': 'A sync failed.',
  'sync.blocked': 'A sync waits until somebody removes the cause.',
  'sync.partial': 'A sync left some secrets out.',
  'sync.drifted': 'Objects at AWS were changed outside keyferry.',
  'sync.drift-repaired': 'The objects at AWS are as keyferry wrote them again.',
  'sync.recovered': 'A sync that needed attention succeeds again.',
  'rotation.published': 'The folder holds a new access key.',
  'rotation.retiring-soon': 'An old access key stops working within a day.',
  'rotation.retired': 'An old access key no longer works: it is inactive or deleted.',
  'rotation.overdue': 'A scheduled rotation did not begin within a day of its time.',
  'rotation.failed': 'A rotation failed.',
  'rotation.blocked': 'A rotation waits until somebody removes the cause.',
  'rotation.recovered': 'A rotation that needed attention succeeds again.',
  'connection.invalid': 'AWS refuses the credentials of a connection.',
  'connection.recovered': 'A connection that needed attention is valid again.',
  'source.stale': 'The source of a folder was not read for long, so its secrets may be old.',
  'source.recovered': 'The source of a folder is read again.',
  'webhook.test': 'Somebody asked for a test message.',
} as const;
export type EventKind = keyof typeof eventKinds;

const kinds = Object.keys(eventKinds);

export const urlShape = z
  .string()
  .max(2_048)
  .refine((text) => URL.canParse(text), 'must be a URL such as https://hooks.example.com/keyferry')
  .refine((text) => !URL.canParse(text) || isPlain(new URL(text)), 'must have no user, password or fragment');

function isPlain({ username, password, hash }: URL): boolean {
  return username === '' && password === '' && hash === '';
}

const eventShape = z
  .string()
  .refine(
    (text) => kinds.includes(text) || /^(sync|rotation|connection|source)\.\*$/.test(text),
    `must be one of ${kinds.filter((kind) => kind !== 'webhook.test').join(', ')}, or all of one sort such as rotation.*`,
  );

export const newWebhookShape = z.strictObject({
  name: nameShape,
  url: urlShape,
  format: z.enum(webhookFormats).default('standard'),
  events: z.array(eventShape).min(1).max(32).nullable().default(null),
  namePattern: z
    .string()
    .regex(/^[A-Za-z0-9._*-]{1,256}$/, 'must be 1 to 256 letters, digits or . _ - with * for any letters')
    .nullable()
    .default(null),
});
export type NewWebhook = z.output<typeof newWebhookShape>;

/**
 * Why no request goes to this URL, whatever its address; undefined when its address decides.
 * `hosts`: what the operator lists.
 */
export function refusalOf(url: string, hosts: readonly string[]): string | undefined {
  const { protocol, hostname } = new URL(url);
  if (isListed(hostname, hosts)) return undefined;
  if (protocol !== 'https:') return 'it must begin with https://';
  return isLoopback(hostname) ? 'its host is the machine of keyferry itself' : undefined;
}

/** Also for plain http and private addresses. */
export function isListed(hostname: string, hosts: readonly string[]): boolean {
  return hosts.includes(hostname.toLowerCase().replace(/^\[|\]$/g, ''));
}
