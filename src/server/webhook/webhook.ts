/**
 * Delivers the outbox: to the endpoints of the orgs, and to the operator's where there is one.
 * Detects problems every ten seconds, and delivers immediately what PostgreSQL notifies of. Each
 * endpoint has its own lane, so that one which does not answer delays no other. Safe to run in
 * several servers at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Notifications } from '../../db/notifications.ts';
import type { DueNotification, Endpoint, Outbox } from '../../db/outbox.ts';
import { JobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { defined } from '../../domain/defined.ts';
import { isLoopback } from '../../domain/servers/loopback.ts';
import { createLanes } from './lanes.ts';
import { toMessage } from './message.ts';
import { post, type PostOptions } from './post.ts';

export interface WebhookOptions {
  /** The operator's endpoint; undefined: only orgs have some. */
  readonly operator: { readonly url: string; readonly secret: string } | undefined;
  /** Hosts that the operator lists: for plain http and private addresses. */
  readonly hosts: readonly string[];
  readonly notifications: Notifications;
  readonly outbox: Outbox;
  /** Calls back whenever an event was written; the result ends it. */
  listen?(onEvent: () => void): Promise<() => Promise<void>>;
  readonly log: Log;
  readonly everyMs?: number;
  readonly requestLimitMs?: number;
  readonly resolve?: PostOptions['resolve'];
  now(): Date;
  /** In [0, 1). */
  random(): number;
}

export interface RunningWebhook {
  /** One round now, for tests: detects, and delivers until nothing is due. */
  round(): Promise<void>;
  /** Lets the deliveries under way end. */
  close(): Promise<void>;
}

const EVERY_MS = 10_000;
const REQUEST_LIMIT_MS = 10_000;
const FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 6 * 3_600_000;
/** An endpoint that is back is found within this time. */
const MAX_ENDPOINT_PAUSE_MS = 5 * 60_000;

/**
 * Throws CONFIG_INVALID for an operator's address that would send events in clear over a network.
 */
export function startWebhook(options: WebhookOptions): RunningWebhook {
  if (options.operator) requireSafeUrl(options.operator.url);
  const stopping = new AbortController();
  const { outbox, log } = options;
  const hasOperator = options.operator !== undefined;
  const lanes = createLanes({
    claim: (busy) => outbox.claim({ busy, hasOperator }),
    deliver: (row) => deliver(options, row),
    onError(error) {
      log.warn({ err: error }, 'the webhook pauses');
    },
    signal: stopping.signal,
  });
  let round: Promise<void> = Promise.resolve();
  const next = (): Promise<void> => (round = round.then(() => detect(options)).then(lanes.fill));
  const loop = repeat(next, { everyMs: options.everyMs ?? EVERY_MS, random: options.random, signal: stopping.signal });
  const listening = options.listen?.(lanes.fill).catch((error: unknown) => {
    options.log.warn({ err: error }, 'events are delivered every ten seconds only');
    return undefined;
  });
  return {
    async round() {
      await next();
      await lanes.idle();
    },
    async close() {
      stopping.abort();
      await (
        await listening
      )?.();
      await loop;
      await round;
      await lanes.idle();
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

async function detect({ notifications, log }: WebhookOptions): Promise<void> {
  try {
    await notifications.detect();
  } catch (error) {
    log.warn({ err: error }, 'the webhook pauses');
  }
}

async function deliver(options: WebhookOptions, row: DueNotification): Promise<void> {
  const { operator, outbox, log, random } = options;
  const isOperators = row.webhookId === null;
  const endpoint: Endpoint | undefined = isOperators && operator ? { ...operator, format: 'standard' } : row.endpoint;
  const failure = await send(options, row, endpoint);
  if (failure === undefined) return outbox.delivered(row);
  log.warn(
    { notificationId: row.id, webhookId: row.webhookId, event: row.event, attempts: row.attempts, failure },
    'webhook not delivered',
  );
  return outbox.failed(row, {
    error: failure.error,
    pauseMs: failure.isGone ? undefined : pauseMs(row.attempts, random()),
    endpointPauseMs: failure.isDown ? Math.min(MAX_ENDPOINT_PAUSE_MS, pauseMs(row.failures + 1, random())) : undefined,
  });
}

interface Failure {
  /** In keyferry's own wording. */
  readonly error: string;
  /** The endpoint is gone for good. */
  readonly isGone: boolean;
  /** Other events would fail, too. */
  readonly isDown: boolean;
}

const DOWN: readonly number[] = [429, 502, 503, 504];
const GONE = 410;

/** Undefined when the receiver took it. */
async function send(
  { hosts, now, requestLimitMs = REQUEST_LIMIT_MS, resolve }: WebhookOptions,
  row: DueNotification,
  endpoint: Endpoint | undefined,
): Promise<Failure | undefined> {
  if (endpoint === undefined) return { error: 'its URL cannot be decrypted', isGone: false, isDown: true };
  const result = await post(new URL(endpoint.url), toMessage(row, endpoint, now()), {
    hosts: row.webhookId === null ? undefined : hosts,
    limitMs: requestLimitMs,
    ...defined({ resolve }),
  });
  if ('error' in result) return { error: result.error, isGone: false, isDown: true };
  const { status } = result;
  if (status >= 200 && status < 300) return undefined;
  return { error: `HTTP ${String(status)}`, isGone: status === GONE, isDown: DOWN.includes(status) };
}

/** 5 s doubling to 6 h, with full jitter above the half. */
function pauseMs(attempts: number, random: number): number {
  const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 20));
  return longest * (0.5 + 0.5 * random);
}
