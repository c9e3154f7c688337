/**
 * The parameters in a list page's address, and the addresses of its neighbours. Anything odd falls
 * back to the default.
 */
import { html } from 'hono/html';

import type { ListQuery } from '../../db/status/list-query.ts';
import { cutText } from '../../domain/text.ts';
import { formatNumber } from '../../domain/counted.ts';
import type { Html } from './parts.ts';

const PAGE_SIZE = 50;
/** Deep pages cost as much as what they skip, and searching is easier than reading them. */
const MAX_PAGE = 2_000;
const MAX_SEARCH = 100;

export interface ListRequest extends ListQuery {
  /** The path of the list, without query. */
  readonly path: string;
  /** From 1. */
  readonly page: number;
}

export interface ListSource {
  readonly path: string;
  readonly statuses: readonly string[];
  query(name: string): string | undefined;
}

export function parseListRequest({ path, statuses, query }: ListSource): ListRequest {
  const search = cutText(query('q')?.trim() ?? '', MAX_SEARCH);
  const status = query('status');
  const page = Number(query('page') ?? '1');
  const shown = Number.isInteger(page) && page >= 1 && page <= MAX_PAGE ? page : 1;
  return {
    path,
    search: search === '' ? undefined : search,
    status: status !== undefined && statuses.includes(status) ? status : undefined,
    orgId: cutText(query('org') ?? '', 128) || undefined,
    order: 'trouble',
    page: shown,
    offset: (shown - 1) * PAGE_SIZE,
    limit: PAGE_SIZE,
  };
}

/** The same list with something changed; a changed filter starts at the first page. */
export function addressOf(
  request: ListRequest,
  changes: { readonly status?: string | undefined; readonly page?: number },
): string {
  const status = 'status' in changes ? changes.status : request.status;
  const parameters = new URLSearchParams();
  if (request.search !== undefined) parameters.set('q', request.search);
  if (status !== undefined) parameters.set('status', status);
  if (request.orgId !== undefined) parameters.set('org', request.orgId);
  if (changes.page !== undefined && changes.page > 1) parameters.set('page', String(changes.page));
  const text = parameters.toString();
  return text === '' ? request.path : `${request.path}?${text}`;
}

/** Search field and status filters above a list. */
export function tools(request: ListRequest, statuses: readonly string[]): Html {
  const link = (status: string | undefined, text: string) =>
    html`<li>
      <a href="${addressOf(request, { status })}" ${status === request.status ? html` aria-current="true"` : ''}
        >${text}</a
      >
    </li>`;
  return html`<div class="tools">
    <form role="search" method="get" action="${request.path}">
      ${request.status === undefined ? '' : html`<input type="hidden" name="status" value="${request.status}" />`}
      ${request.orgId === undefined ? '' : html`<input type="hidden" name="org" value="${request.orgId}" />`}
      <input
        type="search"
        id="q"
        name="q"
        value="${request.search ?? ''}"
        placeholder="Name, id, account, path …"
        aria-label="Search ( / )"
        maxlength="${MAX_SEARCH}"
      />
      <button type="submit">Search</button>
    </form>
    <ul class="filters" aria-label="Filter by state">
      ${link(undefined, 'all')}${statuses.map((status) => link(status, status))}
    </ul>
    ${request.orgId === undefined ? '' : html`<span class="small muted">org <code>${request.orgId}</code> · <a href="${request.path}">all orgs</a></span>`}
  </div>`;
}

export function pages(request: ListRequest, total: number): Html {
  const last = Math.max(1, Math.ceil(total / request.limit));
  if (total === 0) return html``;
  const first = request.offset + 1;
  const upTo = Math.min(total, request.offset + request.limit);
  const previous =
    request.page > 1
      ? html`<a rel="prev" href="${addressOf(request, { page: request.page - 1 })}">← Previous</a>`
      : html`<span></span>`;
  const next =
    request.page < last
      ? html`<a rel="next" href="${addressOf(request, { page: request.page + 1 })}">Next →</a>`
      : html`<span></span>`;
  return html`<nav class="pages" aria-label="Pages">
    ${previous}<span>${formatNumber(first)}–${formatNumber(upTo)} of ${formatNumber(total)}</span>${next}
  </nav>`;
}
