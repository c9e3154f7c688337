/**
 * `POST /api/v1/sources/{folderId}/notify`: a source says that it has changed. Its signature is the
 * only proof, and an unknown id answers as a wrong signature does. A notification changes only when
 * the source is read.
 */
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { randomBytes } from 'node:crypto';

import { isCurrent, verifiedTime } from '../guard/notification.ts';
import { isUuid } from '../../domain/reference.ts';
import { addressOf } from '../guard/guard.ts';
import { createWindowCounter } from '../guard/login.ts';
import { problem } from '../problem.ts';
import type { Api, ApiOptions } from './env.ts';
import { traced } from './gate.ts';

const PATH = '/api/v1/sources/:folderId/notify';
/** A notification says what has changed, never values. */
const MAX_BODY_BYTES = 65_536;
/** Of one source: far more than changes that a person makes. */
const ALLOWED = { allowed: 120, windowMs: 60_000 };

export function addNotify(api: Api, { now, notifications, log }: ApiOptions): void {
  const failures = createWindowCounter(now);
  const accepted = createWindowCounter(now, ALLOWED);
  // For unknown ids, so that they take the same time.
  const nobodys = randomBytes(32).toString('hex');
  const bounded = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: (c) => problem(c, 413, 'The notification is larger than 64 KiB.'),
  });

  const refuse = (c: Context, message: string): Response => {
    const address = addressOf(c);
    const blockedSeconds = failures.blockedSeconds(address);
    failures.add(address);
    log.warn({ address, path: c.req.path }, 'notification refused');
    return blockedSeconds > 0 ? limited(c, blockedSeconds) : problem(c, 401, message);
  };

  api.post(PATH, traced('source.notify'), bounded, async (c) => {
    const folderId = c.req.param('folderId');
    const secret = isUuid(folderId) ? await notifications.notifySecretOf(folderId) : undefined;
    const body = new Uint8Array(await c.req.arrayBuffer());
    const atMs = verifiedTime({ body, signature: c.req.header('x-infisical-signature') }, secret ?? nobodys);
    if (atMs === undefined) return refuse(c, 'No source takes notifications here that are signed like this.');
    if (!isCurrent(atMs, now())) return refuse(c, 'The notification is older than 5 minutes, or of the future.');
    const blockedSeconds = accepted.blockedSeconds(folderId);
    if (blockedSeconds > 0) return limited(c, blockedSeconds);
    accepted.add(folderId);
    if (await notifications.notify(folderId, atMs)) return c.json({ message: 'The source is read now.' }, 200);
    return refuse(c, 'This notification, or a newer one, has come already.');
  });
}

function limited(c: Context, seconds: number): Response {
  c.header('Retry-After', String(seconds));
  return problem(c, 429, `Too many notifications. Try again in ${String(seconds)} s.`);
}
