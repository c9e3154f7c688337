/** `/api`: the OpenAPI document for people, and where machines find it. */
import type { Context } from 'hono';
import { html } from 'hono/html';

import { page, STATUS_POLICY } from '../status/layout.ts';
import { type Html, panel, table } from '../status/parts.ts';
import type { OpenApiDocument } from './document.ts';

export const DOCUMENT_PATH = '/api/openapi.json';

/** RFC 9727: where the descriptions of a host's APIs are. */
const CATALOG_PATH = '/.well-known/api-catalog';

interface Described {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
}

interface DocumentRoutes {
  get(path: string, handler: (c: Context) => Response | Promise<Response>): unknown;
}

export function addDocumentPages(api: DocumentRoutes, now: () => number, read: () => OpenApiDocument): void {
  api.get('/api', (c) => {
    c.header('Content-Security-Policy', STATUS_POLICY);
    return c.html(
      page({ title: 'API', section: undefined, now: new Date(now()), refresh: 'none', content: contentOf(read()) }),
    );
  });
  api.get(CATALOG_PATH, (c) => {
    const { origin } = new URL(c.req.url);
    const description = { href: `${origin}${DOCUMENT_PATH}`, type: 'application/vnd.oai.openapi+json;version=3.1' };
    const linkset = [
      {
        anchor: `${origin}/api`,
        'service-desc': [description],
        'service-doc': [{ href: `${origin}/api`, type: 'text/html' }],
      },
    ];
    return c.body(JSON.stringify({ linkset }), 200, { 'Content-Type': 'application/linkset+json' });
  });
}

function contentOf({ paths, info }: OpenApiDocument): Html {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary = '', tags: [tag = ''] = [] }]): Described => ({
      ...{ method: method.toUpperCase(), path },
      summary,
      tag,
    })),
  );
  const tags = [...new Set(operations.map(({ tag }) => tag))];
  return html`<header>
      <h1>API</h1>
      <p class="sub">
        ${String(info['description'])} The whole description, with bodies and answers, is the OpenAPI document:
        <a href="${DOCUMENT_PATH}">${DOCUMENT_PATH}</a>.
      </p>
    </header>
    ${tags.map((tag) =>
      panel({
        title: tag,
        body: tableOf(
          tag,
          operations.filter((operation) => operation.tag === tag),
        ),
      }),
    )}`;
}

function tableOf(tag: string, operations: readonly Described[]): Html {
  return table({
    caption: tag,
    columns: [{ title: 'Method' }, { title: 'Path' }, { title: 'What it does' }],
    rows: operations.map(
      ({ method, path, summary }) =>
        html`<tr>
          <td><code>${method}</code></td>
          <td class="wide"><code>${path}</code></td>
          <td class="wide">${summary}</td>
        </tr>`,
    ),
    empty: 'No operation.',
  });
}
