/**
 * What every API request passes: a known token, JSON of a bounded size, a scope; changes leave an
 * audit row before they begin, and a repeated POST with the same idempotency key gets the first
 * one's answer.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';

import type { IdempotentRequest } from '../../db/idempotency.ts';
import { ACCESS_TOKEN_PREFIX, hasScope, type Caller, type Scope } from '../../domain/caller.ts';
import type { Fingerprinter } from '../../domain/fingerprint.ts';
import { requireStorable } from '../../domain/storable-text.ts';
import { cutText } from '../../domain/text.ts';
import { decodeUtf8, repeatedNames } from '../../domain/whole-text.ts';
import { JobError } from '../../errors.ts';
import { bearerOf, createTokenCheck } from '../guard/api-tokens.ts';
import { addressOf } from '../guard/guard.ts';
import type { LoginChecks } from '../guard/jwt-check.ts';
import { createWindowCounter } from '../guard/login.ts';
import { annotate, inSpan } from '../../observe/trace.ts';
import { problem } from '../problem.ts';
import type { ApiOptions } from './env.ts';
import { tagReplay } from './versions.ts';

export type Gate = MiddlewareHandler;

/** Secrets of a whole folder fit; anything larger is a mistake. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * Repeated wrong tokens are throttled; a right one never is, so that nobody can lock out others
 * behind the same address. Tokens are far too long to guess; the limit only spares the log and the
 * CPU.
 */
export function authenticate({ tokens, clientOf, now }: ApiOptions, { accessTokens, jwts }: LoginChecks): Gate {
  const check = createTokenCheck(tokens);
  const find = async (authorization: string | undefined): Promise<Caller | undefined> => {
    const bearer = bearerOf(authorization);
    if (bearer?.startsWith(ACCESS_TOKEN_PREFIX) !== true) return check.find(authorization);
    const caller = await accessTokens.find(bearer);
    return caller !== undefined && jwts.isCurrent(caller) ? caller : undefined;
  };
  const failures = createWindowCounter(now);
  return async (c, next) => {
    const authorization = c.req.header('authorization');
    const caller = await find(authorization);
    if (caller !== undefined) {
      c.set('caller', caller);
      c.set('client', clientOf(caller));
      return next();
    }
    const address = addressOf(c);
    const blockedSeconds = failures.blockedSeconds(address);
    if (blockedSeconds > 0) {
      c.header('Retry-After', String(blockedSeconds));
      return problem(c, 429, `Too many requests with a wrong token. Try again in ${String(blockedSeconds)} s.`);
    }
    if (authorization !== undefined && authorization !== '') failures.add(address);
    c.header('WWW-Authenticate', 'Bearer realm="keyferry"');
    const how = 'the access token of a login, or a token of KEYFERRY_API_TOKENS, as `Authorization: Bearer …`.';
    const isUnknown = bearerOf(authorization) !== undefined;
    return problem(c, 401, isUnknown ? `The token is unknown or has expired. Send ${how}` : `Send ${how}`);
  };
}

const METHODS_WITH_BODY = ['POST', 'PUT', 'PATCH'];

/** JSON only: a form of another site cannot send it without a preflight, which is never granted. */
export const onlyJson: Gate = async (c, next) => {
  const type = c.req.header('content-type');
  const hasBody = c.req.header('transfer-encoding') !== undefined || Number(c.req.header('content-length') ?? '0') > 0;
  if (!METHODS_WITH_BODY.includes(c.req.method) || (!hasBody && type === undefined)) return next();
  if (!/^application\/json\s*(;|$)/i.test(type ?? ''))
    return problem(c, 415, 'Send the body as `Content-Type: application/json`.');
  return next();
};

const counted = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge });

/** A declared length is trusted; only a stream of unknown length has to be counted. */
export const boundedBody: Gate = async (c, next) => {
  const length = c.req.header('content-length');
  if (length === undefined) return c.req.header('transfer-encoding') === undefined ? next() : counted(c, next);
  return Number(length) > MAX_BODY_BYTES ? tooLarge(c) : next();
};

function tooLarge(c: Context): Response {
  return problem(c, 413, `The body is larger than ${String(MAX_BODY_BYTES / 1024 / 1024)} MiB. Send it in parts.`);
}

/** A folder of secrets with metadata fits; validating more would keep other callers waiting. */
const MAX_ITEMS = 10_000;

/** First of all that read the body: a lenient decoder replaces what it does not understand. */
export const wholeText: Gate = async (c, next) => {
  if (!METHODS_WITH_BODY.includes(c.req.method)) return next();
  if (decodeUtf8(new Uint8Array(await c.req.arrayBuffer())) !== undefined) return next();
  return problem(c, 422, { code: 'PAYLOAD_INVALID', message: 'The body is not valid UTF-8. Send it as UTF-8.' });
};

/**
 * Counts before anything is validated: a body of 4 MiB can hold hundreds of thousands of keys, each
 * a check and maybe an issue.
 */
export const boundedItems: Gate = async (c, next) => {
  if (!METHODS_WITH_BODY.includes(c.req.method)) return next();
  const text = await c.req.text();
  // Items have commas between them, so that most bodies need no second parse.
  if (countCommas(text) < MAX_ITEMS || !exceedsItems(text)) return next();
  const message = `The body has more than ${String(MAX_ITEMS)} items. Send it in parts.`;
  return problem(c, 422, { code: 'PAYLOAD_INVALID', message });
};

/**
 * What would be dropped in silence, even a secret of a folder: by schemas a field named
 * `__proto__`, by `JSON.parse` all but the last of two fields of one name.
 */
export const keptNames: Gate = async (c, next) => {
  if (!METHODS_WITH_BODY.includes(c.req.method)) return next();
  const text = await c.req.text();
  const [twice] = repeatedNames(text);
  if (twice !== undefined) {
    const message = `The body names ${cutText(twice, 60)} more than once in one object. Keep one of them.`;
    return problem(c, 422, { code: 'PAYLOAD_INVALID', message });
  }
  if (!MAYBE_LOST_NAME.test(text)) return next();
  try {
    requireStorable(JSON.parse(text), 'the body');
  } catch (error) {
    // What is no JSON is refused where it is read.
    if (error instanceof JobError) return problem(c, 422, error);
  }
  return next();
};

/** Spelt out, or with its letters escaped. */
const MAYBE_LOST_NAME = /__proto__|\\u00/i;

function countCommas(text: string): number {
  let count = 0;
  for (let at = text.indexOf(','); at !== -1 && count < MAX_ITEMS; at = text.indexOf(',', at + 1)) count += 1;
  return count;
}

function exceedsItems(text: string): boolean {
  try {
    const open: unknown[] = [JSON.parse(text)];
    let count = 0;
    while (open.length > 0 && count <= MAX_ITEMS) {
      const value = open.pop();
      const inner: readonly unknown[] = typeof value === 'object' && value !== null ? Object.values(value) : [];
      count += inner.length;
      if (count <= MAX_ITEMS) open.push(...inner);
    }
    return count > MAX_ITEMS;
  } catch {
    // What is no JSON is refused where it is read.
    return false;
  }
}

/**
 * What one caller may ask for, so that a runaway script leaves time for others: far above what
 * clients need.
 */
const REQUESTS_ALLOWED = 2_000;
const REQUESTS_WINDOW_MS = 10_000;

/** For each identity or token, whatever address it comes from. */
export function limited({ now }: Pick<ApiOptions, 'now'>): Gate {
  const requests = createWindowCounter(now, { allowed: REQUESTS_ALLOWED, windowMs: REQUESTS_WINDOW_MS });
  return async (c, next) => {
    const { orgId, id } = c.get('caller');
    const key = `${orgId}\n${id}`;
    const blockedSeconds = requests.blockedSeconds(key);
    if (blockedSeconds === 0) {
      requests.add(key);
      return next();
    }
    c.header('Retry-After', String(blockedSeconds));
    const message = `More than ${String(REQUESTS_ALLOWED)} requests in ${String(REQUESTS_WINDOW_MS / 1_000)} s. Try again in ${String(blockedSeconds)} s.`;
    return problem(c, 429, message);
  };
}

/**
 * A caller's `traceparent` makes the request, and whatever it sets off, part of the caller's trace.
 */
export function traced(operation: string): Gate {
  return (c, next) =>
    inSpan(
      {
        name: `API ${operation}`,
        kind: 'server',
        attributes: { 'http.request.method': c.req.method, 'keyferry.request.id': c.get('requestId') },
        parent: c.req.header('traceparent'),
      },
      async () => {
        await next();
        annotate({ 'http.response.status_code': c.res.status });
      },
    );
}

export function needs(scope: Scope): Gate {
  return async (c, next) => {
    if (hasScope(c.get('caller'), scope)) return next();
    return problem(c, 403, `This needs a token with scope ${scope}; this one has ${c.get('caller').scope}.`);
  };
}

/** Around every change. */
export function audited(action: string, { audit, log }: ApiOptions): Gate {
  return async (c, next) => {
    const { orgId, name } = c.get('caller');
    const requestId = c.get('requestId');
    const entry = { orgId, actor: name, via: 'api', action: actionOf(action, c), requestId } as const;
    await audit.record({ ...entry, subject: targetOf(c) });
    await next();
    try {
      await audit.settle({ requestId, statusCode: c.res.status, subject: c.get('subject') });
    } catch (error) {
      // The change is made and on record; only its outcome is missing.
      log.warn({ err: error, requestId }, 'the outcome of a change is not in the audit log');
    }
  };
}

/**
 * As the command line and the library call it, of whatever destination:
 * `parameterStoreSync.sync` is `sync.run`, and `rotation.order` has the order that the path names.
 */
function actionOf(operationId: string, c: Context): string {
  const { order } = c.req.param() as { readonly order?: string };
  const action = operationId.replace(/^\w+Sync\./, 'sync.').replace(/^sync\.sync$/, 'sync.run');
  return order !== undefined && /^[a-z]{1,32}$/.test(order) ? action.replace(/\.order$/, `.${order}`) : action;
}

/**
 * What the path names, if it can be an id or a name: the trail keeps nothing that was not checked.
 */
function targetOf(c: Context): string | undefined {
  const [target = ''] = Object.values(c.req.param() as Record<string, string>);
  return /^[\w.-]{1,256}$/.test(target) ? target : undefined;
}

const KEY = /^[\x21-\x7e]{1,255}$/;

/** For POST requests that bring an `Idempotency-Key`. */
export function idempotent({ idempotency, fingerprints }: ApiOptions): Gate {
  return async (c, next) => {
    const key = c.req.header('idempotency-key');
    if (key === undefined) return next();
    if (!KEY.test(key)) return problem(c, 422, 'Idempotency-Key: 1 to 255 visible ASCII characters.');
    const request = await toRequest(c, key, await fingerprints.forOrg(c.get('caller').orgId));
    const reservation = await idempotency.claim(request);
    switch (reservation.is) {
      case 'answered':
        c.header('Idempotent-Replayed', 'true');
        tagReplay(c, reservation.response);
        return c.body(reservation.response, reservation.statusCode as 200, { 'Content-Type': 'application/json' });
      case 'running':
        c.header('Retry-After', '1');
        return problem(c, 409, 'A request with this Idempotency-Key is still running. Send it again in a second.');
      case 'different':
        return problem(c, 422, 'This Idempotency-Key was used for another request. Take a new one.');
      case 'first':
        await next();
        return keepAnswer(c, request, idempotency);
    }
  };
}

/**
 * Bound to the identity, not to its access token, which changes with every login. Whoever reads the
 * table learns nothing about the body.
 */
async function toRequest(c: Context, key: string, fingerprint: Fingerprinter): Promise<IdempotentRequest> {
  const { id, orgId } = c.get('caller');
  const { pathname, search } = new URL(c.req.url);
  const body = await c.req.text();
  const requestHash = fingerprint(Buffer.from(`${c.req.method} ${pathname}${search}\n${body}`));
  return { orgId, actor: id, key, requestHash };
}

/**
 * A refused request has changed nothing: its key stays free, so that a caller that corrects the
 * body can send it again.
 */
async function keepAnswer(
  c: Context,
  request: IdempotentRequest,
  idempotency: ApiOptions['idempotency'],
): Promise<void> {
  const { status } = c.res;
  if (status >= 400 || c.get('holdsSecret') === true) return idempotency.release(request);
  return idempotency.answer(request, { statusCode: status, response: await c.res.clone().text() });
}
