/**
 * The operations server: health, metrics, Bull Board, status page and HTTP API on one port. It is
 * handed everything by `main` and decides nothing about work; what is left out of the dependencies
 * is not served, so that a worker process can offer health and metrics alone.
 */
import type { Queue } from 'bullmq';
import { Hono, type Context, type MiddlewareHandler } from 'hono';
import { getPath } from 'hono/utils/url';
import { randomUUID } from 'node:crypto';

import { JobError, toJobError } from '../errors.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { AuditLog } from '../db/audit-log.ts';
import type { StatusQueries } from '../db/status/queries.ts';
import { storableAddress } from './guard/storable-address.ts';
import { createSignatures } from './guard/forms.ts';
import { createRequestGuard, createMetricsGuard, createOperatorGuard } from './guard/guard.ts';
import type { Logins } from './guard/login.ts';
import { createApi } from './api/api.ts';
import type { ApiOptions } from './api/env.ts';
import { BOARD_PATH, createBoard, withoutForeignAssets } from './board/board.ts';
import { createChangeRecord } from './board/changes.ts';
import type {} from './context.ts';
import { BOARD_POLICY, secureHeaders } from './headers.ts';
import { createHealth, type HealthChecks } from './health.ts';
import { listen, type ListeningServer } from './listen.ts';
import { refuseMethod } from './methods.ts';
import { refreshMetrics, renderMetrics, type MetricsSources } from './metrics-route.ts';
import { problem } from './problem.ts';
import type { Acting } from './status/acting.ts';
import { createStatusRoutes } from './status/routes.ts';
import { showNotFound } from './status/shown.ts';
import { startWebhook, type WebhookOptions } from './webhook/webhook.ts';

export interface ServerDependencies extends Logins {
  /** `127.0.0.1`, `::1` and `localhost` are loopback: no login needed there. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** The variable that sets the port, for messages. Default: KEYFERRY_HTTP_PORT. */
  readonly portSetting?: string;
  /** Further names under which it may be reached, lower case. */
  readonly allowedHosts?: readonly string[];
  /** The bearer for `/metrics`. */
  readonly metricsToken?: string | undefined;
  readonly log: Log;
  readonly health: HealthChecks;
  readonly metrics: Metrics;
  /** Absent: no board. */
  readonly queues?: readonly Queue[];
  /** Lets operators retry jobs and pause queues on the board; needs `audit`. */
  readonly isBoardWritable?: boolean;
  /** Where changes through board and API are recorded before they are made. */
  readonly audit?: AuditLog;
  /** Absent: no status page, and no gauges of state. */
  readonly status?: StatusQueries;
  /** Lets operators act on the status page; needs `audit`. Absent: read-only. */
  readonly pageActions?:
    | (Pick<Acting, 'clientOf' | 'org'> & {
        /** 32 bytes that all servers of the installation have, and nobody else. */
        readonly formKey: Uint8Array;
      })
    | undefined;
  /**
   * This server's own AWS identity, whose account new roles must trust. Throws why there is none.
   */
  ownIdentity?(): Promise<{ readonly accountId: string; readonly arn: string }>;
  /** Absent: no API. Needs `status` and `audit`. */
  readonly api?: Pick<
    ApiOptions,
    | 'tokens'
    | 'jwtLogins'
    | 'identities'
    | 'clientOf'
    | 'notifications'
    | 'fingerprints'
    | 'idempotency'
    | 'verdictSeconds'
    | 'version'
  >;
  /** Absent: no events are delivered. */
  readonly webhook?: Pick<WebhookOptions, 'operator' | 'hosts' | 'notifications' | 'outbox' | 'listen'>;
  readonly now?: () => Date;
}

export type { ListeningServer } from './listen.ts';

export interface OperationsServer {
  readonly app: Hono;
  listen(): Promise<ListeningServer>;
  /**
   * Fills in the metrics that are read from PostgreSQL and from the queues, as a scrape of
   * `/metrics` does.
   */
  refreshMetrics(): Promise<void>;
}

export function createServer(dependencies: ServerDependencies): OperationsServer {
  const app = new Hono({ getPath: pathOf });
  app.use(async (c, next) => {
    c.set('requestId', randomUUID());
    await next();
  });
  app.use(secureHeaders());
  app.use(storableAddress);
  app.use(createRequestGuard({ listenHost: dependencies.host, allowedHosts: dependencies.allowedHosts ?? [] }));
  addHealth(app, dependencies);
  addMetrics(app, dependencies);
  const guard = createOperatorGuard({
    listenHost: dependencies.host,
    allowedHosts: dependencies.allowedHosts ?? [],
    login: dependencies.login,
    operators: dependencies.operators ?? [],
    now: nowOf(dependencies),
  });
  addBoard(app, dependencies, guard);
  addStatus(app, dependencies, guard);
  addApi(app, dependencies);
  app.notFound((c) => refuseMethod(c, app.routes) ?? nothingHere(c, dependencies));
  app.onError((error, c) => {
    const { code, publicMessage } = toJobError(error);
    dependencies.log.error({ err: error, path: c.req.path }, 'request failed');
    return problem(c, code === 'DB_UNAVAILABLE' || code === 'QUEUE_UNAVAILABLE' ? 503 : 500, {
      code,
      message: publicMessage,
    });
  });
  return {
    app,
    listen: () => listenWithWebhook(app, dependencies),
    refreshMetrics: () => refreshMetrics(toSources(dependencies)),
  };
}

async function listenWithWebhook(app: Hono, dependencies: ServerDependencies): Promise<ListeningServer> {
  const { webhook: settings, log } = dependencies;
  const server = await listen(app, dependencies);
  const now = () => new Date(nowOf(dependencies)());
  const webhook = await orClose(
    server,
    () => settings && startWebhook({ ...settings, log, now, random: () => Math.random() }),
  );
  return {
    url: server.url,
    async close() {
      await Promise.all([server.close(), webhook?.close()]);
    },
  };
}

/** What fails after the server listens must not leave it listening. */
async function orClose<T>(server: ListeningServer, start: () => T): Promise<T> {
  try {
    return start();
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** Clients of the API differ in whether they end a path with a slash. */
function pathOf(request: Request): string {
  const path = getPath(request);
  // The board's own files are found relative to its address.
  if (path === '/' || path.startsWith('/board')) return path;
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** A page for browsers. */
function nothingHere(c: Context, dependencies: ServerDependencies): Response | Promise<Response> {
  const isBrowser = c.req.header('accept')?.includes('text/html') === true;
  if (isBrowser && dependencies.status !== undefined)
    return showNotFound(c, { log: dependencies.log, now: () => new Date(nowOf(dependencies)()) });
  return problem(c, 404, 'There is nothing here. See /board, /healthz, /readyz and /metrics.');
}

function nowOf(dependencies: ServerDependencies): () => number {
  const { now } = dependencies;
  return () => (now?.() ?? new Date()).getTime();
}

function addHealth(app: Hono, dependencies: ServerDependencies): void {
  const health = createHealth(dependencies.health, nowOf(dependencies));
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    const readiness = await health.readiness();
    return c.json(readiness, readiness.status === 'ready' ? 200 : 503);
  });
}

function addMetrics(app: Hono, dependencies: ServerDependencies): void {
  const { metrics } = dependencies;
  app.get(
    '/metrics',
    createMetricsGuard({ listenHost: dependencies.host, token: dependencies.metricsToken }),
    async (c) => {
      const text = await renderMetrics(toSources(dependencies));
      return c.body(text, 200, { 'Content-Type': metrics.registry.contentType });
    },
  );
}

function toSources({ metrics, status, queues, log }: ServerDependencies): MetricsSources {
  return { metrics, status, queues: queues ?? [], log };
}

type AccessGuard = MiddlewareHandler;

function addStatus(app: Hono, dependencies: ServerDependencies, guard: AccessGuard): void {
  const { status: queries, log, now } = dependencies;
  if (queries === undefined) return;
  const acting = toActing(dependencies);
  const ownIdentity = dependencies.ownIdentity ?? noIdentity;
  app.route('/', createStatusRoutes({ queries, guard, log, acting, ownIdentity, now: now ?? (() => new Date()) }));
}

function noIdentity(): Promise<never> {
  return Promise.reject(new JobError('CONNECTION_NO_BASE_IDENTITY'));
}

function toActing({ pageActions, audit, now }: ServerDependencies): Acting | undefined {
  if (pageActions === undefined || audit === undefined) return undefined;
  const { formKey, ...actions } = pageActions;
  return { ...actions, audit, signatures: createSignatures(formKey, () => (now?.() ?? new Date()).getTime()) };
}

function addApi(app: Hono, dependencies: ServerDependencies): void {
  const { api, audit, status: queries, log } = dependencies;
  if (api === undefined || queries === undefined || audit === undefined) return;
  app.route('/', createApi({ ...api, queries, audit, log, now: nowOf(dependencies) }));
}

function addBoard(app: Hono, dependencies: ServerDependencies, guard: AccessGuard): void {
  const { queues, audit, log, isBoardWritable } = dependencies;
  if (queues === undefined || queues.length === 0) return;
  const changes = audit && createChangeRecord(audit, log);
  const routes = createBoard({
    queues,
    isWritable: isBoardWritable === true && changes !== undefined,
    onChange: async (change) => changes?.record(change),
  });
  app.use(BOARD_PATH, guard);
  app.use(`${BOARD_PATH}/*`, guard);
  if (changes !== undefined) app.use(`${BOARD_PATH}/*`, changes.scene);
  app.use(`${BOARD_PATH}/*`, async (c, next) => {
    await next();
    c.res.headers.set('Content-Security-Policy', BOARD_POLICY);
    if (!c.res.headers.get('content-type')?.startsWith('text/html')) return;
    c.res = new Response(withoutForeignAssets(await c.res.text()), c.res);
  });
  // The board's adapter knows `/board` but not `/board/`.
  app.get(`${BOARD_PATH}/`, (c) => c.redirect(BOARD_PATH, 308));
  app.route(BOARD_PATH, routes);
}
