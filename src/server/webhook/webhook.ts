/**
 * The webhook: looks for news every ten seconds and delivers the outbox, with retries for about three days. Safe to run in several servers at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Notifications, NotificationRow } from '../../db/notifications.ts';
import { JobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { isLoopback } from '../../domain/servers/loopback.ts';
import { toMessage } from './message.ts';

export interface WebhookOptions {
  readonly url: string;
  readonly secret: string;
  readonly notifications: Notifications;
  readonly log: Log;
  readonly everyMs?: number;
  now(): Date;
  /** In [0, 1). */
  random(): number;
}

export interface RunningWebhook {
  /** One round now, for tests: detect and deliver what is due. */
  round(): Promise<void>;
  /** Lets the delivery under way end. */
  close(): Promise<void>;
}

const EVERY_MS = 10_000;
const BATCH = 20;
const REQUEST_LIMIT_MS = 10_000;
const FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 6 * 3_600_000;
/** With the pauses above: about three days. */
const MAX_ATTEMPTS = 24;

/** Throws CONFIG_INVALID for an address that would carry the news in clear through a network. */
export function startWebhook(options: WebhookOptions): RunningWebhook {
  requireSafeUrl(options.url);
  const stopping = new AbortController();
  let round: Promise<void> = Promise.resolve();
  const next = (): Promise<void> => (round = round.then(() => runRound(options)));
  const loop = repeat(next, { everyMs: options.everyMs ?? EVERY_MS, random: options.random, signal: stopping.signal });
  return {
    round: next,
    async close() {
      stopping.abort();
      await loop;
      await round;
    },
  };
}

function requireSafeUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isSafe = parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && isLoopback(parsed.hostname));
  if (isSafe) return;
  throw new JobError('CONFIG_INVALID', {
    message: 'KEYFERRY_WEBHOOK_URL must be an https URL (plain http only to this machine).',
  });
}

async function repeat(
  act: () => Promise<void>,
  {
    everyMs,
    random,
    signal,
  }: { readonly everyMs: number; readonly random: () => number; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    await act();
    await sleep(everyMs * (0.8 + 0.4 * random()), undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function runRound(options: WebhookOptions): Promise<void> {
  try {
    await options.notifications.detect();
    for (;;) {
      const due = await options.notifications.claim(BATCH);
      await Promise.all(due.map((row) => deliver(options, row)));
      if (due.length < BATCH) return;
    }
  } catch (error) {
    options.log.warn({ err: error }, 'the webhook pauses');
  }
}

async function deliver(options: WebhookOptions, row: NotificationRow): Promise<void> {
  const failure = await send(options, row);
  if (failure === undefined) return options.notifications.delivered(row.id);
  const isOver = failure === GONE || row.attempts >= MAX_ATTEMPTS;
  const nextAttemptAt = isOver ? null : new Date(options.now().getTime() + pauseMs(row.attempts, options.random()));
  options.log.warn(
    { notificationId: row.id, event: row.event, attempts: row.attempts, failure, isOver },
    'webhook not delivered',
  );
  return options.notifications.failed(row.id, { error: failure, nextAttemptAt });
}

const GONE = 'HTTP 410';

/** Undefined when the receiver took it; else why not, in words of ours. */
async function send({ url, secret, now }: WebhookOptions, row: NotificationRow): Promise<string | undefined> {
  const { body, headers } = toMessage(row, secret, now());
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    });
    await answer.body?.cancel();
    return answer.ok ? undefined : `HTTP ${String(answer.status)}`;
  } catch (error) {
    return error instanceof Error && error.name === 'TimeoutError' ? 'no answer in time' : 'not reachable';
  }
}

/** 5 s doubling to 6 h, with full jitter above the half. */
export function pauseMs(attempts: number, random: number): number {
  const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 20));
  return longest * (0.5 + 0.5 * random);
}
