/** A notification as it is sent: its body, and the signature of the Standard Webhooks scheme, which receivers can check with ready-made libraries. Pure. */
import { createHmac } from 'node:crypto';

import type { NotificationRow } from '../../db/notifications.ts';
import { errorTable } from '../../errors.ts';

export interface Message {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** `{ type, timestamp, data }`: ids, names, state and what to do about it; never a value. */
export function toMessage(row: NotificationRow, secret: string, now: Date): Message {
  const body = JSON.stringify({
    type: row.event,
    timestamp: row.createdAt.toISOString(),
    data: { ...row.payload, fix: fixOf(row.payload.code) },
  });
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

function fixOf(code: unknown): string | null {
  return typeof code === 'string' && code in errorTable ? errorTable[code as keyof typeof errorTable].nextStep : null;
}

/** A secret in the scheme's own form (`whsec_` and base64) is decoded, any other taken as text. */
export function sign(text: string, secret: string): string {
  const key = secret.startsWith('whsec_')
    ? Buffer.from(secret.slice('whsec_'.length), 'base64')
    : Buffer.from(secret, 'utf8');
  return createHmac('sha256', key).update(text, 'utf8').digest('base64');
}
