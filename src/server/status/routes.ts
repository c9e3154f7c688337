/** The addresses of the status page. Reads only; errors are pages too, with what to do. */
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import type { StatusQueries } from '../../db/status/queries.ts';
import { errorTable, toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { connectionContent, connectionsContent, connectionStatuses } from './connections.ts';
import { page, STATUS_POLICY, type Frame } from './layout.ts';
import { parseListRequest } from './list-query.ts';
import { overviewContent } from './overview.ts';
import { prose } from './parts.ts';
import { rotationContent, rotationsContent, rotationStatuses } from './rotations.ts';
import { runPanel } from './runs.ts';
import { syncContent, syncsContent, syncStatuses } from './syncs.ts';

export interface StatusOptions {
  readonly queries: StatusQueries;
  readonly door: MiddlewareHandler;
  readonly log: Log;
  readonly now: () => Date;
}

const ATTENTION_SHOWN = 25;
const RUNS_SHOWN = 30;
const ALL_RUNS_SHOWN = 200;
const ENTRIES_SHOWN = 200;
const DEPENDENTS_SHOWN = 100;
const STEPS_SHOWN = 60;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type Content = Omit<Frame, 'now'>;
/** Undefined: there is no such subject. */
type Reader = (c: Context, now: Date) => Promise<Content | undefined>;

export function createStatusRoutes(options: StatusOptions): Hono {
  const app = new Hono();
  for (const [path, reader] of Object.entries(readersOf(options.queries))) {
    app.get(path, options.door, (c) => answer(c, options, reader));
  }
  return app;
}

function readersOf(queries: StatusQueries): Readonly<Record<string, Reader>> {
  return {
    '/': (_c, now) => readOverview(queries, now),
    '/runs': async (_c, now) => ({
      title: 'Runs',
      section: 'runs',
      content: html`<header><h1>Runs</h1></header>
        ${runPanel({ title: 'Latest', runs: await queries.recentRuns(ALL_RUNS_SHOWN), now, hasSubject: true })}`,
    }),
    '/connections': async (c, now) => {
      const request = listRequest(c, '/connections', connectionStatuses);
      return {
        title: 'Connections',
        section: 'connections',
        content: connectionsContent(request, await queries.connections(request), now),
      };
    },
    '/syncs': async (c, now) => {
      const request = listRequest(c, '/syncs', syncStatuses);
      return { title: 'Syncs', section: 'syncs', content: syncsContent(request, await queries.syncs(request), now) };
    },
    '/rotations': async (c, now) => {
      const request = listRequest(c, '/rotations', rotationStatuses);
      return {
        title: 'Rotations',
        section: 'rotations',
        content: rotationsContent(request, await queries.rotations(request), now),
      };
    },
    '/connections/:id': (c, now) => readConnection(queries, idOf(c), now),
    '/syncs/:id': (c, now) => readSync(queries, idOf(c), now),
    '/rotations/:id': (c, now) => readRotation(queries, idOf(c), now),
  };
}

function listRequest(c: Context, path: string, statuses: readonly string[]) {
  return parseListRequest({ path, statuses, query: (name) => c.req.query(name) });
}

function idOf(c: Context): string | undefined {
  const id = c.req.param('id');
  return id !== undefined && UUID.test(id) ? id : undefined;
}

async function readOverview(queries: StatusQueries, now: Date): Promise<Content> {
  const [overview, attention, runs, identities] = await Promise.all([
    queries.overview(),
    queries.attention(ATTENTION_SHOWN),
    queries.recentRuns(10),
    queries.baseIdentities(),
  ]);
  return {
    title: 'Overview',
    section: 'overview',
    problems: overview.troubled,
    content: overviewContent({ overview, attention, runs, identities, now }),
  };
}

async function readConnection(queries: StatusQueries, id: string | undefined, now: Date): Promise<Content | undefined> {
  if (id === undefined) return undefined;
  const [connection, syncs, rotations, runs] = await Promise.all([
    queries.connection(id),
    queries.syncsOfConnection(id, DEPENDENTS_SHOWN),
    queries.rotationsOfConnection(id, DEPENDENTS_SHOWN),
    queries.runsOf(id, RUNS_SHOWN),
  ]);
  if (connection === undefined) return undefined;
  return {
    title: connection.name,
    section: 'connections',
    content: connectionContent({ connection, syncs, rotations, runs, now }),
  };
}

async function readSync(queries: StatusQueries, id: string | undefined, now: Date): Promise<Content | undefined> {
  if (id === undefined) return undefined;
  const [sync, entries, plan, runs] = await Promise.all([
    queries.sync(id),
    queries.entries(id, ENTRIES_SHOWN),
    queries.latestPlan(id),
    queries.runsOf(id, RUNS_SHOWN),
  ]);
  if (sync === undefined) return undefined;
  return { title: sync.name, section: 'syncs', content: syncContent({ sync, entries, plan, runs, now }) };
}

async function readRotation(queries: StatusQueries, id: string | undefined, now: Date): Promise<Content | undefined> {
  if (id === undefined) return undefined;
  const [rotation, keys, steps, runs] = await Promise.all([
    queries.rotation(id),
    queries.keys(id),
    queries.steps(id, STEPS_SHOWN),
    queries.runsOf(id, RUNS_SHOWN),
  ]);
  if (rotation === undefined) return undefined;
  return { title: rotation.name, section: 'rotations', content: rotationContent({ rotation, keys, steps, runs, now }) };
}

async function answer(c: Context, options: StatusOptions, read: Reader): Promise<Response> {
  c.header('Content-Security-Policy', STATUS_POLICY);
  const now = options.now();
  try {
    const content = await read(c, now);
    return await (content === undefined ? notFound(c, now) : c.html(page({ ...content, now })));
  } catch (error) {
    return failed(c, error, options);
  }
}

function notFound(c: Context, now: Date): Response | Promise<Response> {
  const content = html`<header><h1>Not found</h1></header>
    <div class="notice warn">
      <p>There is no such subject; it may have been deleted.</p>
      <p class="fix"><b>Fix:</b> start from the <a href="/">overview</a>, or search by name.</p>
    </div>`;
  return c.html(page({ title: 'Not found', section: undefined, now, content }), 404);
}

function failed(c: Context, error: unknown, { log, now }: StatusOptions): Response | Promise<Response> {
  const { code, publicMessage } = toJobError(error);
  log.error({ err: error, requestId: c.get('requestId'), path: c.req.path }, 'status page failed');
  const status: ContentfulStatusCode = code === 'BUG_UNEXPECTED' ? 500 : 503;
  const content = html`<header><h1>The status cannot be read</h1></header>
    <div class="notice bad">
      <p>${prose(publicMessage)} <span class="muted">${code}</span></p>
      <p class="fix"><b>Fix:</b> ${prose(errorTable[code].nextStep)}</p>
      <p class="muted small">request ${c.get('requestId')}</p>
    </div>`;
  return c.html(page({ title: 'Status unavailable', section: undefined, now: now(), content }), status);
}
