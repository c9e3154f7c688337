/**
 * An event as it is sent: its body, and the signature of the Standard Webhooks scheme, which
 * receivers can check with ready-made libraries. Pure.
 */
import { createHmac } from 'node:crypto';

import type { Endpoint, NotificationRow } from '../../db/outbox.ts';
import { isNamedKind, withName } from '../../domain/advice.ts';
import { errorTable } from '../../errors.ts';

export interface Message {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type Event = Pick<NotificationRow, 'id' | 'event' | 'createdAt' | 'payload'>;

/** Ids, names, state and what to do about it; never a value. */
export function toMessage(row: Event, { secret, format }: Pick<Endpoint, 'secret' | 'format'>, now: Date): Message {
  const body = JSON.stringify(format === 'slack' ? { text: toText(row) } : toBody(row));
  const seconds = String(Math.floor(now.getTime() / 1_000));
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'keyferry',
      // The same for every attempt: receivers recognise what they have seen.
      'webhook-id': row.id,
      'webhook-timestamp': seconds,
      'webhook-signature': `v1,${sign(`${row.id}.${seconds}.${body}`, secret)}`,
    },
  };
}

/** `{ type, timestamp, data }`. */
function toBody({ event, createdAt, payload }: Event) {
  const fix = 'code' in payload ? { fix: fixOf({ event, payload }) } : {};
  return { type: event, timestamp: createdAt.toISOString(), data: { ...payload, ...fix } };
}

/** Its commands name the object that the event is about. */
function fixOf({ event, payload: { code, name } }: Pick<Event, 'event' | 'payload'>): string | null {
  if (typeof code !== 'string' || !(code in errorTable)) return null;
  const { nextStep } = errorTable[code as keyof typeof errorTable];
  const [kind = ''] = event.split('.');
  return typeof name === 'string' && isNamedKind(kind) ? withName(nextStep, { kind, name }) : nextStep;
}

/** A long list would push everything else out of the channel. */
const NAMES_IN_TEXT = 10;

/** Two or three lines: what happened to which object, why, and what to do. */
function toText({ event, payload }: Event): string {
  const head = `*${event}* ${escaped(payload.name)} (org ${escaped(payload.orgId)})`;
  const lines = [head, ...changesOf(payload.changes)];
  for (const key of ['accessKeyId', 'dueAt', 'message'] as const)
    if (typeof payload[key] === 'string') lines.push(`${labels[key]}${escaped(payload[key])}`);
  const fix = fixOf({ event, payload });
  if (fix !== null) lines.push(`Fix: ${escaped(fix)}`);
  return lines.join('\n');
}

const labels = { accessKeyId: 'Access key: ', dueAt: 'It was due at ', message: '' } as const;

function changesOf(changes: unknown): readonly string[] {
  if (!Array.isArray(changes)) return [];
  const rows = changes as readonly { readonly change: string; readonly name: string; readonly key: string | null }[];
  const shown = rows
    .slice(0, NAMES_IN_TEXT)
    .map(({ change, name, key }) => `${change} ${escaped(key === null ? name : `${name} ${key}`)}`);
  return rows.length > NAMES_IN_TEXT ? [...shown, `and ${String(rows.length - NAMES_IN_TEXT)} more`] : shown;
}

/** Slack reads these three as markup. */
function escaped(text: unknown): string {
  return String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** A secret in the scheme's own form (`whsec_` and base64) is decoded, any other taken as text. */
export function sign(text: string, secret: string): string {
  const key = secret.startsWith('whsec_')
    ? Buffer.from(secret.slice('whsec_'.length), 'base64')
    : Buffer.from(secret, 'utf8');
  return createHmac('sha256', key).update(text, 'utf8').digest('base64');
}
