/**
 * The addresses of the status page. Reading changes nothing; orders come in by forms
 * (`order-routes.ts`, `connect-routes.ts`). Errors are pages too.
 */
import { type Context, Hono } from 'hono';
import { html } from 'hono/html';

import type { StatusQueries } from '../../db/status/queries.ts';
import { tokenFor } from './acting.ts';
import { addConnect } from './connect-routes.ts';
import { connectionsContent, connectionStatuses } from './connections.ts';
import { parseListRequest } from './list-query.ts';
import { type ActingPages, addOrders, doneOrder } from './order-routes.ts';
import type { SubjectKind } from './orders.ts';
import { overviewContent } from './overview.ts';
import { readSubject } from './readers.ts';
import { rotationsContent, rotationStatuses } from './rotations.ts';
import { runPanel } from './runs.ts';
import { type Content, doneNotice, show, showFailure, showNotFound } from './shown.ts';
import { syncsContent, syncStatuses } from './syncs.ts';

const ATTENTION_SHOWN = 25;
const ALL_RUNS_SHOWN = 200;

/** Undefined: there is no such subject. */
type Reader = (c: Context, now: Date) => Promise<Content | undefined>;

export function createStatusRoutes(pages: ActingPages): Hono {
  const app = new Hono();
  addConnect(app, pages);
  for (const [path, reader] of Object.entries({ ...listReaders(pages.queries), ...subjectReaders(pages) })) {
    app.get(path, pages.guard, (c) => answer(c, pages, reader));
  }
  addOrders(app, pages);
  return app;
}

function listReaders(queries: StatusQueries): Readonly<Record<string, Reader>> {
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
  };
}

function subjectReaders({ queries, acting }: ActingPages): Readonly<Record<string, Reader>> {
  const reader =
    (kind: SubjectKind): Reader =>
    async (c, now) => {
      const id = c.req.param('id');
      const content = await readSubject(queries, kind, { id, now, token: tokenFor(c, acting) });
      const order = doneOrder(c, acting, { kind, id: id ?? '' });
      return content === undefined || order === undefined ? content : { ...content, notice: doneNotice(order.done) };
    };
  return {
    '/connections/:id': reader('connection'),
    '/syncs/:id': reader('sync'),
    '/rotations/:id': reader('rotation'),
  };
}

function listRequest(c: Context, path: string, statuses: readonly string[]) {
  return parseListRequest({ path, statuses, query: (name) => c.req.query(name) });
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

async function answer(c: Context, pages: ActingPages, read: Reader): Promise<Response> {
  try {
    const content = await read(c, pages.now());
    return await (content === undefined ? showNotFound(c, pages) : show(c, pages, content));
  } catch (error) {
    return showFailure(c, pages, error);
  }
}
